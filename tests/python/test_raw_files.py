"""CDNOW: a fault of the file stops the build; a fault of a row goes to quarantine."""

import datetime
import os
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest
from conftest import PERENNIAL, ROOT, SAMPLE, run_build, write_log

from perennial.faults import FileFault
from perennial.reading import (
    LEDGER_COLUMNS,
    RawTable,
    careful_records,
    find_files,
    scan_file,
    table_paths,
)

NOTHING_KNOWN = pd.DataFrame(columns=[*LEDGER_COLUMNS, "file_status", "ledger_number"])

GOOD = " 00001 19970101  1   11.77"
HEADER = " customer_id  date number_of_cds  dollar_value"


def raw_table(folder: str = "package:lifetimes/datasets", log: str = "master"):
    """What cdnow__sources.yml declares."""
    return RawTable(
        "cdnow.purchase_log",
        f"{folder}/CDNOW_{log}.txt",
        "lines",
        first_line=" ".join(HEADER.split()) if log == "master" else None,
        line_pattern=r" *\S+ +\S+ +\d{8} +\S+ +\S+ *",
        required=("line",),
    )


def broken(name: str, folder: Path) -> str:
    """Make one of the files that cannot be used; what the one line must say."""
    folder.mkdir()
    file = folder / "CDNOW_master.txt"
    text = f"{HEADER}\r\n{GOOD}\r\n"
    if name == "missing":
        return "it is missing"
    if name == "empty":
        file.touch()
        return "line 1: the file is empty"
    if name == "utf_16":
        file.write_text(text, encoding="utf-16")
        return "line 1: the encoding is UTF-16"
    if name == "wrong_header":
        file.write_text(text.replace("dollar_value", "euros"))
        return "line 1: expected the header"
    if name == "swapped_header":
        file.write_text(text.replace("customer_id  date", "date  customer_id"))
        return "line 1: expected the header"
    if name == "no_header":
        file.write_text(f"{GOOD}\n")
        return "line 1: expected the header"
    if name == "folder":
        file.mkdir()
        return "cannot be read"
    raise AssertionError(name)


FAULTS = [
    "missing",
    "empty",
    "utf_16",
    "wrong_header",
    "swapped_header",
    "no_header",
    "folder",
]


@pytest.mark.parametrize("name", FAULTS)
def test_the_reader_names_file_and_line(name, tmp_path):
    told = broken(name, tmp_path / "raw")
    table = raw_table(str(tmp_path / "raw"))
    with pytest.raises(FileFault, match=told) as caught:
        for path in table_paths(table):
            scan_file(path, table)
    assert str(tmp_path / "raw" / "CDNOW_master.txt") in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["missing", "utf_16"])
def test_the_build_stops_with_one_line_before_any_model(name, tmp_path):
    told = broken(name, tmp_path / "raw")
    build = run_build(tmp_path / "home", folder=tmp_path / "raw")
    assert build.exit_code == 1
    assert told in build.errors
    assert build.errors.count("\n") == 1
    assert "Traceback" not in build.output + build.errors
    assert (
        build.rows(
            "select table_name from information_schema.tables "
            "where table_schema in ('staging', 'features', 'scores', 'marts')"
        )
        == []
        and "marts." not in build.output
    )


def test_a_fault_leaves_the_last_build_as_it_was(sample, tmp_path):
    home = tmp_path / "home"
    (home / "warehouse").mkdir(parents=True)
    shutil.copy(sample.file, home / "warehouse" / "cdnow.duckdb")
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "CDNOW_sample.txt").touch()
    build = run_build(home, tmp_path / "raw", settings=SAMPLE)
    assert build.exit_code == 1
    assert "CDNOW_sample.txt, line 1: the file is empty" in build.errors
    assert build.digests() == sample.digests()


def test_a_folder_that_is_copied_and_declared_anew_has_moved(tmp_path):
    """Its rows were known before: read as new, they would be late for every date."""
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    for name, customer in (("a", 1), ("b", 2), ("twin", 2)):
        (before / f"{name}.csv").write_text(f"customer_id,amount\n{customer},9\n")
    declared = [
        RawTable("shop.orders", f"{folder}/*.csv", "csv", required=("customer_id",))
        for folder in (before, after)
    ]
    days = [datetime.date(2025, 1, 1), datetime.date(2025, 6, 1)]
    first = find_files(declared[:1], NOTHING_KNOWN, days[0])
    assert list(first["file_status"]) == ["new", "new", "copy"]
    shutil.copytree(before, after)
    ledger = first.assign(ledger_number=range(len(first)))
    second = find_files(declared[1:], ledger, days[1])
    assert list(second["file_status"]) == ["moved", "moved", "copy"]
    assert list(second["reading_id"][:2]) == list(first["reading_id"][:2])
    assert set(second["first_read_date"][:2]) == {days[0]}
    # a file of other bytes is new wherever it lies
    (after / "a.csv").write_text("customer_id,amount\n3,9\n")
    third = find_files(declared[1:], ledger, days[1])
    assert list(third["file_status"]) == ["new", "moved", "copy", "withdrawn"]


def test_the_shipped_logs_are_read_whole(master, sample):
    for build, log, lines in ((master, "master", 69659), (sample, "sample", 6919)):
        (path,) = table_paths(raw_table(log=log))
        header = 1 if log == "master" else 0
        assert Path(path).read_bytes().count(b"\n") - header == lines
        assert build.row(
            "select count(*), min(source_line), max(source_line), count(row_fault) "
            "from staging.stg_cdnow__orders"
        ) == (lines, 1 + header, lines + header, 0)
        texts = build.rows(
            "select source_text from staging.stg_cdnow__orders order by source_line"
        )
        assert (
            "\r\n".join(text for (text,) in texts) in Path(path).read_bytes().decode()
        )


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("closed", [True, False])
def test_line_ends_and_byte_order_mark_do_not_matter(ending, mark, closed, tmp_path):
    text = mark + ending.join([HEADER, GOOD, GOOD]) + (ending if closed else "")
    file = tmp_path / "CDNOW_master.txt"
    file.write_text(text, newline="", encoding="utf-8")
    table = raw_table(str(tmp_path))
    facts = scan_file(file, table)
    assert (facts.lines_count, facts.needs_care) == (2, False)
    read = list(careful_records(file, table))
    assert [record.source_text for record in read] == [GOOD, GOOD]
    assert [record.source_line for record in read] == [2, 3]


#: Row faults, and the reason each must get. The raw bytes stay as they are.
BAD_LINES = {
    b" 00001 19970101  1": "unreadable_line",
    b" 00001 19970101  1  11.77 9": "unreadable_line",
    b"": "empty_line",
    b"   ": "empty_line",
    b" 00001 19970230  1   11.77": "unreadable_ordered_at",
    b" 00001 1997-01-02  1   11.77": "unreadable_ordered_at",
    b" 00001 19970101  1   abc": "unreadable_amount",
    b" 00001 19970101  1   NaN": "unreadable_amount",
    b" 00001 19970101  1   inf": "unreadable_amount",
    b" 00001 19970101  1   11.775": "unreadable_amount",
    b" 00001 19970101  1   1,234.50": "unreadable_amount",
    b" 00001 19970101  1   -5.00": "negative_amount",
    b" 000\x0001 19970101  1   11.77": "control_character",
    b" caf\xe9 19970101  1   11.77": "unreadable_character",
}


#: An id is data: to SQL, to a spreadsheet and to a terminal.
ODD_CUSTOMER = "=[red]O'Neill;--\U0001f600"


@pytest.fixture(scope="session")
def dirty(shared_build, tmp_path_factory):
    folder = tmp_path_factory.mktemp("dirty")
    good = [f" {i:05d} 1997010{1 + i % 9}  1   11.77".encode() for i in range(499)]
    good.append(f" {ODD_CUSTOMER} 19970101  1   11.77".encode())
    lines = [HEADER.encode(), *good, *BAD_LINES]
    (folder / "CDNOW_master.txt").write_bytes(b"\r\n".join(lines) + b"\r\n")
    return shared_build(
        "dirty", folder=folder, settings={"refused_rows_threshold": 0.05}
    )


def test_every_bad_line_is_kept_with_its_reason(dirty):
    rows = dirty.rows(
        "select source_line, reject_reason, source_text from input.quarantine "
        "order by source_line"
    )
    assert [reason for _, reason, _ in rows] == list(BAD_LINES.values())
    assert [number for number, *_ in rows] == list(range(502, 502 + len(BAD_LINES)))
    kept = [text for *_, text in rows]
    delivered = [line.decode("utf-8", "backslashreplace") for line in BAD_LINES]
    assert kept == delivered


def test_lines_in_are_accepted_and_refused_lines(dirty):
    assert dirty.row(
        "select (select lines_count from reading.int_current_files), "
        "(select count(*) from input.input_orders), "
        "(select count(*) from input.quarantine)"
    ) == (500 + len(BAD_LINES), 500, len(BAD_LINES))


def test_an_odd_customer_is_followed_by_the_letter(dirty):
    followed = subprocess.run(
        [PERENNIAL, "follow", "--connector=cdnow", ODD_CUSTOMER],
        cwd=ROOT,
        env=os.environ | {"PERENNIAL_HOME": str(dirty.home)},
        capture_output=True,
        text=True,
    )
    assert followed.returncode == 0, followed.stderr
    assert f"{ODD_CUSTOMER} 19970101  1   11.77" in followed.stdout


def test_too_many_refused_rows_stop_everything_below(tmp_path):
    lines = [GOOD] * 199 + [" 00001 19970101  1   abc"]
    folder = write_log(tmp_path / "at", lines)
    orders = ("--select", "+fct_orders", "--indirect-selection", "cautious")
    at_threshold = run_build(tmp_path / "home-at", folder, selection=orders)
    assert at_threshold.exit_code == 0, at_threshold.errors
    folder = write_log(tmp_path / "over", lines[1:])
    over = run_build(tmp_path / "home-over", folder, selection=orders)
    assert over.exit_code == 1
    assert "few_refused_rows_int_checked_orders" in over.output + over.errors
    assert (
        over.rows(
            "select table_name from information_schema.tables "
            "where table_schema = 'marts'"
        )
        == []
    )
