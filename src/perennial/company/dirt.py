"""Dirt in measured amounts: lines that were planted on top of the true ones.

Nothing true is changed or lost by it, so what a reader accepts equals what happened,
apart from the few rows of customers that nobody knows.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np

from perennial.company.records import Company

#: Of the lines of a file: refused ones stay under the default threshold of 5 in 1,000.
REFUSED_SHARE = 0.003
COPIES_SHARE = 0.002
ORPHANS_SHARE = 0.001

#: One unknown customer for so many known ones.
CUSTOMERS_PER_ORPHAN = 1_000

#: A time that has not come.
FUTURE = "2099-01-01 00:00:00"


@dataclass(frozen=True)
class Planted:
    """What was planted in one file.

    Attributes
    ----------
    domain, file : str
    kind : str
        What was done.
    lines_count : int
    verdict : str
        ``refused``, ``excluded``, ``orphan`` (accepted, of an unknown customer), or
        ``read_right`` (a form of file that a reader has to cope with).
    reason : str or None
        The reject_reason or exclude_reason that is due.
    """

    domain: str
    file: str
    kind: str
    lines_count: int
    verdict: str
    reason: str | None


_Row = dict[str, str | int | float | bool | None]


def _changed(**cells) -> Callable[[_Row], list[_Row]]:
    return lambda row: [row | cells]


def _conflict(column: str, *values) -> Callable[[_Row], list[_Row]]:
    return lambda row: [row | {column: value} for value in values]


#: By domain: kinds of refused lines, with the cells that make them so. What a kind is
#: called is the reason with which it is refused.
FAULTS: dict[str, dict[str, Callable[[_Row], list[_Row]]]] = {
    "customers": {
        "unreadable_signed_up_at": _changed(signed_up_at="31/02/2024"),
        "missing_customer_id": _changed(customer_id=""),
        "unreadable_birth_year": _changed(birth_year="19x5"),
        "short_line": _changed(),
        "future_time": _changed(signed_up_at=FUTURE),
    },
    "orders": {
        "unreadable_amount": _changed(amount="n/a"),
        "conflicting_duplicate": _conflict("amount", "10.00", "11.00"),
        "unreadable_ordered_at": _changed(ordered_at="2024-02-30 10:00:00"),
        "short_line": _changed(),
        "missing_customer_id": _changed(customer_id=""),
        "unknown_kind": _changed(type="gift"),
        "future_time": _changed(ordered_at=FUTURE, recorded_at=""),
        "long_line": _changed(),
        "unreadable_character": _changed(),
    },
    "subscriptions": {
        "unreadable_line": _changed(),
        "unreadable_monthly_price": _changed(monthly_price="free"),
        "ended_before_start": _changed(ended_at="2001-01-01 00:00:00"),
        "missing_customer_id": _changed(customer_id=None),
    },
    "tickets": {
        "unreadable_line": _changed(),
        "unreadable_csat": _changed(csat="good"),
        "missing_customer_id": _changed(customer_id=None),
        "resolved_before_opened": _changed(resolved_at="2001-01-01 00:00:00"),
    },
    "touches": {
        "response_before_sending": _changed(opened_at="2001-01-01 00:00:00"),
        "unreadable_is_control": _changed(is_control="maybe"),
        "unreadable_sent_at": _changed(sent_at="tomorrow"),
        "short_line": _changed(),
        "missing_customer_id": _changed(customer_id=""),
    },
}

#: The first column of a file is its key.
_EVENT_FAULTS = {
    "missing_customer_id": "customer_id = null",
    "future_time": f"occurred_at = timestamp '{FUTURE}', synced_at = null",
    "negative_duration": "duration_seconds = -duration_seconds",
}


def plant_in_text(
    company: Company, domain: str, month: int, path: Path
) -> list[Planted]:
    """Plant dirt among the lines of a CSV or JSON lines file.

    Parameters
    ----------
    company : Company
    domain : str
    month : int
    path : Path
        The clean file, which is written anew.
    """
    random = company.random(f"dirt {domain}", month)
    header, lines, is_csv = _read(path)
    count = len(lines)
    planted: list[Planted] = []
    added: list[bytes] = []

    def note(kind: str, lines_count: int, verdict: str, reason: str | None) -> None:
        planted.append(Planted(domain, path.name, kind, lines_count, verdict, reason))

    def pick() -> _Row:
        return _cells(lines[random.integers(count)], header, is_csv)

    room = int(count * REFUSED_SHARE)
    kinds = list(FAULTS[domain])
    place = int(random.integers(len(kinds))) if room else 0
    counts: dict[str, int] = {}
    number = 0
    while room > 0:
        kind = kinds[place % len(kinds)]
        place += 1
        if kind == "conflicting_duplicate" and room < 2:
            continue
        number += 1
        key = next(iter(pick()))
        row = pick() | {key: f"dirt-{company.calendar.names[month]}-{number}"}
        lines_of_it = [
            _line(cells, kind, is_csv) for cells in FAULTS[domain][kind](row)
        ]
        added += lines_of_it
        room -= len(lines_of_it)
        counts[kind] = counts.get(kind, 0) + len(lines_of_it)
    for kind, lines_count in sorted(counts.items()):
        note(kind, lines_count, "refused", kind)

    copies = int(count * COPIES_SHARE)
    if copies:
        chosen = random.choice(count, copies, replace=False)
        added += [lines[place] for place in chosen]
        note("exact_copy", copies, "excluded", "exact_duplicate")

    orphans = int(count * ORPHANS_SHARE) if domain == "orders" else 0
    unknown = max(1, len(company.people) // CUSTOMERS_PER_ORPHAN)
    for number in range(orphans):
        row = pick() | {
            "order_number": f"x{company.calendar.names[month]}-{number + 1}",
            "customer_id": f"x{random.integers(unknown) + 1:05}",
            "type": "purchase",
            "amount": "5.00",
        }
        added.append(_line(row, "", is_csv))
    if orphans:
        note("unknown_customer", orphans, "orphan", None)

    places = random.integers(0, count + 1, len(added)) if added else []
    for place, line in sorted(zip(places, added, strict=True), reverse=True):
        lines.insert(place, line)
    _write(path, header, lines, domain, month, note)
    return planted


def plant_in_events(
    company: Company, month: int, file: str, connection: duckdb.DuckDBPyConnection
) -> list[Planted]:
    """Plant dirt among the rows of the table ``delivered``.

    Parameters
    ----------
    company : Company
    month : int
    file : str
        Name of the file that the table becomes.
    connection : duckdb.DuckDBPyConnection
    """
    random = company.random("dirt events", month)
    (count,) = connection.execute("select count(*) from delivered").fetchone()
    planted = []

    def add(kind: str, number: int, change: str, new_key: bool) -> None:
        places = np.sort(random.choice(count, number, replace=False))
        connection.execute(
            "create or replace table added as from delivered "
            "where rowid in (select unnest(?)) order by event_id",
            [places.tolist()],
        )
        if new_key:
            connection.execute(
                f"update added set event_id = 'dirt-{kind}-' || event_id"
            )
        if change:
            connection.execute(f"update added set {change}")
        connection.execute("insert into delivered from added order by event_id")

    room = int(count * REFUSED_SHARE)
    each = room // 5
    if each:
        for kind, change in _EVENT_FAULTS.items():
            add(kind, each, change, new_key=True)
            planted.append(Planted("events", file, kind, each, "refused", kind))
        add("conflicting_duplicate", each, "", new_key=True)
        connection.execute(
            "insert into delivered select * replace (duration_seconds + 1 as "
            "duration_seconds) from added order by event_id"
        )
        kind = "conflicting_duplicate"
        planted.append(Planted("events", file, kind, 2 * each, "refused", kind))
    copies = int(count * COPIES_SHARE)
    if copies:
        add("exact_copy", copies, "", new_key=False)
        planted.append(
            Planted("events", file, "exact_copy", copies, "excluded", "exact_duplicate")
        )
    return planted


def _read(path: Path) -> tuple[list[str], list[bytes], bool]:
    lines = path.read_bytes().splitlines()
    if path.suffix == ".csv":
        return lines[0].decode().split(","), lines[1:], True
    return [], lines, False


def _cells(line: bytes, header: list[str], is_csv: bool) -> _Row:
    """Cells of a line; no cell of the company holds a comma or a quote."""
    if is_csv:
        return dict(zip(header, line.decode().split(","), strict=True))
    return json.loads(line)


def _line(row: _Row, kind: str, is_csv: bool) -> bytes:
    if not is_csv:
        text = json.dumps(row, separators=(",", ":"))
        return (text[: len(text) // 2] if kind == "unreadable_line" else text).encode()
    cells = list(row.values())
    if kind == "short_line":
        cells = cells[:-2]
    if kind == "long_line":
        cells = [*cells, "and more"]
    line = ",".join(cells).encode()
    return line + b"\xff" if kind == "unreadable_character" else line


def _write(
    path: Path,
    header: list[str],
    lines: list[bytes],
    domain: str,
    month: int,
    note: Callable[[str, int, str, str | None], None],
) -> None:
    """Write the lines, some files in a form that is unusual and right."""
    start, end = b"", b"\n"
    if domain == "customers" and month == 2:
        start = b"\xef\xbb\xbf"
        note("byte_order_mark", len(lines), "read_right", None)
    if domain == "orders" and month == 4:
        end = b"\r\n"
        note("carriage_returns", len(lines), "read_right", None)
    if domain == "touches" and month == 7:
        lines = [
            b",".join([*line.split(b",")[1:], line.split(b",")[0]]) for line in lines
        ]
        header = [*header[1:], header[0]]
        note("other_column_order", len(lines), "read_right", None)
    first = [",".join(header).encode()] if header else []
    path.write_bytes(start + b"".join(line + end for line in [*first, *lines]))
