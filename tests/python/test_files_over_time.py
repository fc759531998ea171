"""Files come, change, move and vanish: each is read once, and none in silence.

One shop, built again and again; the tests look at what each build left behind.
"""

import os
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from conftest import SHORT
from shop import COUNTS, ENTITIES, INPUT, Shop, ShopBuild, write_all, write_rows

pytestmark = pytest.mark.loader


@dataclass
class Moment:
    """What a build said, and what the working file held after it."""

    build: ShopBuild
    digests: dict[str, tuple] = field(default_factory=dict)
    ledger: list[tuple] = field(default_factory=list)
    rows_count: dict[str, int] = field(default_factory=dict)
    amount: str = ""

    def look(self, entities: tuple[str, ...], with_digests: bool) -> "Moment":
        row, rows = self.build.row, self.build.rows
        self.digests = self.build.digests() if with_digests else {}
        self.ledger = rows(
            "select source_table, source_file, file_status from reading.files_read "
            "order by ledger_number"
        )
        self.rows_count = {
            entity: row(f"select count(*) from input.input_{entity}")[0]
            for entity in entities
        }
        self.amount = row(
            "select cast(sum(amount) as varchar) from input.input_orders"
        )[0]
        return self

    @property
    def faults(self) -> set[str]:
        """Lines about raw files; dbt repeats them in its summary."""
        lines = (self.build.output + self.build.errors).splitlines()
        return {
            line[line.index("raw file ") :] for line in lines if "raw file " in line
        }


def spoil(file: Path) -> None:
    """Overwrite a file so that nobody can tell who does not open it."""
    before = file.stat()
    file.write_bytes(b"?" * before.st_size)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.fixture(scope="module")
def moments(installed, tmp_path_factory) -> dict[str, Moment]:
    shop = Shop(installed, tmp_path_factory.mktemp("over_time"))
    found = {}

    def build(name: str, *arguments: str, **settings) -> None:
        built = shop.build(*INPUT, *arguments, settings=settings)
        # a view over a file that is not there cannot be looked at
        readable = tuple(set(ENTITIES) - {"events"}) if "gone" in name else ENTITIES
        found[name] = Moment(built).look(readable, name in ("first", "again"))

    write_all(shop.files)
    orders = shop.files / "orders" / "orders_00000.csv"
    build("first")
    build("again")

    # a day later: new files, one of them with a column more
    write_rows(shop.files, "orders", 2400, 2500, change="*, 'SPRING' as coupon")
    write_rows(shop.files, "events", 3000, 3100)
    good = orders.read_bytes(), orders.stat()
    spoil(orders)
    customers = shop.files / "customers" / "customers_00000.csv"
    customers.rename(customers.with_name("renamed.csv"))
    touches = shop.files / "touches" / "touches_00000.csv"
    shutil.copyfile(touches, touches.with_name("a_copy.csv"))
    build("grown")
    build("grown_again")
    orders.write_bytes(good[0])
    os.utime(orders, ns=(good[1].st_atime_ns, good[1].st_mtime_ns))

    # somebody writes into a file that was read
    subscriptions = shop.files / "subscriptions" / "subscriptions_00000.csv"
    lines = subscriptions.read_text().splitlines(keepends=True)
    subscriptions.write_text("".join([*lines[:200], lines[1].replace("0,", "00,", 1)]))
    build("changed")
    events = shop.files / "events" / "events_03000.csv"
    events.rename(events.with_name("events_renamed.csv"))
    build("replaced", replace_changed_files=True)

    # a file that is stored may go, one that is read by a view may not
    (shop.files / "tickets" / "tickets_00000.csv").unlink()
    write_rows(shop.files, "tickets", 200, 210)
    build("vanished")
    build("vanished_and_refreshed", "--full-refresh")
    write_rows(shop.files, "tickets", 0, 200)
    events = shop.files / "events" / "events_00000.csv"
    events.rename(shop.home / "elsewhere.csv")
    build("events_gone")
    (shop.home / "elsewhere.csv").rename(events)

    # a later file lacks what the contract needs
    lost = write_rows(shop.files, "orders", 2500, 2510, change="* exclude (amount)")
    build("lost_column")
    lost.unlink()
    build("refreshed", "--full-refresh")
    return found


def is_green(moment: Moment) -> bool:
    assert moment.build.exit_code == 0, moment.build.output[-3000:]
    return True


def test_every_good_line_is_accepted(moments):
    first = moments["first"]
    assert is_green(first)
    assert first.rows_count == COUNTS
    assert sorted(first.ledger) == sorted(
        (f"shop.{entity}", f"{entity}_00000.csv", "new") for entity in ENTITIES
    )


def test_to_read_a_file_twice_changes_nothing(moments):
    assert is_green(moments["again"])
    assert moments["again"].ledger == moments["first"].ledger
    first, again = moments["first"].digests, moments["again"].digests
    # what was found on disk is looked at anew by every run
    own = {name for name in first if name.startswith("reading.int_")}
    own |= {"reading.files_found", "reading.careful_records_found"}
    assert {k: v for k, v in again.items() if k not in own} == {
        k: v for k, v in first.items() if k not in own
    }


def test_a_growing_folder_costs_its_new_files_alone(moments):
    """The old file of orders holds question marks meanwhile, and nobody notices."""
    grown = moments["grown"]
    assert is_green(grown)
    new = [row for row in grown.ledger if row not in moments["first"].ledger]
    assert ("shop.orders", "orders_02400.csv", "new") in new
    assert ("shop.events", "events_03000.csv", "new") in new
    assert grown.rows_count["orders"] == 2500
    assert grown.rows_count["events"] == 3100


def test_a_renamed_file_is_not_read_twice(moments):
    assert ("shop.customers", "renamed.csv", "moved") in moments["grown"].ledger
    assert moments["grown"].rows_count["customers"] == COUNTS["customers"]


def test_a_renamed_file_is_not_missed_in_its_old_place(moments):
    """A view reads it where it is now, on the day of the change and on later ones."""
    for name in ("replaced", "vanished"):
        assert is_green(moments[name])
        assert moments[name].rows_count["events"] == 3100
    assert ("shop.events", "events_renamed.csv", "moved") in moments["replaced"].ledger


def test_a_copy_of_a_known_file_is_not_read(moments):
    assert ("shop.touches", "a_copy.csv", "copy") in moments["grown"].ledger
    assert moments["grown"].rows_count["touches"] == COUNTS["touches"]
    assert is_green(moments["grown_again"])
    assert moments["grown_again"].ledger == moments["grown"].ledger


def test_a_new_column_is_recorded_and_does_no_harm(moments):
    build = moments["grown"].build
    assert ("shop.orders", "orders_02400.csv", "coupon", "new_column") in build.rows(
        "select source_table, source_file, column_name, change "
        "from reading.schema_changes"
    )


def test_a_changed_file_is_refused_in_one_line(moments):
    changed = moments["changed"]
    assert changed.build.exit_code == 1
    (fault,) = changed.faults
    assert "subscriptions_00000.csv: it changed since it was read on " in fault
    assert changed.rows_count == moments["grown_again"].rows_count
    assert changed.ledger == moments["grown_again"].ledger


def test_a_changed_file_is_read_anew_where_that_is_asked_for(moments):
    replaced = moments["replaced"]
    assert is_green(replaced)
    assert replaced.ledger[-1] == (
        "shop.subscriptions",
        "subscriptions_00000.csv",
        "replaced",
    )
    assert replaced.rows_count["subscriptions"] == 200
    assert replaced.amount == moments["grown"].amount


def test_rows_of_a_file_that_went_away_stay(moments):
    vanished = moments["vanished"]
    assert is_green(vanished)
    assert vanished.rows_count["tickets"] == 210
    assert vanished.faults == set()


def test_to_read_everything_anew_needs_every_file(moments):
    refreshed = moments["vanished_and_refreshed"]
    assert refreshed.build.exit_code == 1
    (fault,) = refreshed.faults
    assert "tickets_00000.csv: it was read on " in fault
    assert refreshed.rows_count == moments["vanished"].rows_count


def test_a_vanished_file_that_a_view_reads_is_named_in_one_line(moments):
    build = moments["events_gone"].build
    assert build.exit_code == 1
    (fault,) = moments["events_gone"].faults
    assert "events_00000.csv: it was read on " in fault
    assert "Put it back" in fault


def test_a_lost_column_stops_with_one_line(moments):
    lost = moments["lost_column"]
    assert lost.build.exit_code == 1
    (fault,) = lost.faults
    assert "orders_02500.csv, line 1: there is no column amount" in fault
    assert lost.rows_count["orders"] == 2500


def test_a_full_refresh_keeps_the_ledger_and_comes_to_the_same_rows(moments):
    refreshed = moments["refreshed"]
    assert is_green(refreshed)
    assert refreshed.ledger[: len(moments["vanished"].ledger)] == (
        moments["vanished"].ledger
    )
    assert refreshed.rows_count == moments["vanished"].rows_count
    assert refreshed.amount == moments["vanished"].amount


# What a file is written in does not matter -------------------------------------------


CONTENTS = """
    select {columns} from input.input_{entity} order by all
"""

OWN_COLUMNS = {
    *("reading_id", "file_path", "source_file", "source_line"),
    *("loaded_at", "known_date"),
}


def contents(build: ShopBuild, entity: str) -> list[tuple]:
    columns = [
        name
        for (name,) in build.rows(
            "select column_name from information_schema.columns "
            "where table_schema = 'input' and table_name = ?",
            f"input_{entity}",
        )
        if name not in OWN_COLUMNS
    ]
    assert len(columns) > 4
    return build.rows(CONTENTS.format(columns=", ".join(columns), entity=entity))


ORDERS = {"entities": ["orders"]}
WHOLE = ("--exclude", "test_type:unit")
NO_SEARCH = {"search_trials": 0}


@pytest.fixture(scope="module")
def formats(installed, tmp_path_factory) -> dict[str, ShopBuild]:
    built = {}
    for file_format in ("csv", "json_lines", "parquet"):
        shop = Shop(installed, tmp_path_factory.mktemp(file_format))
        write_all(shop.files, file_format)
        # the whole project once, from the files to the marts
        selected = WHOLE if file_format == "parquet" else INPUT
        built[file_format] = shop.build(
            *selected, settings=NO_SEARCH, SHOP_FORMAT=file_format
        )
        assert built[file_format].exit_code == 0, built[file_format].output[-3000:]
    return built


@pytest.mark.parametrize("entity", ENTITIES)
def test_csv_json_lines_and_parquet_give_the_same_rows(entity, formats):
    csv = contents(formats["csv"], entity)
    assert len(csv) == COUNTS[entity]
    assert contents(formats["json_lines"], entity) == csv
    assert contents(formats["parquet"], entity) == csv


def test_six_domains_lead_to_scores(formats):
    build = formats["parquet"]
    assert build.row("select count(*) from marts.fct_orders") == (COUNTS["orders"],)
    assert build.row("select count(*) from marts.dim_customers") == (300,)
    assert build.row(
        "select count(*) > 0 from marts.clv_scores where expected_value is not null"
    ) == (True,)
    assert build.rows("select entity from input.input_coverage where is_delivered") == [
        (entity,) for entity in ENTITIES
    ]


def test_one_domain_is_enough(installed, tmp_path):
    """Folders of the other domains are not there at all."""
    shop = Shop(installed, tmp_path)
    write_rows(shop.files, "orders")
    build = shop.build(*WHOLE, *SHORT, settings=ORDERS)
    assert build.exit_code == 0, build.output[-3000:]
    assert build.row("select count(*) from marts.fct_orders") == (COUNTS["orders"],)
    missing = build.rows(
        "select entity, absence_costs from input.input_coverage where not is_delivered"
    )
    assert {entity for entity, _ in missing} == set(ENTITIES) - {"orders"}
    assert all(cost for _, cost in missing)
    for entity in set(ENTITIES) - {"orders", "customers"}:
        assert build.row(f"select count(*) from input.input_{entity}") == (0,)


# The threshold ------------------------------------------------------------------------


CHECKED_ORDERS = (
    "--select",
    "+input_orders",
    "--exclude",
    "test_type:unit",
    "--indirect-selection",
    "cautious",
)


def write_orders(shop: Shop, name: str, good_count: int, bad_count: int) -> None:
    """Good and bad lines, each order of its own."""
    folder = shop.files / "orders"
    folder.mkdir(parents=True, exist_ok=True)
    good = [f"{name} {i},C-1,2024-01-05,1.00" for i in range(good_count)]
    bad = [f"{name} bad {i},C-1,2024-01-05,abc" for i in range(bad_count)]
    header = "order_id,customer_id,ordered_at,amount"
    (folder / f"{name}.csv").write_text("\n".join([header, *good, *bad, ""]))


def test_as_many_refused_lines_as_the_threshold_allows_are_no_reason_to_stop(
    installed, tmp_path
):
    shop = Shop(installed, tmp_path)
    write_orders(shop, "at", 199, 1)
    # a header without lines is a file without faults
    write_orders(shop, "empty", 0, 0)
    build = shop.build(*CHECKED_ORDERS, settings=ORDERS)
    assert build.exit_code == 0, build.output[-3000:]
    assert build.row("select count(*) from input.input_orders") == (199,)


@pytest.mark.parametrize(
    ("good_count", "bad_count", "threshold"),
    [
        pytest.param(198, 1, 0.005, id="one_line_short", marks=pytest.mark.slow),
        pytest.param(199, 2, 0.005, id="one_line_more"),
        pytest.param(0, 1, 1, id="no_line_of_use", marks=pytest.mark.slow),
    ],
)
def test_one_refused_line_more_stops_everything_below(
    good_count, bad_count, threshold, installed, tmp_path
):
    shop = Shop(installed, tmp_path)
    write_orders(shop, "good", 1000, 0)  # the share is one of each file
    write_orders(shop, "over", good_count, bad_count)
    settings = {**ORDERS, "refused_rows_threshold": threshold}
    build = shop.build(*CHECKED_ORDERS, settings=settings)
    assert build.exit_code == 1
    assert re.search(r"FAIL \d+ few_refused_rows_int_checked_orders", build.output)
    assert (
        build.rows(
            "select 1 from information_schema.tables where table_name = 'input_orders'"
        )
        == []
    )


# Stops of a whole build, and freshness -----------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("", id="zero_bytes"),
        pytest.param("a;b\n1;2\n", id="header", marks=pytest.mark.slow),
    ],
)
def test_a_file_that_cannot_be_used_stops_before_any_row_is_read(
    content, installed, tmp_path
):
    shop = Shop(installed, tmp_path)
    write_orders(shop, "good", 10, 0)
    (shop.files / "orders" / "worse.csv").write_text(content)
    build = shop.build(*CHECKED_ORDERS, settings=ORDERS)
    assert build.exit_code == 1
    lines = {line.strip() for line in build.output.splitlines() if "raw file" in line}
    assert len(lines) == 1
    assert f"{shop.files / 'orders' / 'worse.csv'}, line 1: " in lines.pop()
    assert "Traceback" not in build.output + build.errors
    assert (
        build.rows(
            "select 1 from information_schema.tables where table_name like 'stg_shop%'"
        )
        == []
    )


def test_a_folder_without_files_is_told_in_one_line(installed, tmp_path):
    shop = Shop(installed, tmp_path)
    build = shop.build(*CHECKED_ORDERS, settings=ORDERS)
    assert build.exit_code == 1
    lines = {line.strip() for line in build.output.splitlines() if "raw file" in line}
    assert len(lines) == 1
    assert "no file is there" in lines.pop()


@pytest.mark.slow
def test_freshness_is_the_age_of_the_newest_file(installed, tmp_path):
    shop = Shop(installed, tmp_path)
    write_orders(shop, "old", 1, 0)
    write_orders(shop, "new", 1, 0)
    week = 7 * 24 * 3600
    old = shop.files / "orders" / "old.csv"
    os.utime(old, (old.stat().st_mtime - 2 * week,) * 2)
    command = ("source", "freshness", "--select", "source:shop.orders")
    fresh = shop.dbt(*command, settings=ORDERS)
    assert fresh.exit_code == 0, fresh.output
    assert "PASS freshness of shop.orders" in fresh.output
    (shop.files / "orders" / "new.csv").unlink()
    stale = shop.dbt(*command, settings=ORDERS)
    assert stale.exit_code == 1
    assert "ERROR STALE freshness of shop.orders" in stale.output


def test_a_late_file_changes_no_day_that_was_scored(installed, tmp_path):
    """What came after a day had been scored is known from the day after it, for ever.

    A day that lies ahead of the reading is refused, and never moves the score date.
    """
    shop = Shop(installed, tmp_path)
    clock = (
        *("--select", "+int_score_date", "+quarantine"),
        *("--exclude", "resource_type:test", "resource_type:unit_test"),
    )
    settings = {"entities": ["orders"], "refused_rows_threshold": 1}
    write_rows(shop.files, "orders", 0, 400)
    first = shop.build(*clock, settings=settings)
    assert first.exit_code == 0, first.output
    (scored,) = first.row("select score_date from intermediate.int_score_date")
    write_rows(shop.files, "orders", 400, 420)
    write_rows(
        shop.files,
        "orders",
        420,
        421,
        change="* replace (timestamp '2999-01-01' as ordered_at)",
    )
    late = shop.build(*clock, settings=settings)
    refreshed = shop.build(*clock, "--full-refresh", settings=settings)
    for build in (late, refreshed):
        assert build.exit_code == 0, build.output
        assert build.rows(
            "select source_file, last_scored_date from reading.files_read "
            "order by ledger_number"
        ) == [
            ("orders_00000.csv", None),
            ("orders_00400.csv", scored),
            ("orders_00420.csv", scored),
        ]
        known = build.rows(
            "select distinct known_date > $1, known_date = cast(ordered_at as date), "
            "cast(ordered_at as date) > $1 from input.input_orders "
            "where source_file = 'orders_00400.csv'",
            scored,
        )
        assert (True, False, False) in known
        assert all(is_later for is_later, *_ in known)
        assert build.rows(
            "select source_file, reject_reason from input.quarantine"
        ) == [("orders_00420.csv", "future_time")]
        assert build.row("select score_date from intermediate.int_score_date") == (
            scored,
        )
