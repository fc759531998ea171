"""Sessions: their lines do not go back in time, and they belong to one customer."""

import json

import pytest
from shop import Shop, write_rows

pytestmark = pytest.mark.loader
SLOW = pytest.mark.slow

BACKWARDS = "assert_a_session_does_not_go_back_in_time"
SHARED = "assert_a_session_belongs_to_one_customer"

#: The models of events, the two laws, and nothing below.
SESSIONS = (
    *("--select", "+int_event_files", BACKWARDS, SHARED, "--exclude"),
    *("test_type:unit", "--indirect-selection", "cautious"),
)

#: Event 12 lies before event 11, and 13 after 12 again; event 17 is another customer's.
PLANTED = """
    * replace (
        case when i = 12 then occurred_at - to_days(2) else occurred_at end
            as occurred_at,
        case when i = 17 then 'customer 299' else customer_id end as customer_id
    )
"""


def warned(shop: Shop, **options) -> dict[str, int]:
    """How many rows each of the two laws told in a build, which succeeds anyway."""
    built = shop.build(*SESSIONS, settings={"entities": ["events"]}, **options)
    assert built.exit_code == 0, built.output
    results = json.loads((shop.home / "target" / "run_results.json").read_text())
    told = {}
    for result in results["results"]:
        name = result["unique_id"].split(".")[2]
        if name in (BACKWARDS, SHARED):
            assert result["status"] == ("warn" if result["failures"] else "pass")
            told[name] = result["failures"]
    assert len(told) == 2
    return told


def write_events(shop: Shop, first: int, last: int, change: str, form: str) -> None:
    """Write events with a change that may look at their number."""
    change = change.replace("i = ", "cast(event_id[7:] as integer) = ")
    write_rows(shop.files, "events", first, last, form, change)


@pytest.mark.parametrize("form", ["csv", pytest.param("parquet", marks=SLOW)])
def test_a_planted_line_is_told_once_and_stays_accepted(form, installed, tmp_path):
    shop = Shop(installed, tmp_path)
    write_events(shop, 0, 10, "*", form)
    write_events(shop, 10, 20, PLANTED, form)
    assert warned(shop, SHOP_FORMAT=form) == {BACKWARDS: 1, SHARED: 1}
    # what was read before is told no more
    write_events(shop, 20, 30, "*", form)
    assert warned(shop, SHOP_FORMAT=form) == {BACKWARDS: 0, SHARED: 0}


@SLOW
def test_lines_keep_their_order_where_there_are_more_files_than_lines(
    installed, tmp_path
):
    """A join with the files would be turned round then, and the lines with it."""
    shop = Shop(installed, tmp_path)
    for first in range(0, 500, 5):
        write_events(shop, first, first + 5, "*", "csv")
    warned(shop)
    write_events(shop, 500, 505, "*", "csv")
    assert warned(shop) == {BACKWARDS: 0, SHARED: 0}


def test_copies_and_refused_lines_are_not_looked_at(installed, tmp_path):
    shop = Shop(installed, tmp_path)
    write_events(shop, 0, 200, "*", "csv")
    file = shop.files / "events" / "events_00000.csv"
    lines = file.read_text().splitlines()
    refused = "event x,customer 1,1999-01-01 00:00:00,page_view,session 0,-1,start"
    file.write_text("\n".join([*lines, lines[1], refused, ""]))
    assert warned(shop) == {BACKWARDS: 0, SHARED: 0}


@SLOW
def test_of_many_events_a_share_of_the_sessions_is_followed(installed, tmp_path):
    """Sessions whole, and the same share of the planted lines."""
    shop = Shop(installed, tmp_path)
    count = 4_100_000
    is_third = "cast(event_id[7:] as integer) % 5 = 2"
    planted = f"if({is_third}, occurred_at - to_days(1), occurred_at)"
    change = f"* replace ({planted} as occurred_at)"
    write_rows(shop.files, "events", 0, count, "parquet", change)
    built = warned(shop, SHOP_FORMAT="parquet")
    assert built[SHARED] == 0
    # one line of each followed session, and one session of three is followed
    assert built[BACKWARDS] == pytest.approx(count / 5 / 3, rel=0.02)
