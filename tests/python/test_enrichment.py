"""Holidays, regions, list prices and experiments: there where they are asked for."""

import csv
import datetime
import json

import duckdb
import pytest
from conftest import ROOT
from dateutil.easter import easter
from shop import Shop, ShopBuild, write_all

from perennial import keyed_hash

ON = {"enrichment": True}
SEEDS = ("experiments", "holidays", "price_catalogue", "regions")
VIEWS = (
    "int_country_days",
    "int_customer_regions",
    "int_experiment_variants",
    "int_subscription_prices",
)
SELECTED = (
    *("--select", *SEEDS, *(f"+{view}" for view in VIEWS)),
    *("--exclude", "test_type:unit,path:models/input"),
    *("--indirect-selection", "cautious"),
)
KEY = {keyed_hash.KEY_VARIABLE: "canary key 8f1d27ac5b"}


def enabled(shop: Shop) -> set[str]:
    """Nodes and unit tests of the enrichment that a build would look at."""
    manifest = json.loads((shop.home / "target" / "manifest.json").read_text())
    nodes = [*manifest["nodes"].values(), *manifest["unit_tests"].values()]
    return {
        node["name"]
        for node in nodes
        if "enrichment" in node["fqn"] and node["config"]["enabled"]
    }


@pytest.fixture(scope="module")
def shop(installed, tmp_path_factory) -> Shop:
    shop = Shop(installed, tmp_path_factory.mktemp("enriched"))
    write_all(shop.files)
    return shop


@pytest.fixture(scope="module")
def built(shop) -> ShopBuild:
    built = shop.build(*SELECTED, settings=ON)
    assert built.exit_code == 0, built.output
    return built


def test_none_of_it_is_there_unless_it_is_asked_for(installed, tmp_path):
    shop = Shop(installed, tmp_path)
    assert shop.dbt("parse").exit_code == 0
    assert enabled(shop) == set()
    assert shop.dbt("parse", settings=ON).exit_code == 0
    found = enabled(shop)
    assert {*SEEDS, *VIEWS} <= found
    assert len(found) > 25


@pytest.mark.parametrize("value", ["yes", 1])
def test_anything_but_true_or_false_is_refused(value, installed, tmp_path):
    build = Shop(installed, tmp_path).dbt("parse", settings={"enrichment": value})
    assert build.exit_code == 2
    assert f"Setting enrichment is {value}, and must be true or false" in build.output


def test_every_column_is_described(built):
    for node in built.manifest["nodes"].values():
        if "enrichment" in node["fqn"] and node["resource_type"] in ("seed", "model"):
            actual = built.rows(
                "select column_name from information_schema.columns "
                "where table_name = ?",
                node["name"],
            )
            assert node["description"]
            assert {name for (name,) in actual} == set(node["columns"]), node["name"]
            assert all(column["description"] for column in node["columns"].values())


def test_a_customer_has_the_region_of_the_country(built):
    assert built.rows(
        "select country, region, count(*) from intermediate.int_customer_regions "
        "group by all order by all"
    ) == [("DE", "Europe", 100), ("US", "North America", 100), (None, None, 100)]


def test_days_of_a_country_are_those_of_the_data(built):
    first, last = built.row(
        "select first_activity_date, last_complete_date "
        "from intermediate.int_score_date"
    )
    assert built.rows(
        "select country, min(activity_date), max(activity_date), "
        "count(*) filter (where is_holiday) "
        "from intermediate.int_country_days group by all order by all"
    ) == [("DE", first, last, 7), ("US", first, last, 9)]


def test_a_plan_that_no_catalogue_knows_has_no_list_price(built):
    assert built.row(
        "select count(*), count(list_price), count(discount_rate) "
        "from intermediate.int_subscription_prices"
    ) == (250, 0, 0)


def test_variants_are_one_per_customer_and_not_of_the_erased(shop, built, monkeypatch):
    for name, value in KEY.items():
        monkeypatch.setenv(name, value)
    erased = keyed_hash.keyed_hash("erased customer", "customer 2")
    with duckdb.connect(str(built.file)) as connection:
        connection.execute(
            "insert into seeds.experiments values "
            "('customer 1', 'price', 'a', '2024-02-01'), "
            "('customer 2', 'price', 'a', '2024-02-01'), "
            "('nobody', 'price', 'b', '2024-02-01')"
        )
        connection.execute(
            "insert into reading.erasures (customer_hash, key_check, erased_date) "
            "values (?, ?, date '2024-03-01')",
            [erased, keyed_hash.key_check()],
        )
    views = ("--select", "int_experiment_variants", "--indirect-selection", "eager")
    again = shop.build(*views, settings=ON, **KEY)
    assert again.exit_code == 0, again.output
    assert "WARN 1 relationships_int_experiment_variants" in again.output
    with duckdb.connect(str(built.file)) as connection:
        keyed_hash.register(connection)
        customers = connection.execute(
            "select customer_id from intermediate.int_experiment_variants order by all"
        ).fetchall()
        assert customers == [("customer 1",), ("nobody",)]
        connection.execute(
            "insert into seeds.experiments "
            "values ('customer 1', 'price', 'b', '2024-02-02')"
        )
    again = shop.build(*views, settings=ON, **KEY)
    assert again.exit_code == 1
    assert "FAIL 1 one_row_per_int_experiment_variants" in again.output


def nth(year: int, month: int, weekday: int, number: int) -> datetime.date:
    """The so-manieth weekday of a month; -1 is the last."""
    days = [datetime.date(year, month, 1) + datetime.timedelta(n) for n in range(31)]
    days = [day for day in days if day.month == month and day.weekday() == weekday]
    return days[number - 1 if number > 0 else number]


def test_movable_holidays_stand_on_their_days():
    with open(ROOT / "seeds" / "enrichment" / "holidays.csv", newline="") as file:
        found = {
            (row["country"], int(row["holiday_date"][:4]), row["name"]): row[
                "holiday_date"
            ]
            for row in csv.DictReader(file)
        }
    monday, thursday = 0, 3
    for year in range(2023, 2027):
        wanted = {
            ("US", "Martin Luther King Jr. Day"): nth(year, 1, monday, 3),
            ("US", "Washington's Birthday"): nth(year, 2, monday, 3),
            ("US", "Memorial Day"): nth(year, 5, monday, -1),
            ("US", "Labor Day"): nth(year, 9, monday, 1),
            ("US", "Columbus Day"): nth(year, 10, monday, 2),
            ("US", "Thanksgiving Day"): nth(year, 11, thursday, 4),
            ("GB", "Early May bank holiday"): nth(year, 5, monday, 1),
            ("GB", "Spring bank holiday"): nth(year, 5, monday, -1),
            ("GB", "Summer bank holiday"): nth(year, 8, monday, -1),
        }
        for country in ("GB", "DE"):
            for name, days in (("Good Friday", -2), ("Easter Monday", 1)):
                wanted[country, name] = easter(year) + datetime.timedelta(days)
        for name, days in (("Ascension Day", 39), ("Whit Monday", 50)):
            wanted["DE", name] = easter(year) + datetime.timedelta(days)
        for (country, name), day in wanted.items():
            assert found[country, year, name] == str(day)
        # days that replace one at a weekend
        assert all(
            datetime.date.fromisoformat(day).weekday() < 5
            for (country, _, _), day in found.items()
            if country == "GB"
        )
    # 9 of DE, 11 of US, 8 of GB each year, and the coronation
    assert len(found) == 4 * (9 + 11 + 8) + 1
    assert found["GB", 2023, "New Year's Day"] == "2023-01-02"
    assert found["GB", 2026, "Boxing Day"] == "2026-12-28"
