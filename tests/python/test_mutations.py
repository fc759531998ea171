"""Random harm to good files: no line is lost, none is invented, and nothing crashes.

1,000 mutations of each file where the marker is named (`pytest -m loader`), else 100.
"""

import json
import re
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reading_sql import Declared, Macros, read_records

from perennial.faults import FileFault
from perennial.reading import MOST_LINES_OF_A_RECORD

pytestmark = pytest.mark.loader

COLUMNS = {
    "order_id": "varchar",
    "customer_id": "varchar",
    "ordered_at": "timestamp",
    "amount": "decimal(18, 2)",
    "category": "varchar?",
}

LINES_COUNT = 150


def good_csv(end: bytes) -> bytes:
    """Every seventh line has quotes; the engine could read the whole file by itself."""
    lines = [b"order_id,customer_id,ordered_at,amount,category"]
    for i in range(LINES_COUNT):
        category = b'"books, ""old"" ones"' if i % 7 == 0 else b"books"
        lines.append(
            b"O-%d,C-%d,2024-01-05 10:00:00,%d.50,%b" % (i, i % 9, i, category)
        )
    return end.join([*lines, b""])


def good_json_lines() -> bytes:
    records = [
        {
            "order_id": f"O-{i}",
            "customer_id": f"C-{i % 9}",
            "ordered_at": "2024-01-05 10:00:00",
            "amount": i + 0.5,
            "category": 'books, "old" ones' if i % 7 == 0 else None,
        }
        for i in range(LINES_COUNT)
    ]
    return "".join(f"{json.dumps(record)}\n" for record in records).encode()


PIECES = [
    b'"',
    b'""',
    b",",
    b"\n",
    b"\r",
    b"\r\n",
    b"\n\n",
    b"\x00",
    b"\x1f",
    b"\x1b",
    b"\xff",
    b"\xc3",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\\",
    b"\\u0000",
    b"{",
    b"}",
    b"'",
    b";",
    b"NaN",
    b"1e400",
    b"\xf0\x9f\x98\x80",
    b'"\n"',
    b',"',
    b'",',
    b"x" * 2000,
]

#: What is done, where (a share of the file), and with what.
HARM = st.lists(
    st.tuples(
        st.sampled_from(["insert", "replace", "flip", "cut", "double", "drop", "swap"]),
        st.floats(0, 1, exclude_max=True),
        st.sampled_from(PIECES),
        st.integers(0, 255),
    ),
    min_size=1,
    max_size=5,
)


def harmed(content: bytes, harm: list[tuple]) -> bytes:
    for kind, share, piece, number in harm:
        place = int(share * len(content))
        if kind == "insert":
            content = content[:place] + piece + content[place:]
        elif kind == "replace":
            content = content[:place] + piece + content[place + len(piece) :]
        elif kind == "flip":
            content = content[:place] + bytes([number]) + content[place + 1 :]
        elif kind == "drop":
            content = content[:place] + content[place + 1 + number :]
        else:
            lines = content.splitlines(keepends=True)
            row = int(share * len(lines))
            if kind == "cut" and row < len(lines):
                lines[row] = lines[row][: number % (len(lines[row]) + 1)]
            elif kind == "double":
                lines[row : row + 1] = lines[row : row + 1] * 2
            elif kind == "swap":
                lines[row : row + 2] = lines[row : row + 2][::-1]
            content = b"".join(lines)
    return content


def physical_lines(content: bytes) -> list[bytes]:
    """Lines as a person counts them, cut by hand and not by what is tested."""
    lines = content.split(b"\n")
    return lines[:-1] if lines[-1] == b"" else lines


def cells_of(text: str) -> list[str]:
    """Cells of a CSV record, character by character."""
    cells, cell, is_quoted, i = [], "", False, 0
    while i < len(text):
        if is_quoted:
            if text[i : i + 2] == '""':
                cell, i = cell + '"', i + 1
            elif text[i] == '"':
                is_quoted = False
                assert i + 1 == len(text) or text[i + 1] == ",", text
            else:
                cell += text[i]
        elif text[i] == '"':
            assert cell == "" and (i == 0 or text[i - 1] == ","), text
            is_quoted = True
        elif text[i] == ",":
            cells.append(cell)
            cell = ""
        else:
            cell += text[i]
        i += 1
    assert not is_quoted, text
    return [*cells, cell]


def check_conservation(records: list[dict], lines: list[bytes], first: int) -> None:
    """Records cover the lines one after the other, and say what stands there."""
    number = first
    for record in records:
        assert record["source_line"] == number
        count = record["source_lines_count"]
        delivered = [
            line.removesuffix(b"\r").decode("utf-8", "backslashreplace")
            for line in lines[number - 1 : number - 1 + count]
        ]
        if number == 1:
            delivered[0] = delivered[0].removeprefix("\ufeff")
        assert record["source_text"] == "\n".join(delivered)
        number += count
    assert number == len(lines) + 1


def check_types(record: dict, delivered: dict) -> None:
    """What an accepted record says is what its text says."""
    for name, kind in COLUMNS.items():
        text = delivered[name]
        text = None if text in (None, "") else str(text)
        value = record[name]
        if text is None:
            assert value is None
        elif kind.startswith("varchar"):
            assert value == text
        elif kind.startswith("decimal"):
            assert value == Decimal(text)
        else:
            assert value is not None
            assert re.fullmatch(r"[0-9]{4}-.*", text)


def check_untouched(
    records: list[dict], before: list[bytes], after: list[bytes], has_quotes: bool
) -> None:
    """Lines that no harm came to stay accepted, but for what an open quote may take."""
    same_head = 0
    for old, new in zip(before, after, strict=False):
        if old != new:
            break
        same_head += 1
    same_tail = 0
    while (
        same_tail < min(len(before), len(after)) - same_head
        and before[-1 - same_tail] == after[-1 - same_tail]
    ):
        same_tail += 1
    tail_start = len(after) - same_tail + 1
    if has_quotes and any(b'"' in line for line in after[same_head : tail_start - 1]):
        tail_start += MOST_LINES_OF_A_RECORD
    fault_of = {r["source_line"]: r["row_fault"] for r in records}
    spoiled = [
        (number, fault_of.get(number, "swallowed"))
        for number in range(2, len(after) + 1)
        if (number <= same_head or number >= tail_start)
        and fault_of.get(number, "swallowed") is not None
    ]
    assert spoiled == []


@pytest.fixture(scope="module")
def macros() -> Macros:
    return Macros()


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("mutations")


WITHOUT_CHECKS = settings(suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("end", [b"\n", b"\r\n"], ids=["lf", "crlf"])
@given(harm=HARM)
@WITHOUT_CHECKS
def test_no_line_of_a_harmed_csv_file_is_lost(end, harm, macros, folder):
    before = good_csv(end)
    after = harmed(before, harm)
    file = folder / "orders.csv"
    file.write_bytes(after)
    try:
        records = read_records(file, Declared(COLUMNS), macros)
    except FileFault as fault:
        assert str(fault).isprintable()
        # only the first line, or a file of another encoding, is a reason to stop
        assert physical_lines(before)[:1] != physical_lines(after)[
            :1
        ] or "UTF-16" in str(fault)
        return
    lines = physical_lines(after)
    check_conservation(records, lines, first=2)
    header = cells_of(lines[0].removesuffix(b"\r").decode().removeprefix("\ufeff"))
    for record in records:
        if record["row_fault"] is None:
            cells = cells_of(record["source_text"])
            assert len(cells) == len(header)
            delivered = dict.fromkeys(COLUMNS) | dict(zip(header, cells, strict=True))
            check_types(record, delivered)
    if header == list(COLUMNS):
        check_untouched(records, physical_lines(before), lines, has_quotes=True)


@given(harm=HARM)
@WITHOUT_CHECKS
def test_no_line_of_a_harmed_json_file_is_lost(harm, macros, folder):
    before = good_json_lines()
    after = harmed(before, harm)
    file = folder / "orders.json_lines"
    file.write_bytes(after)
    try:
        records = read_records(file, Declared(COLUMNS, "json_lines"), macros)
    except FileFault as fault:
        assert "UTF-16" in str(fault) or "zero bytes" in str(fault)
        return
    lines = physical_lines(after)
    check_conservation(records, lines, first=1)
    for record in records:
        if record["row_fault"] is None:
            pairs = json.loads(
                record["source_text"], parse_float=str, object_pairs_hook=list
            )
            delivered = dict.fromkeys(COLUMNS) | dict(reversed(pairs))
            check_types(record, delivered)
    check_untouched(records, physical_lines(before), lines, has_quotes=False)
