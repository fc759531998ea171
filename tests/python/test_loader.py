"""The front door: what is wrong with a file, a line or a cell, and what becomes of it.

Every line of a file is accepted, excluded or refused, and what is refused is kept.
"""

import csv
import datetime
import io
import re
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
from reading_sql import Declared, Macros, read_records
from shop import (
    DIRTY_FILES,
    ENTITIES,
    Shop,
    ShopBuild,
)

from perennial.faults import FileFault

pytestmark = pytest.mark.loader


NEW_YORK = {
    "source_time_zone": "America/New_York",
    "business_time_zone": "America/New_York",
}


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


def accepted_places(entity: str, dirty: ShopBuild) -> set[tuple]:
    """Of an accepted event the file and the id are known, and by them its line."""
    if entity != "events":
        query = f"select source_file, source_line from input.input_{entity}"
        places = dirty.rows(f"{query} where source_file is not null")
        return {(*place, "accepted") for place in places}
    line_of = {}
    for row in expected(entity):
        if row.verdict == "accepted":
            header = lines_of(DIRTY_FILES / entity / row.file)[0].split(",")
            cells = next(csv.reader(io.StringIO(row.text, newline="")))
            line_of[row.file, cells[header.index("event_id")]] = row.line
    places = dirty.rows("select source_file, event_id from input.input_events")
    assert len(places) == len(line_of)
    return {(place[0], line_of.get(place), "accepted") for place in places}


@pytest.mark.parametrize("entity", ENTITIES)
def test_each_dirty_line_is_accepted_excluded_or_refused_as_its_readme_says(
    entity, dirty
):
    accepted = accepted_places(entity, dirty)
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
        "P-64": "2024-07-02 03:30:00",
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
        "where change = 'new_column' and column_name in ('coupon', 'vip', 'seats', "
        "'browser', 'priority', 'template') order by all"
    )
    assert found == [
        ("shop.customers", "vip"),
        ("shop.events", "browser"),
        ("shop.orders", "coupon"),
        ("shop.subscriptions", "seats"),
        ("shop.tickets", "priority"),
        ("shop.touches", "template"),
    ]


# One file at a time: faults of the file stop, faults of a line do not ----------------

COLUMNS = {
    "order_id": "varchar",
    "ordered_at": "timestamp",
    "amount": "decimal(18, 2)",
    "note": "varchar?",
}
HEADER = "order_id,ordered_at,amount,note"
GOOD = "1,2024-01-05 10:00:00,2.50,"


@pytest.fixture(scope="module")
def macros() -> Macros:
    return Macros()


@pytest.fixture
def read(tmp_path, macros):
    """Read text or bytes as a file of orders."""

    def read_file(content: str | bytes, **declared) -> list[dict]:
        file = tmp_path / "orders.csv"
        content = content.encode() if isinstance(content, str) else content
        file.write_bytes(content)
        return read_records(file, Declared(COLUMNS, **declared), macros)

    return read_file


def verdicts(records: list[dict]) -> list[tuple]:
    return [
        (r["source_line"], r["source_lines_count"], r["row_fault"]) for r in records
    ]


#: Contents that cannot be used at all, and what the one line must say.
STOPS = {
    "zero_bytes": (b"", "line 1: the file is empty (zero bytes)"),
    "utf_16": (f"{HEADER}\n{GOOD}\n".encode("utf-16"), "the encoding is UTF-16"),
    "utf_16_without_a_mark": (
        f"{HEADER}\n{GOOD}\n".encode("utf-16-le"),
        "the encoding is UTF-16",
    ),
    "utf_16_big_end_first": (
        b"\xfe\xff" + f"{HEADER}\n{GOOD}\n".encode("utf-16-be"),
        "the encoding is UTF-16",
    ),
    "latin_1_header": (
        f"{HEADER},gr\u00f6\u00dfe\n{GOOD},\n".encode("latin-1"),
        "line 1: the encoding is not UTF-8",
    ),
    "no_header": (f"{GOOD}\n{GOOD}\n", "line 1: there is no column order_id"),
    "wrong_name": (
        f"{HEADER.replace('amount', 'euros')}\n{GOOD}\n",
        "there is no column amount; found order_id, ordered_at, euros, note",
    ),
    "other_letters": (
        f"{HEADER.replace('amount', 'Amount')}\n{GOOD}\n",
        "there is no column amount",
    ),
    "missing_name": ("order_id,ordered_at\n1,2024-01-05\n", "no column amount"),
    "name_twice": (f"{HEADER},amount\n{GOOD},3\n", "the header names amount twice"),
    "undeclared_name_twice": (f"{HEADER},x,x\n{GOOD},3,4\n", "names x twice"),
    "semicolons": (
        f"{HEADER}\n{GOOD}\n".replace(",", ";"),
        "the cells are delimited by ';', and the source shop.orders declares ','",
    ),
    "tabs": (f"{HEADER}\n{GOOD}\n".replace(",", "\t"), "the cells are delimited by"),
    "pipes": (f"{HEADER}\n{GOOD}\n".replace(",", "|"), "the cells are delimited by"),
    "only_carriage_returns": (
        f"{HEADER}\n{GOOD}\n{GOOD}\n".replace("\n", "\r"),
        "line 1: ",
    ),
    "only_a_mark": (b"\xef\xbb\xbf", "line 1: "),
    "only_line_ends": (b"\n\n\n", "line 1: there is no column order_id"),
    "a_page": (b"<!doctype html>\n<html></html>\n", "there is no column order_id"),
}


@pytest.mark.parametrize("name", STOPS)
def test_a_file_that_cannot_be_used_is_told_in_one_line(name, read, tmp_path):
    content, told = STOPS[name]
    with pytest.raises(FileFault) as caught:
        read(content)
    message = str(caught.value)
    assert message.startswith(f"raw file {tmp_path / 'orders.csv'}")
    assert told in message
    assert message.isprintable()
    assert len(message) < 500


@pytest.mark.parametrize("content", [b"", b"PAR1", b"not parquet at all", b"\x00" * 99])
def test_what_is_no_parquet_file_is_told_in_one_line(content, read, tmp_path):
    with pytest.raises(FileFault) as caught:
        read(content, file_format="parquet")
    assert str(caught.value).startswith(f"raw file {tmp_path / 'orders.csv'}")
    assert str(caught.value).isprintable()


def test_json_lines_that_lack_a_required_key_everywhere_stop(read):
    with pytest.raises(FileFault, match="there is no column amount"):
        read(
            '{"order_id": "1", "ordered_at": "2024-01-05"}\n', file_format="json_lines"
        )


def test_a_folder_in_place_of_a_file_is_told_in_one_line(tmp_path, macros):
    (tmp_path / "orders.csv").mkdir()
    with pytest.raises(FileFault, match="it cannot be read"):
        read_records(tmp_path / "orders.csv", Declared(COLUMNS), macros)


#: Files that look odd and are right: each holds the same two orders.
TWO_ORDERS = [("1", "2.50", "a, b"), ("007", "3.00", None)]
RIGHT = {
    "plain": f'{HEADER}\n1,2024-01-05,2.50,"a, b"\n007,2024-01-06,3.00,\n',
    "byte_order_mark": f'\ufeff{HEADER}\n1,2024-01-05,2.50,"a, b"\n'
    "007,2024-01-06,3.00,\n",
    "carriage_returns": f'{HEADER}\r\n1,2024-01-05,2.50,"a, b"\r\n'
    "007,2024-01-06,3.00,\r\n",
    "mixed_line_ends": f'{HEADER}\n1,2024-01-05,2.50,"a, b"\r\n007,2024-01-06,3.00,\n',
    "mixed_the_other_way": f'{HEADER}\r\n1,2024-01-05,2.50,"a, b"\n'
    "007,2024-01-06,3.00,\r\n",
    "no_last_line_end": f'{HEADER}\n1,2024-01-05,2.50,"a, b"\n007,2024-01-06,3.00,',
    "another_order": "note,amount,order_id,ordered_at\n"
    '"a, b",2.50,1,2024-01-05\n,3.00,007,2024-01-06\n',
    "a_new_column": f'{HEADER},new\n1,2024-01-05,2.50,"a, b",x\n'
    "007,2024-01-06,3.00,,\n",
    "a_new_column_in_front": f'new,{HEADER}\nx,1,2024-01-05,2.50,"a, b"\n'
    ",007,2024-01-06,3.00,\n",
    "all_quoted": '"order_id","ordered_at","amount","note"\n'
    '"1","2024-01-05","2.50","a, b"\n"007","2024-01-06","3.00",""\n',
    "mark_before_a_quote": '\ufeff"order_id",ordered_at,amount,note\n'
    '1,2024-01-05,2.50,"a, b"\n007,2024-01-06,3.00,\n',
}


@pytest.mark.parametrize("name", RIGHT)
def test_a_file_that_looks_odd_is_read_right(name, read):
    records = read(RIGHT[name])
    assert verdicts(records) == [(2, 1, None), (3, 1, None)]
    assert [(r["order_id"], str(r["amount"]), r["note"]) for r in records] == TWO_ORDERS


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", "^", "."])
def test_the_declared_delimiter_counts(delimiter, read):
    cells = [["order_id", "ordered_at", "amount", "note"]]
    cells += [["1", "2024-01-05", "2", '"a, b"'], ["007", "2024-01-06", "3", ""]]
    content = "".join(delimiter.join(line) + "\n" for line in cells)
    records = read(content, delimiter=delimiter)
    assert verdicts(records) == [(2, 1, None), (3, 1, None)]
    assert [r["note"] for r in records] == ["a, b", None]


def test_an_optional_column_may_be_absent(read):
    (record,) = read("amount,order_id,ordered_at\n2.50,1,2024-01-05\n")
    assert (record["row_fault"], record["note"]) == (None, None)


def test_a_header_without_lines_is_a_file_of_no_rows(read):
    for content in (HEADER, f"{HEADER}\n", f"\ufeff{HEADER}\r\n"):
        assert read(content) == []


def test_a_day_of_another_form_is_read_where_it_is_declared(tmp_path, macros):
    file = tmp_path / "orders.csv"
    file.write_text(f"{HEADER}\n1,03/04/2024,2.50,\n2,2024-04-03,2.50,\n")
    declared = Declared(COLUMNS, time_formats={"ordered_at": "%d/%m/%Y"})
    first, second = read_records(file, declared, macros)
    assert first["ordered_at"] == datetime.datetime(2024, 4, 3)
    # only the declared form counts
    assert second["row_fault"] == "unreadable_ordered_at"


#: A line among good ones, and the reason it must get. What stands around it is read.
BAD_LINES = {
    "short": (b"2,2024-01-05", "short_line"),
    "long": (b"2,2024-01-05,2.50,,", "long_line"),
    "unclosed_quote": (b'2,2024-01-05,2.50,"a', "unclosed_quote"),
    "unclosed_first_cell": (b'"2,2024-01-05,2.50,a', "unclosed_quote"),
    "misplaced_quotes": (b'2,2024-01-05,2.50,a"b"c', "misplaced_quote"),
    "misplaced_quote": (b'2,2024-01-05,2.50,a"b', "misplaced_quote"),
    "text_behind_a_quote": (b'2,2024-01-05,2.50,"a"b', "misplaced_quote"),
    "blank_before_a_quote": (b'2,2024-01-05,2.50, "a"', "misplaced_quote"),
    "latin_1": (b"2,2024-01-05,2.50,caf\xe9", "unreadable_character"),
    "half_a_character": (b"2,2024-01-05,2.50,\xf0\x9f\x98", "unreadable_character"),
    "overlong_character": (b"2,2024-01-05,2.50,\xc0\x80", "unreadable_character"),
    "surrogate": (b"2,2024-01-05,2.50,\xed\xa0\x80", "unreadable_character"),
    "nul": (b"2\x00,2024-01-05,2.50,", "control_character"),
    "escape": (b"2,2024-01-05,2.50,\x1b[2J", "control_character"),
    "delete": (b"2,2024-01-05,2.50,\x7f", "control_character"),
    "unit_separator": (b"2,2024-01-05,2.50,a\x1fb", "control_character"),
    "longest_line": (b"2,2024-01-05,2.50," + b"x" * 2**20, "too_long"),
    "empty": (b"", "empty_line"),
    "blank": (b"   ", "empty_line"),
    "nan": (b"2,2024-01-05,NaN,", "unreadable_amount"),
    "infinity": (b"2,2024-01-05,inf,", "unreadable_amount"),
    "too_large": (b"2,2024-01-05,1e400,", "unreadable_amount"),
    "thousands": (b'2,2024-01-05,"1,234.50",', "unreadable_amount"),
    "decimal_comma": (b'2,2024-01-05,"12,50",', "unreadable_amount"),
    "word": (b"2,2024-01-05,abc,", "unreadable_amount"),
    "fraction_of_a_cent": (b"2,2024-01-05,1.005,", "unreadable_amount"),
    "no_such_day": (b"2,2024-02-30,2.50,", "unreadable_ordered_at"),
    "ambiguous_day": (b"2,03/04/2024,2.50,", "unreadable_ordered_at"),
    "blank_hour": (b"2,2024-01-05  9:00:00,2.50,", "unreadable_ordered_at"),
    "blank_after_day": (b"2,2024-01-5  10:00:00,2.50,", "unreadable_ordered_at"),
    "point_of_no_fraction": (b"2,2024-01-05 10:00:5.,2.50,", "unreadable_ordered_at"),
    "second_and_zone": (b"2,2024-01-05 10:00:5Z,2.50,", "unreadable_ordered_at"),
    "other_digits": ("2,2024-01-05,\u0663.50,".encode(), "unreadable_amount"),
    "minus_sign": ("2,2024-01-05,\u22122.50,".encode(), "unreadable_amount"),
    "no_break_space": ("2,2024-01-05,\u00a02.50,".encode(), "unreadable_amount"),
}


@pytest.mark.parametrize("end", [b"\n", b"\r\n"], ids=["lf", "crlf"])
@pytest.mark.parametrize("name", BAD_LINES)
def test_a_bad_line_is_refused_and_the_rest_is_read(name, end, read):
    line, reason = BAD_LINES[name]
    good = [b"1,2024-01-05,2.50,", b"3,2024-01-05,2.50,", b'4,2024-01-05,2.50,"a, b"']
    records = read(end.join([HEADER.encode(), good[0], line, *good[1:], b""]))
    assert verdicts(records) == [
        (2, 1, None),
        (3, 1, reason),
        (4, 1, None),
        (5, 1, None),
    ]
    assert [r["order_id"] for r in records if r["row_fault"] is None] == ["1", "3", "4"]
    assert records[1]["source_text"] == line.decode("utf-8", "backslashreplace")


@pytest.mark.parametrize("name", BAD_LINES)
def test_a_bad_last_line_is_refused_also_without_its_line_end(name, read):
    line, reason = BAD_LINES[name]
    records = read(b"\n".join([HEADER.encode(), GOOD.encode(), line]))
    wanted = [(2, 1, None)]
    if line:  # else it is the end of the line before
        wanted.append((3, 1, reason))
    assert verdicts(records) == wanted


def test_a_cell_that_cannot_be_read_leaves_the_others(read):
    record = read(f"{HEADER}\n1,2024-01-05,abc,a note\n")[0]
    assert record["row_fault"] == "unreadable_amount"
    assert (record["order_id"], record["amount"], record["note"]) == (
        "1",
        None,
        "a note",
    )


def test_a_quoted_cell_may_cover_lines(read):
    records = read(f'{HEADER}\n1,2024-01-05,2.50,"a\nb\r\n\n,c"\n2,2024-01-05,2.50,\n')
    assert verdicts(records) == [(2, 4, None), (6, 1, None)]
    assert records[0]["note"].replace("\r", "") == "a\nb\n\n,c"
    assert records[0]["source_text"].count("\n") == 3


def test_an_open_quote_costs_its_own_line_alone(read):
    lines = [f"{i},2024-01-05,2.50," for i in range(2, 300)]
    records = read("\n".join([HEADER, '1,2024-01-05,2.50,"', *lines, ""]))
    assert verdicts(records)[0] == (2, 1, "unclosed_quote")
    assert [r["row_fault"] for r in records[1:]] == [None] * 298


def test_two_open_quotes_do_not_swallow_what_stands_between(read):
    """The second one would close the first, and leave half a line behind it."""
    lines = [f"{i},2024-01-05,2.50," for i in range(2, 5)]
    bad = '1,2024-01-05,2.50,"a'
    records = read("\n".join([HEADER, bad, *lines, bad, *lines, ""]))
    assert [r["row_fault"] for r in records] == [
        "unclosed_quote",
        None,
        None,
        None,
        "unclosed_quote",
        None,
        None,
        None,
    ]


def test_a_name_that_is_a_pattern_names_one_file(tmp_path, macros):
    (tmp_path / "orders_1.csv").write_text(f"{HEADER}\n2,2024-01-05,2.50,\n")
    file = tmp_path / "orders_[12].csv"
    file.write_text(f"{HEADER}\n{GOOD}\n")
    (record,) = read_records(file, Declared(COLUMNS), macros)
    assert record["order_id"] == "1"


def test_a_name_that_looks_like_sql_names_one_file(tmp_path, macros):
    file = tmp_path / "x'); drop table a; --.csv"
    file.write_text(f"{HEADER}\n{GOOD}\n")
    (record,) = read_records(file, Declared(COLUMNS), macros)
    assert record["order_id"] == "1"


def test_a_column_that_looks_like_sql_is_a_name(tmp_path, macros):
    file = tmp_path / "orders.csv"
    name = "a\"'; drop table b --"
    file.write_text('order_id,"a""\'; drop table b --"\n1,x\n')
    (record,) = read_records(
        file, Declared({"order_id": "varchar", name: "varchar"}), macros
    )
    assert record[name] == "x"


def test_a_parquet_column_that_became_text_is_read_value_by_value(tmp_path, macros):
    file = tmp_path / "orders.parquet"
    with duckdb.connect() as connection:
        connection.execute(
            "copy (select cast(i as varchar) as order_id, "
            "timestamp '2024-01-05' as ordered_at, "
            "['2.50', '1,234.50', 'NaN', null][i] as amount "
            f"from range(1, 5) as t (i)) to '{file}' (format parquet)"
        )
    records = read_records(file, Declared(COLUMNS, "parquet"), macros)
    assert [r["row_fault"] for r in records] == [
        None,
        "unreadable_amount",
        "unreadable_amount",
        None,
    ]
    assert [str(r["amount"]) for r in records] == ["2.50", "None", "None", "None"]
    assert '"1,234.50"' in records[1]["source_text"]


def test_doubles_of_parquet_are_money_only_where_they_are_whole_cents(tmp_path, macros):
    file = tmp_path / "orders.parquet"
    with duckdb.connect() as connection:
        connection.execute(
            "copy (select cast(i as varchar) as order_id, date '2024-01-05' as "
            "ordered_at, [0.1 + 0.2, 1.005, 'nan', 'inf', 1e300, -2][i]::double "
            f"as amount from range(1, 7) as t (i)) to '{file}' (format parquet)"
        )
    records = read_records(file, Declared(COLUMNS, "parquet"), macros)
    assert [(str(r["amount"]), r["row_fault"]) for r in records] == [
        ("0.30", None),
        ("None", "unreadable_amount"),
        ("None", "unreadable_amount"),
        ("None", "unreadable_amount"),
        ("None", "unreadable_amount"),
        ("-2.00", None),
    ]


def test_texts_of_parquet_keep_their_zeros_and_times_their_zone(tmp_path, macros):
    file = tmp_path / "orders.parquet"
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'Europe/Berlin'")
        connection.execute(
            "copy (select '007' as order_id, "
            "timestamptz '2024-07-02 05:30:00+02' as ordered_at, "
            f"cast(2.5 as decimal(9, 1)) as amount) to '{file}' (format parquet)"
        )
    (record,) = read_records(file, Declared(COLUMNS, "parquet"), macros)
    assert record["order_id"] == "007"
    assert record["ordered_at"] == datetime.datetime(2024, 7, 2, 3, 30)
    assert (str(record["amount"]), record["row_fault"]) == ("2.50", None)
