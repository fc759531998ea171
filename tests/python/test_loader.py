"""The front door: what is wrong with a file, a line or a cell, and what becomes of it.

Every line of a file is accepted, excluded or refused, and what is refused is kept.
"""

import datetime
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
from conftest import ROOT
from shop import (
    DIRTY_FILES,
    ENTITIES,
    INPUT,
    Shop,
    ShopBuild,
    install_shop,
    write_all,
    write_rows,
)

pytestmark = pytest.mark.loader

NEW_YORK = {
    "source_time_zone": "America/New_York",
    "business_time_zone": "America/New_York",
}


@pytest.fixture(scope="session")
def installed(tmp_path_factory) -> Path:
    """The shop's project with perennial in it, once for each worker."""
    return install_shop(tmp_path_factory.mktemp("installed") / "shop")


@pytest.fixture
def shop(installed, tmp_path) -> Shop:
    return Shop(installed, tmp_path)


def is_green(build: ShopBuild) -> bool:
    assert build.exit_code == 0, build.output[-3000:] + build.errors
    return True


# The dirty directories, line by line -------------------------------------------------


@dataclass(frozen=True)
class Expected:
    """A row of the table in a README of tests/dirty_files."""

    file: str
    line: int
    lines_count: int
    text: str
    verdict: str

    @property
    def place(self) -> tuple[str, int, int]:
        return self.file, self.line, self.lines_count


def lines_of(file: Path) -> list[str]:
    """Lines as the quarantine shows them; bytes that are no text stand as escapes."""
    content = file.read_bytes().removeprefix(b"\xef\xbb\xbf")
    lines = content.replace(b"\r\n", b"\n").removesuffix(b"\n").split(b"\n")
    return [line.decode("utf-8", "backslashreplace") for line in lines]


def expected(entity: str) -> list[Expected]:
    row = re.compile(r"\| (\w+\.\w+) \| (\d+)(?:-(\d+))? \| .+ \| ([^|]+) \|")
    texts = {file.name: lines_of(file) for file in data_files(entity)}
    found = []
    for line in (DIRTY_FILES / entity / "README.md").read_text().splitlines():
        if match := row.fullmatch(line):
            file, first, last, verdict = match.groups()
            first, last = int(first), int(last or first)
            text = "\n".join(texts[file][first - 1 : last])
            found.append(Expected(file, first, last - first + 1, text, verdict))
    return found


def data_files(entity: str) -> list[Path]:
    folder = DIRTY_FILES / entity
    return sorted(file for file in folder.iterdir() if file.suffix != ".md")


@pytest.fixture(scope="session")
def dirty(installed, tmp_path_factory) -> ShopBuild:
    """All six dirty directories, in one build."""
    shop = Shop(installed, tmp_path_factory.mktemp("dirty"), DIRTY_FILES)
    settings = {"refused_rows_threshold": 1, "currency": "EUR", **NEW_YORK}
    build = shop.build(settings=settings, SHOP_TICKETS_FORMAT="json_lines")
    assert is_green(build)
    return build


@pytest.mark.parametrize("entity", ENTITIES)
def test_the_readme_speaks_of_every_line(entity):
    for file in data_files(entity):
        header_count = 0 if file.suffix == ".json_lines" else 1
        told = [
            number
            for row in expected(entity)
            if row.file == file.name
            for number in range(row.line, row.line + row.lines_count)
        ]
        assert told == list(range(1 + header_count, len(lines_of(file)) + 1))


def test_the_dirty_files_are_as_dirty_as_they_were_committed():
    """An editor or git that mends line ends would take the faults away."""
    orders = (DIRTY_FILES / "orders" / "orders_1.csv").read_bytes()
    for fault in (b"\xef\xbb\xbforder_id", b"\r\n", b"books\nO-9", b"\xe9", b"\x00"):
        assert fault in orders or fault == b"books\nO-9"
    assert b"\n" in orders.replace(b"\r\n", b"")
    assert not orders.endswith(b"\n")


@pytest.mark.parametrize("entity", ENTITIES)
def test_each_dirty_line_is_accepted_excluded_or_refused_as_its_readme_says(
    entity, dirty
):
    accepted = {
        (*place, "accepted")
        for place in dirty.rows(
            f"select source_file, source_line from input.input_{entity} "
            "where source_file is not null"
        )
    }
    set_aside = {
        (file, line, f"excluded: {reason}")
        for file, line, reason in dirty.rows(
            "select source_file, source_line, exclude_reason from input.excluded_rows "
            "where entity = ?",
            entity,
        )
    }
    refused = {
        (file, line, f"refused: {reason}")
        for file, line, reason in dirty.rows(
            "select source_file, source_line, reject_reason from input.quarantine "
            "where entity = ?",
            entity,
        )
    }
    wanted = {(row.file, row.line, row.verdict) for row in expected(entity)}
    found = accepted | set_aside | refused
    assert sorted(found - wanted) == []
    assert sorted(wanted - found) == []
    assert len(accepted) + len(set_aside) + len(refused) == len(found)


@pytest.mark.parametrize("entity", ENTITIES)
def test_what_is_not_accepted_is_kept_as_it_came(entity, dirty):
    kept = dirty.rows(
        "select source_file, source_line, source_lines_count, source_text "
        "from input.quarantine where entity = ? union all "
        "select source_file, source_line, source_lines_count, source_text "
        "from input.excluded_rows where entity = ?",
        entity,
        entity,
    )
    wanted = [
        (*row.place, row.text) for row in expected(entity) if row.verdict != "accepted"
    ]
    assert sorted(kept) == sorted(wanted)


@pytest.mark.parametrize("entity", ENTITIES)
def test_lines_in_are_accepted_and_excluded_and_refused_lines(entity, dirty):
    """Counted in the bytes of the file, not in what was read of it."""
    for file in data_files(entity):
        wanted = {"accepted": 0, "excluded": 0, "refused": 0}
        for row in expected(entity):
            if row.file == file.name:
                wanted[row.verdict.split(":")[0]] += row.lines_count
        found = dirty.row(
            "select lines_count, accepted_lines_count, excluded_lines_count, "
            "refused_lines_count from input.input_files "
            "where entity = ? and source_file = ?",
            entity,
            file.name,
        )
        header_count = 0 if file.suffix == ".json_lines" else 1
        assert found == (len(lines_of(file)) - header_count, *wanted.values())


#: Ids of dirty lines, and the instant in UTC that each must stand for.
INSTANTS = {
    ("orders", "order_id", "ordered_at"): {
        "P-50": "2024-03-10 07:30:00",
        "P-51": "2024-11-03 06:30:00",
        "P-52": "2024-03-10 07:30:00",
        "P-53": "2024-07-02 03:30:00",
        "P-54": "2024-07-02 03:30:00",
        "P-55": "2024-07-02 03:30:00",
        "P-56": "2024-07-02 03:30:00.250",
        "P-57": "2024-07-02 04:00:00",
        "P-58": "2024-03-10 05:00:00",
        "P-59": "2024-07-02 09:30:00",
    },
    ("events", "event_id", "occurred_at"): {
        "E-22": "2024-03-10 07:30:00",
        "E-23": "2024-11-03 06:30:00",
        "E-24": "2024-07-02 03:30:00",
        "E-25": "2024-07-02 03:30:00",
    },
    ("subscriptions", "subscription_id", "started_at"): {
        "T-1": "2024-03-10 07:30:00",
        "T-2": "2024-11-03 06:30:00",
        "T-3": "2024-11-03 05:30:00",
    },
    ("tickets", "ticket_id", "opened_at"): {
        "U-3": "2024-03-10 07:30:00",
        "U-4": "2024-07-02 03:30:00",
    },
    ("touches", "touch_id", "sent_at"): {
        "N-6": "2024-11-03 06:30:00",
        "N-7": "2024-07-02 03:30:00",
    },
    ("customers", "customer_id", "signed_up_at"): {
        "D-1": "2024-03-10 07:30:00",
        "D-2": "2024-06-01 10:00:00",
        "D-5": "2024-06-01 04:00:00",
    },
}


@pytest.mark.parametrize("columns", INSTANTS, ids=lambda columns: columns[0])
def test_times_are_in_utc_also_where_summer_time_begins_and_ends(columns, dirty):
    entity, key, time = columns
    found = dict(
        dirty.rows(
            f"select {key}, {time} from input.input_{entity} "
            f"where {key} in (select unnest(?))",
            list(INSTANTS[columns]),
        )
    )
    assert found == {
        name: datetime.datetime.fromisoformat(text)
        for name, text in INSTANTS[columns].items()
    }


def test_days_are_cut_in_the_business_zone(dirty):
    """Half past eleven in New York is the next day in UTC, and still today there."""
    assert dirty.rows(
        "select order_id, known_date from input.input_orders "
        "where order_id in ('P-53', 'P-54', 'P-55', 'P-57') order by all"
    ) == [
        ("P-53", datetime.date(2024, 7, 1)),
        ("P-54", datetime.date(2024, 7, 1)),
        ("P-55", datetime.date(2024, 7, 1)),
        ("P-57", datetime.date(2024, 7, 2)),
    ]


def test_a_refund_takes_away_whatever_its_sign(dirty):
    amounts = dict(
        dirty.rows(
            "select order_id, cast(amount as varchar) from input.input_orders "
            "where order_id in ('P-37', 'P-39', 'P-40', 'P-41')"
        )
    )
    assert amounts == {
        "P-37": "0.00",
        "P-39": "-10.00",
        "P-40": "-10.00",
        "P-41": "10.00",
    }


def test_ids_come_through_to_the_letter(dirty):
    wanted = {
        "007",
        "O,22",
        "O\n23",
        "O|24",
        "x'; drop table--",
        "=cmd()|'a'",
        "O-\U0001f600",
    }
    found = dirty.rows(
        "select order_id from input.input_orders where order_id in (select unnest(?))",
        list(wanted),
    )
    assert {name for (name,) in found} == wanted
    assert ("007",) in dirty.rows("select customer_id from input.input_orders")
    assert {("7",), ("007",)} <= set(
        dirty.rows("select ticket_id from input.input_tickets")
    )


def test_quoted_text_comes_through_to_the_letter(dirty):
    assert dict(
        dirty.rows(
            "select order_id, category from input.input_orders "
            "where order_id in ('O-6', 'O-10', 'O-11', 'Q-4', 'Q-5')"
        )
    ) == {
        "O-6": "books, used",
        "O-10": 'the "good" one',
        "O-11": "two\nlines",
        "Q-4": 'the "good" one',
        "Q-5": None,
    }


def test_whom_no_list_of_customers_holds_is_a_customer_with_a_flag(dirty):
    found = dict(
        dirty.rows(
            "select customer_id, is_orphan from input.input_customers "
            "where customer_id in ('C-6', 'C-404', 'C-1')"
        )
    )
    # C-1 is contested by two files, and known from orders alone
    assert found == {"C-6": False, "C-404": True, "C-1": True}


def test_a_later_version_supersedes_the_one_before(dirty):
    assert dirty.rows(
        "select cast(amount as varchar), known_date, superseded_date "
        "from input.input_orders where order_id = 'P-60' order by loaded_at"
    ) == [
        ("1.00", datetime.date(2024, 1, 7), datetime.date(2024, 1, 8)),
        ("2.00", datetime.date(2024, 1, 8), None),
    ]


def test_new_columns_are_recorded(dirty):
    found = dirty.rows(
        "select source_table, column_name from reading.schema_changes "
        "where column_name in ('coupon', 'vip', 'seats', 'browser', 'priority', "
        "'template') order by all"
    )
    assert found == [
        ("shop.customers", "vip"),
        ("shop.events", "browser"),
        ("shop.orders", "coupon"),
        ("shop.subscriptions", "seats"),
        ("shop.tickets", "priority"),
        ("shop.touches", "template"),
    ]
