"""Raw files: found, known again by their hash, checked before a line of them is used.

A file's own faults (no text, another header) stop the build with one line. Faults of a
line or a cell never do: SQL reads every physical line as text, and judges it there.
Only where the engine cannot cut a file into lines, because of bytes that are not UTF-8,
a quoted cell that spans lines, or mixed line ends, this module cuts it instead.
"""

import codecs
import csv
import datetime
import glob
import hashlib
import importlib.util
import itertools
import json
import os
import re
import zoneinfo
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from perennial.faults import FileFault

#: A longer physical line is refused; the engine would stop at it.
LONGEST_LINE_BYTES = 2**20

#: A quoted cell that is not closed within so many lines is not closed at all.
MOST_LINES_OF_A_RECORD = 100

#: How many lines of a JSON-lines file are opened to learn which keys it has.
JSON_SAMPLE_LINES = 1000

#: What stands between a line's number and its text where the engine reads whole lines;
#: a line that holds this character is cut here instead.
LINE_SEPARATOR = b"\x1f"

#: How many records are handed to the engine at a time.
RECORDS_PER_BATCH = 50_000

# both stay in a cache, the chunk while it is hashed, the block while it is looked at
_CHUNK_BYTES = 2 * 2**20
_BLOCK_BYTES = 2**18
_BYTE_ORDER_MARK = codecs.BOM_UTF8
_WIDE_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True)
class RawTable:
    """What a dbt source declares of the files behind one of its tables.

    Attributes
    ----------
    name : str
        Source and table, as in ``shop.orders``.
    files : str
        Where the files lie: a path, or a pattern as ``glob`` has it. A path that begins
        with ``package:NAME/`` lies in an installed Python package.
    file_format : {"csv", "json_lines", "parquet", "lines"}
    delimiter : str
        Between two cells of a CSV file.
    first_line : str or None
        Of ``lines`` alone: the words of the header, one space apart; none if the first
        line is data.
    line_pattern : str or None
        Of ``lines`` alone: what a line of data looks like; the first one must.
    required, optional : tuple of str
        Declared columns.
    is_stored : bool
        Whether the rows are stored once they are read. If not, the files must stay.
    """

    name: str
    files: str
    file_format: str
    delimiter: str = ","
    first_line: str | None = None
    line_pattern: str | None = None
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    is_stored: bool = True

    @classmethod
    def from_json(cls, text: str) -> "RawTable":
        """Read back what the model ``int_declared_files`` wrote."""
        fields = json.loads(text)
        for name in ("required", "optional"):
            fields[name] = tuple(fields[name])
        return cls(**fields)


@dataclass(frozen=True)
class FileFacts:
    """What one reading of a file's bytes tells.

    Attributes
    ----------
    file_sha256 : str
    bytes_count : int
    lines_count : int
        Physical lines after the header, empty ones too; rows of a Parquet file.
    header : tuple of str
        Column names, in the order of the file.
    column_types : tuple of str
        Of a Parquet file: the engine's type of each column, in the same order.
    has_header : bool
    needs_care : bool
        Whether the engine cannot cut it into lines by itself.
    has_quotes, has_control_characters : bool
        Whether there is anything to look for.
    """

    file_sha256: str
    bytes_count: int
    lines_count: int
    header: tuple[str, ...] = ()
    column_types: tuple[str, ...] = ()
    has_header: bool = False
    needs_care: bool = False
    has_quotes: bool = False
    has_control_characters: bool = False


@dataclass(frozen=True)
class Record:
    """A line, or the lines of one record, that the engine did not cut out itself.

    Attributes
    ----------
    source_line : int
        Number of its first physical line; the first line of a file is 1.
    source_lines_count : int
        Physical lines that it covers.
    source_text : str
        As it came, without the last line's end; bytes that are not UTF-8 as escapes.
    line_fault : str or None
        Why it cannot be read, if so.
    """

    source_line: int
    source_lines_count: int
    source_text: str
    line_fault: str | None


def find_files(
    tables: list[RawTable],
    known: pd.DataFrame,
    today: datetime.date,
    *,
    replace_changed: bool = False,
    full_refresh: bool = False,
) -> pd.DataFrame:
    """Look at every declared file, and say of each what there is to do.

    Parameters
    ----------
    tables : list of RawTable
    known : DataFrame
        The ledger as the last run left it: one row per reading.
    today : date
        Day of this reading, in the business zone.
    replace_changed : bool
        Whether a file that changed is read again, in place of being a fault.
    full_refresh : bool
        Whether stored rows will be read anew, so that every file must be there.

    Returns
    -------
    DataFrame
        One row per file, with the ledger's columns, ``file_status`` (``known``,
        ``new``, ``replaced``, ``moved``, ``copy``, ``vanished``, ``withdrawn``,
        ``returned`` or ``refused``) and ``file_fault``: one line that says why the
        build has to stop, or None.
    """
    finder = _Finder(known, today, replace_changed, full_refresh)
    rows = [row for table in tables for row in finder.files_of(table)]
    return pd.DataFrame(rows, columns=[*LEDGER_COLUMNS, "file_status", "file_fault"])


LEDGER_COLUMNS = [
    "reading_id",
    "source_table",
    "source_file",
    "file_path",
    "file_format",
    "file_sha256",
    "bytes_count",
    "modified_at_ns",
    "lines_count",
    "header",
    "column_types",
    "has_header",
    "needs_care",
    "has_quotes",
    "has_control_characters",
    "first_read_date",
]


class _Finder:
    """Compares what lies on disk with the ledger."""

    def __init__(
        self,
        known: pd.DataFrame,
        today: datetime.date,
        replace_changed: bool,
        full_refresh: bool,
    ) -> None:
        self.known = known.sort_values("ledger_number").to_dict("records")
        self.today = today
        self.replace_changed = replace_changed
        self.full_refresh = full_refresh
        self.hashes: dict[str, set[str]] = {}
        readings = [row for row in self.known if row["file_status"] != "copy"]
        self.next_id = max((int(row["reading_id"]) for row in readings), default=0) + 1

    def files_of(self, table: RawTable) -> list[dict[str, Any]]:
        readings = [
            row
            for row in self.known
            if row["source_table"] == table.name and row["file_status"] != "copy"
        ]
        # of a path the last reading counts, and of a reading the last place
        last_place = {row["reading_id"]: row["file_path"] for row in readings}
        known = {
            row["file_path"]: row
            for row in readings
            if row["file_path"] == last_place[row["reading_id"]]
        }
        try:
            paths = table_paths(table)
        except FileFault as fault:
            return [self._row(table, table.files, fault=fault)]
        rows = [self._one(table, path, known, set(paths)) for path in paths]
        moved = {row["reading_id"] for row in rows if row["file_status"] == "moved"}
        rows += [
            self._absent(table, row)
            for path, row in known.items()
            if path not in paths
            and row["reading_id"] not in moved
            and row["file_status"] != "withdrawn"
        ]
        return rows

    def _one(
        self, table: RawTable, path: str, known: dict[str, dict], present: set[str]
    ) -> dict[str, Any]:
        before = known.get(path)
        try:
            stat = os.stat(path)
            if before is not None and _is_untouched(before, stat):
                return self._known(before)
            facts = scan_file(path, table)
        except OSError as error:
            fault = FileFault(f"raw file {path}: it cannot be read ({error.strerror}).")
            return self._row(table, path, fault=fault)
        except FileFault as fault:
            return self._row(table, path, fault=fault)
        row = self._row(table, path) | _as_row(facts)
        row["modified_at_ns"] = stat.st_mtime_ns
        if before is not None:
            if before["file_sha256"] == facts.file_sha256:
                return self._known(before)
            if self.replace_changed:
                return self._new_reading(row, "replaced")
            row["file_fault"] = (
                f"raw file {path}: it changed since it was read on "
                f"{before['first_read_date']:%Y-%m-%d}. Put new lines into a file of "
                "their own, or read it anew with perennial build --replace."
            )
            return row | {"file_status": "refused"}
        alike = [
            other
            for other in known.values()
            if other["file_sha256"] == facts.file_sha256
        ]
        hashes = self.hashes.setdefault(table.name, set())
        if facts.file_sha256 in hashes or any(
            other["file_path"] in present for other in alike
        ):
            return row | {"file_status": "copy"}
        # who copies a folder and declares the copy has moved it, too
        if alike:
            hashes.add(facts.file_sha256)
            return row | {
                "reading_id": alike[0]["reading_id"],
                "first_read_date": alike[0]["first_read_date"],
                "file_status": "moved",
            }
        return self._new_reading(row, "new")

    @staticmethod
    def _known(before: dict[str, Any]) -> dict[str, Any]:
        was_withdrawn = before["file_status"] == "withdrawn"
        status = "returned" if was_withdrawn else "known"
        return before | {"file_status": status, "file_fault": None}

    def _absent(self, table: RawTable, row: dict[str, Any]) -> dict[str, Any]:
        if os.path.exists(row["file_path"]):  # the source declares other files now
            return row | {"file_status": "withdrawn", "file_fault": None}
        fault = None
        if not table.is_stored or self.full_refresh:
            way_out = "" if not table.is_stored else ", or build without --full-refresh"
            fault = (
                f"raw file {row['file_path']}: it was read on "
                f"{row['first_read_date']:%Y-%m-%d} and is not there any more. "
                f"Put it back{way_out}."
            )
        return row | {"file_status": "vanished", "file_fault": fault}

    def _new_reading(self, row: dict[str, Any], status: str) -> dict[str, Any]:
        row |= {
            "reading_id": self.next_id,
            "first_read_date": self.today,
            "file_status": status,
        }
        self.next_id += 1
        self.hashes.setdefault(row["source_table"], set()).add(row["file_sha256"])
        return row

    def _row(
        self, table: RawTable, path: str, fault: FileFault | None = None
    ) -> dict[str, Any]:
        return dict.fromkeys(LEDGER_COLUMNS) | {
            "source_table": table.name,
            "source_file": _short_name(table, path),
            "file_path": path,
            "file_format": table.file_format,
            "file_status": "refused" if fault else None,
            "file_fault": str(fault) if fault else None,
        }


def _is_untouched(before: dict[str, Any], stat: os.stat_result) -> bool:
    return (
        before["bytes_count"] == stat.st_size
        and before["modified_at_ns"] == stat.st_mtime_ns
    )


def table_paths(table: RawTable) -> list[str]:
    """Paths of a raw table's files, sorted.

    Raises
    ------
    FileFault
        If there is none, or the package that should hold them is not installed.
    """
    pattern = _outside_of_packages(table.files)
    paths = sorted(glob.glob(pattern, recursive=True))
    if not paths:
        is_pattern = glob.has_magic(pattern)
        raise FileFault(
            f"raw file {pattern}: "
            + ("no file is there" if is_pattern else "it is missing")
            + f". Put it there, or mend what the source {table.name} declares."
        )
    return paths


def place(files: str) -> str | None:
    """Where a declaration's files lie: the file, or the folder before its pattern.

    Returns
    -------
    str or None
        A folder ends with a slash. None where the package that holds them is not
        installed, or nothing is declared.
    """
    try:
        path = _outside_of_packages(files)
    except FileFault:
        return None
    if not glob.has_magic(path):
        return path or None
    fixed = itertools.takewhile(lambda part: not glob.has_magic(part), Path(path).parts)
    return f"{Path(*fixed)}/".replace("//", "/")


def _outside_of_packages(files: str) -> str:
    found = re.fullmatch(r"package:([A-Za-z0-9_]+)/(.*)", files)
    if not found:
        # a view over files is looked at from other folders too
        return os.path.abspath(Path(files).expanduser()) if files else files
    # found, not imported: a package need not be able to run
    package = importlib.util.find_spec(found.group(1))
    if package is None:
        raise FileFault(
            f"raw file {files}: the Python package {found.group(1)} is not installed."
        )
    return str(Path(package.submodule_search_locations[0]) / found.group(2))


def _short_name(table: RawTable, path: str) -> str:
    """Name a file within its source: the path below the pattern's fixed folders."""
    fixed = []
    for part in Path(_outside_of_packages(table.files)).parts[:-1]:
        if glob.has_magic(part):
            break
        fixed.append(part)
    try:
        return Path(path).relative_to(Path(*fixed)).as_posix() if fixed else path
    except ValueError:
        return path


def _as_row(facts: FileFacts) -> dict[str, Any]:
    row = asdict(facts)
    for name in ("header", "column_types"):
        row[name] = json.dumps(row[name])
    return row


def scan_file(path: str | Path, table: RawTable) -> FileFacts:
    """Read a file's bytes once: hash, lines, and what to beware of.

    Raises
    ------
    FileFault
        If the file as a whole cannot be used.
    """
    path = str(path)
    try:
        if table.file_format == "parquet":
            return _scan_parquet(path, table)
        facts = _scan_text(path, table)
        header = _checked_header(path, table)
    except OSError as error:
        raise FileFault(
            f"raw file {path}: it cannot be read ({error.strerror})."
        ) from None
    has_header = table.file_format == "csv" or table.first_line is not None
    return replace(
        facts,
        header=tuple(header),
        has_header=has_header,
        lines_count=facts.lines_count - has_header,
    )


def _scan_text(path: str, table: RawTable) -> FileFacts:
    digest = hashlib.sha256()
    decoder = codecs.getincrementaldecoder("utf-8")()
    bytes_count = lines_count = returns_count = pairs_count = 0
    quotes_before = 0
    needs_care = has_quotes = has_control = False
    line_bytes = 0
    last = b""
    with open(path, "rb", buffering=0) as file, ThreadPoolExecutor(1) as hasher:
        hashed = None
        while chunk := file.read(_CHUNK_BYTES):
            # it takes as long as all the rest, so it lags behind by one chunk
            if hashed is not None:
                hashed.result()
            hashed = hasher.submit(digest.update, chunk)
            if not bytes_count:
                _refuse_wide_characters(path, chunk)
            bytes_count += len(chunk)
            if b"\r" in chunk or last == b"\r":
                returns_count += chunk.count(b"\r")
                pairs_count += (last + chunk).count(b"\r\n")
            if not needs_care:
                needs_care = LINE_SEPARATOR in chunk or not _is_utf8(decoder, chunk)
                line_bytes, is_long = _open_line(chunk, line_bytes)
                needs_care |= is_long
            if table.file_format == "csv" and b'"' in chunk:
                has_quotes = True
                if not needs_care:
                    is_odd, quotes_before = _has_odd_line(chunk, quotes_before)
                    needs_care |= is_odd
            elif quotes_before and b"\n" in chunk:
                needs_care |= bool(quotes_before % 2)
                quotes_before = 0
            last = chunk[-1:]
            newlines_count, chunk_has_control = _tally(chunk)
            lines_count += newlines_count
            has_control |= chunk_has_control
        if hashed is not None:
            hashed.result()
    if not bytes_count:
        raise FileFault(f"raw file {path}, line 1: the file is empty (zero bytes).")
    if last != b"\n":
        lines_count += 1
    ends = lines_count - (last != b"\n")
    mixed = returns_count != pairs_count or 0 < pairs_count < ends
    cut_short = bool(decoder.getstate()[0])
    return FileFacts(
        file_sha256=digest.hexdigest(),
        bytes_count=bytes_count,
        lines_count=lines_count,
        needs_care=needs_care
        or mixed
        or cut_short
        or bool(quotes_before % 2)
        # the engine would take the name for a pattern
        or glob.has_magic(path),
        has_quotes=has_quotes,
        has_control_characters=has_control,
    )


def _refuse_wide_characters(path: str, chunk: bytes) -> None:
    head = chunk[:200]
    if chunk.startswith(_WIDE_MARKS) or head.count(0) > len(head) / 4:
        raise FileFault(
            f"raw file {path}, line 1: the encoding is UTF-16, and must be UTF-8. "
            "Convert the file, for instance with iconv -f UTF-16 -t UTF-8."
        )


def _is_utf8(decoder: codecs.IncrementalDecoder, chunk: bytes) -> bool:
    if chunk.isascii() and not decoder.getstate()[0]:
        return True
    try:
        decoder.decode(chunk)
    except UnicodeDecodeError:
        return False
    return True


def _open_line(chunk: bytes, before: int) -> tuple[int, bool]:
    """Bytes of the line that the chunk leaves open, and whether a line is too long."""
    start = 0
    while len(chunk) - start + before > LONGEST_LINE_BYTES:
        end = chunk.rfind(b"\n", start, start + LONGEST_LINE_BYTES - before)
        if end < 0:
            return 0, True
        start, before = end + 1, 0
    end = chunk.rfind(b"\n", start)
    return (len(chunk) - start + before if end < 0 else len(chunk) - end - 1), False


def _has_odd_line(chunk: bytes, quotes_before: int) -> tuple[bool, int]:
    """Whether a line holds an odd number of quotes, and the open line's number."""
    codes = np.frombuffer(chunk, np.uint8)
    ends = np.flatnonzero(codes == 10)
    quotes = np.flatnonzero(codes == 34)
    through = np.searchsorted(quotes, ends)
    per_line = np.diff(through, prepend=-quotes_before)
    left = len(quotes) - (through[-1] if len(ends) else -quotes_before)
    return bool((per_line % 2).any()), int(left)


def _tally(chunk: bytes) -> tuple[int, bool]:
    """Count newlines, and say whether there are bytes that no text should hold."""
    codes = np.frombuffer(chunk, np.uint8)
    newlines_count = low_count = 0
    has_delete = False
    for start in range(0, len(codes), _BLOCK_BYTES):
        block = codes[start : start + _BLOCK_BYTES]
        newlines_count += np.count_nonzero(block == 10)
        low_count += np.count_nonzero(block < 32)
        has_delete |= block.max() >= 127 and bool((block == 127).any())
    if low_count > newlines_count:
        low_count -= sum(chunk.count(white) for white in (b"\t", b"\v", b"\f", b"\r"))
    return int(newlines_count), bool(has_delete or low_count > newlines_count)


def _checked_header(path: str, table: RawTable) -> list[str]:
    if table.file_format == "json_lines":
        return _json_keys(path, table)
    with open(path, "rb") as file:
        first = file.readline(LONGEST_LINE_BYTES).removeprefix(_BYTE_ORDER_MARK)
    try:
        line = first.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        raise FileFault(
            f"raw file {path}, line 1: the encoding is not UTF-8. Convert the file, "
            "for instance with iconv -f LATIN1 -t UTF-8."
        ) from None
    if table.file_format == "lines":
        _check_first_line(path, table, line)
        return []
    return _checked_csv_header(path, table, line)


def _check_first_line(path: str, table: RawTable, line: str) -> None:
    words = " ".join(line.split())
    expected = None
    if table.first_line is not None and words != table.first_line:
        expected = f"the header {table.first_line}"
    elif table.first_line is None and not re.fullmatch(table.line_pattern or "", line):
        expected = f"a line like {table.line_pattern}"
    if expected:
        raise FileFault(
            f"raw file {path}, line 1: expected {expected}, found {words[:80]!r}."
        )


def _checked_csv_header(path: str, table: RawTable, line: str) -> list[str]:
    header = _header_cells(line, table.delimiter)
    missing = [name for name in table.required if name not in header]
    told = ", ".join(header)[:200]
    if missing and len(header) == 1:
        for other in (";", "\t", "|", ","):
            names = _header_cells(line, other)
            if other != table.delimiter and set(table.required) <= set(names):
                raise FileFault(
                    f"raw file {path}, line 1: the cells are delimited by {other!r}, "
                    f"and the source {table.name} declares {table.delimiter!r}."
                )
    _refuse_missing(path, table, missing, told)
    doubled = sorted({name for name in header if header.count(name) > 1})
    if doubled:
        raise FileFault(
            f"raw file {path}, line 1: the header names {', '.join(doubled)} twice. "
            "Name every column once."
        )
    return header


def _header_cells(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True), [])
    except csv.Error:  # quotes out of place, or carriage returns alone end its lines
        return [line]


def _refuse_missing(path: str, table: RawTable, missing: list[str], found: str) -> None:
    if missing:
        raise FileFault(
            f"raw file {path}, line 1: there is no column {', '.join(missing)}; "
            f"found {found or 'nothing'}. Mend the file, or declare the column "
            f"optional in the source {table.name}."
        )


def _json_keys(path: str, table: RawTable) -> list[str]:
    keys: dict[str, None] = {}
    objects_count = 0
    with open(path, "rb") as file:
        for _ in range(JSON_SAMPLE_LINES):
            line = file.readline(LONGEST_LINE_BYTES).removeprefix(_BYTE_ORDER_MARK)
            if not line:
                break
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if isinstance(record, dict):
                objects_count += 1
                keys.update(dict.fromkeys(record))
    missing = [name for name in table.required if name not in keys]
    if objects_count:
        _refuse_missing(path, table, missing, ", ".join(keys)[:200])
    return list(keys)


def _scan_parquet(path: str, table: RawTable) -> FileFacts:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    size = os.path.getsize(path)
    if not size:
        raise FileFault(f"raw file {path}, line 1: the file is empty (zero bytes).")
    with duckdb.connect() as connection:
        try:
            described = connection.execute(
                "describe select * from read_parquet(?, filename = false)", [path]
            ).fetchall()
            (rows_count,) = connection.execute(
                "select num_rows from parquet_file_metadata(?)", [path]
            ).fetchone()
        except duckdb.Error as error:
            told = str(error).splitlines()[0][:200]
            raise FileFault(
                f"raw file {path}: it is no Parquet file ({told})."
            ) from None
    header = [name for name, *_ in described]
    missing = [name for name in table.required if name not in header]
    _refuse_missing(path, table, missing, ", ".join(header)[:200])
    return FileFacts(
        file_sha256=digest.hexdigest(),
        bytes_count=size,
        lines_count=rows_count,
        header=tuple(header),
        column_types=tuple(data_type for _, data_type, *_ in described),
    )


def careful_records(path: str | Path, table: RawTable) -> Iterator[Record]:
    """Cut a file into records where the engine cannot, and lose no line.

    A quoted cell may span lines. One that is never closed costs its own line alone: the
    lines after it are read as if it were not there.

    Yields
    ------
    Record
        In the order of the file, the header left out; together they cover every line.
    """
    has_header = table.file_format == "csv" or table.first_line is not None
    lines = _numbered_lines(path)
    if has_header:
        next(lines, None)
    joins = _Quoting(table.delimiter) if table.file_format == "csv" else None
    waiting: list[tuple[int, bytes]] = []
    while True:
        line = waiting.pop(0) if waiting else next(lines, None)
        if line is None:
            return
        number, content = line
        if len(content) > LONGEST_LINE_BYTES:
            yield Record(number, 1, _text(content), "too_long")
        elif not _decodes(content):
            yield Record(number, 1, _text(content), "unreadable_character")
        elif joins is None or content.count(b'"') % 2 == 0:
            yield Record(number, 1, _text(content), None)
        else:
            record, ahead = joins.record(number, content, waiting, lines)
            waiting = ahead
            yield record


class _Quoting:
    """Joins the lines of a record whose quoted cell spans them."""

    def __init__(self, delimiter: str) -> None:
        self.cell = r'(?:"[^"]*(?:""[^"]*)*"|[^"DELIMITER]*)'.replace(
            "DELIMITER", re.escape(delimiter)
        )
        between = re.escape(delimiter)
        self.whole = re.compile(f"{self.cell}(?:{between}{self.cell})*")
        self.open = re.compile(rf'(?:{self.cell}{between})*"[^"]*(?:""[^"]*)*')

    def record(
        self,
        number: int,
        content: bytes,
        waiting: list[tuple[int, bytes]],
        lines: Iterator[tuple[int, bytes]],
    ) -> tuple[Record, list[tuple[int, bytes]]]:
        """Make the record that begins here, and give back the lines it did not take."""
        taken: list[tuple[int, bytes]] = []
        ahead = list(waiting)
        text = content.decode()
        while self.open.fullmatch(text) and len(taken) < MOST_LINES_OF_A_RECORD - 1:
            line = ahead.pop(0) if ahead else next(lines, None)
            if line is None:
                break
            taken.append(line)
            too_long = len(text) + len(line[1]) > LONGEST_LINE_BYTES
            if too_long or not _decodes(line[1]):
                break
            text += "\n" + line[1].decode()
            if self.whole.fullmatch(text):
                return Record(number, 1 + len(taken), text, None), ahead
        is_open = self.open.fullmatch(content.decode()) is not None
        fault = "unclosed_quote" if is_open else "misplaced_quote"
        return Record(number, 1, content.decode(), fault), taken + ahead


def _numbered_lines(path: str | Path) -> Iterator[tuple[int, bytes]]:
    with open(path, "rb") as file:
        for number, line in enumerate(file, start=1):
            content = line.removesuffix(b"\n").removesuffix(b"\r")
            yield (
                number,
                content.removeprefix(_BYTE_ORDER_MARK) if number == 1 else content,
            )


def _decodes(content: bytes) -> bool:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _text(content: bytes) -> str:
    return content.decode("utf-8", errors="backslashreplace")


def files_of_declarations(declared: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """Find the files that a run declares; the one place that looks at the wall clock.

    Parameters
    ----------
    declared : DataFrame
        Rows of ``int_declared_files``.
    known : DataFrame
        Rows of ``int_known_files``.

    Returns
    -------
    DataFrame
        As ``find_files`` gives it; empty where nothing is declared.
    """
    if declared.empty:
        return find_files([], known, datetime.date.min)
    run = declared.iloc[0]
    zone = zoneinfo.ZoneInfo(run["business_time_zone"])
    return find_files(
        [RawTable.from_json(text) for text in declared["declaration"]],
        known,
        datetime.datetime.now(zone).date(),
        replace_changed=bool(run["is_replacing_changed_files"]),
        full_refresh=bool(run["is_full_refresh"]),
    )


def store_careful_records(
    connection: duckdb.DuckDBPyConnection, files: pd.DataFrame
) -> duckdb.DuckDBPyRelation:
    """Cut files that the engine cannot cut, a batch of records at a time.

    Parameters
    ----------
    connection : DuckDBPyConnection
    files : DataFrame
        Rows of ``int_careful_files``: ``reading_id``, ``file_path``, ``declaration``.

    Returns
    -------
    DuckDBPyRelation
        ``reading_id`` and the fields of ``Record``, as a temporary table.
    """
    connection.execute(
        "create or replace temporary table careful_records_batch ("
        " reading_id integer, source_line bigint, source_lines_count bigint,"
        " source_text varchar, line_fault varchar)"
    )
    for file in files.itertuples():
        table = RawTable.from_json(file.declaration)
        records = careful_records(file.file_path, table)
        while batch := list(itertools.islice(records, RECORDS_PER_BATCH)):
            frame = pd.DataFrame(
                {
                    "reading_id": file.reading_id,
                    "source_line": [record.source_line for record in batch],
                    "source_lines_count": [
                        record.source_lines_count for record in batch
                    ],
                    # as objects: pandas would look at each text for its type
                    "source_text": pd.Series(
                        [record.source_text for record in batch], dtype=object
                    ),
                    "line_fault": pd.Series(
                        [record.line_fault for record in batch], dtype=object
                    ),
                }
            )
            # by name: dbt hands over a connection that sees no variables of ours
            connection.register("records_of_a_file", frame)
            connection.execute(
                "insert into careful_records_batch from records_of_a_file"
            )
            connection.unregister("records_of_a_file")
    return connection.table("careful_records_batch")
