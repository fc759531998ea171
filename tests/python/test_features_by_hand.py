"""Every feature beside the same one worked out by hand, for all customers of a date."""

import math
from datetime import date, timedelta

import pytest
from features_by_hand import ENTITIES, TIMES, accepted_rows, features_by_hand, rows_of
from telling_again import tell_again

pytestmark = pytest.mark.features

CATALOGUE = rows_of("feature_catalogue")

#: Features that are not worked out again, and why. The list may only shrink.
NOT_CHECKED: dict[str, str] = {}

CHECKED = [
    row["feature_name"] for row in CATALOGUE if row["feature_name"] not in NOT_CHECKED
]

#: A leap day, the last day that counts a campaign in its month, and the newest day.
DATES = [date(2024, 2, 29), date(2024, 9, 30), date(2025, 12, 31)]


@pytest.fixture(scope="module")
def accepted(demo):
    return accepted_rows(demo)


@pytest.fixture(scope="module")
def told_again(demo, tmp_path_factory):
    """The demo company with versions and late rows in every domain."""
    return tell_again(demo, tmp_path_factory.mktemp("features") / "again")


@pytest.fixture(scope="module")
def accepted_again(told_again):
    return accepted_rows(told_again)


def differences(built, accepted, as_of) -> tuple[int, dict[str, list]]:
    """Customers compared, and of each feature that differs some who do."""
    by_hand = features_by_hand(accepted, as_of)
    rows = built.rows(
        f"select customer_id, {', '.join(CHECKED)} from features.feature_store "
        "where as_of_date = ?",
        as_of,
    )
    assert sorted(row[0] for row in rows) == sorted(by_hand)
    found = {}
    for customer_id, *values in rows:
        for name, value in zip(CHECKED, values, strict=True):
            expected = by_hand[customer_id].get(name)
            if not is_same(value, expected):
                found.setdefault(name, []).append((customer_id, value, expected))
    return len(rows), {name: [len(some), *some[:3]] for name, some in found.items()}


def is_same(value, expected) -> bool:
    if value is None or expected is None:
        return value is expected
    if isinstance(value, float):
        return math.isclose(value, expected, rel_tol=1e-9, abs_tol=1e-9)
    return value == expected


def test_a_feature_is_checked_or_said_not_to_be():
    assert set(NOT_CHECKED) <= {row["feature_name"] for row in CATALOGUE}
    assert len(NOT_CHECKED) == 0


@pytest.mark.parametrize("as_of", DATES, ids=str)
def test_every_feature_is_what_the_rows_known_by_then_tell(demo, accepted, as_of):
    customers, found = differences(demo, accepted, as_of)
    assert customers > 600
    assert found == {}


@pytest.mark.parametrize("as_of", DATES[1:], ids=str)
def test_every_feature_is_so_where_rows_come_late_and_are_told_again(
    told_again, accepted_again, as_of
):
    customers, found = differences(told_again, accepted_again, as_of)
    assert customers > 600
    assert found == {}


def test_every_feature_tells_customers_apart_on_one_of_the_dates(demo):
    """A fault in what is the same for everybody would show nowhere.

    The comparison once had dates on which no campaign was near, and a control group
    that counted as written to went past it.
    """
    differing = ", ".join(f"count(distinct {name}) > 1" for name in CHECKED)
    told = demo.row(
        f"select {differing} from features.feature_store where as_of_date in (?, ?, ?)",
        *DATES,
    )
    assert [name for name, is_so in zip(CHECKED, told, strict=True) if not is_so] == []


def test_by_the_middle_date_rows_had_come_late_and_were_told_again(accepted):
    """Or else the comparison would tell nothing of them."""
    as_of, year = DATES[1], timedelta(days=365)
    happened = [
        row for entity in TIMES for row in accepted[entity] if row["day"] <= as_of
    ]
    assert any(row["day"] < row["known_date"] <= as_of for row in happened)
    assert any(row["known_date"] > as_of for row in happened)
    told_again = [row["superseded_date"] for row in happened if row["superseded_date"]]
    assert any(as_of - year < day <= as_of for day in told_again)
    assert any(day > as_of for day in told_again)


#: The CDNOW log tells of orders alone.
MISSING = set(ENTITIES) - {"orders"}


def test_of_a_missing_domain_there_is_nothing_and_of_orders_all(sample):
    columns = {row["feature_name"]: row["entity"] for row in CATALOGUE}
    missing = [name for name, entity in columns.items() if entity in MISSING]
    counts = [
        row["feature_name"]
        for row in CATALOGUE
        if row["entity"] == "orders" and row["kind"] == "count"
    ]
    assert len(missing) > 60
    told = ", ".join(f"count({name})" for name in [*missing, *counts])
    rows, *numbers = sample.row(f"select count(*), {told} from features.feature_store")
    found = dict(zip([*missing, *counts], numbers, strict=True))
    assert {name: found[name] for name in missing if found[name]} == {}
    never_null = [row["feature_name"] for row in CATALOGUE if not row["null_means"]]
    assert {n: found[n] for n in counts if n in never_null and found[n] != rows} == {}
