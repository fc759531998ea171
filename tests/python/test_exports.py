"""Published marts as files: whole, safe in a spreadsheet, and without a loss."""

import csv
import dataclasses
import os
import re
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from conftest import PERENNIAL, ROOT
from small_marts import HOSTILE, publish, tables_of

from perennial.delivering import folders
from perennial.delivering.exports import CSV, PARQUET, Format, export
from perennial.faults import Fault, LockFault, UsageFault
from perennial.project import Project

pytestmark = pytest.mark.publish

FORMATS = pytest.mark.parametrize("form", [PARQUET, CSV], ids=["parquet", "csv"])

#: Types in which a spreadsheet sees a number, a day or a truth value.
TYPED = {"BIGINT", "DOUBLE", "BOOLEAN", "DATE", "TIMESTAMP"}


def documented_way_back() -> Callable:
    """`read_back` as docs/bi.md prints it."""
    page = (ROOT / "docs" / "bi.md").read_text()
    (code,) = re.findall(r"<!-- read back -->\n```python\n(.*?)```", page, re.DOTALL)
    names: dict = {}
    exec(code, names)
    return names["read_back"]


@pytest.fixture
def small(tmp_path) -> Project:
    return publish(tmp_path / "home")


def exported(project: Project, form: Format) -> Path:
    return project.home / "published" / project.connector / form.ending


def assert_same(file: Path, table: str, back: duckdb.DuckDBPyRelation) -> int:
    """Compare types and rows of a published table with what was read back."""
    with duckdb.connect(str(file), read_only=True) as connection:
        there = connection.sql(f'from marts."{table}"')
        assert (back.columns, back.types) == (there.columns, there.types), table
        rows = there.fetchall()
    # in their order, and by what they print as: 0.1 is not 0.10000000000000001
    assert [*map(repr, back.fetchall())] == [*map(repr, rows)], table
    return len(rows)


@pytest.fixture(scope="module", params=["small", "demo"])
def project(request, tmp_path_factory) -> Project:
    """Hostile rows, and a company that was built and published as a user does."""
    home = tmp_path_factory.mktemp("exports")
    if request.param == "small":
        return publish(home)
    built = request.getfixturevalue("demo")
    (home / "published").mkdir()
    os.link(built.published, home / "published" / "demo.duckdb")
    return Project(ROOT, home, "demo")


def test_parquet_keeps_types_and_rows(project):
    told = export(project, PARQUET)
    folder, tables = exported(project, PARQUET), tables_of(project.published_file)
    assert {path.name for path in folder.iterdir()} == {
        f"{name}.parquet" for name in [*tables, "published_columns"]
    }
    assert f"{len(tables) + 1} files in {folder}" in told
    rows = [
        assert_same(
            project.published_file,
            name,
            duckdb.sql(f"from read_parquet('{folder}/{name}.parquet')"),
        )
        for name in tables
    ]
    assert sum(rows) > 50


def test_csv_comes_back_as_the_docs_say(project):
    export(project, CSV)
    folder, read_back = exported(project, CSV), documented_way_back()
    rows = [
        assert_same(project.published_file, name, read_back(folder, name))
        for name in tables_of(project.published_file)
    ]
    assert sum(rows) > 50


def test_no_cell_of_a_csv_is_a_formula(project):
    """Read by another reader than the one that made it."""
    csv.field_size_limit(1_000_000)
    export(project, CSV)
    texts_count = 0
    for name in tables_of(project.published_file):
        with duckdb.connect(str(project.published_file), read_only=True) as connection:
            kinds = [str(kind) for kind in connection.table(f"marts.{name}").types]
            there = connection.execute(f'from marts."{name}"').fetchall()
        file = exported(project, CSV) / f"{name}.csv"
        with file.open(encoding="utf-8", newline="") as lines:
            _, *rows = csv.reader(lines)
        assert len(rows) == len(there)
        for cells, values in zip(rows, there, strict=True):
            for cell, value, kind in zip(cells, values, kinds, strict=True):
                if kind in TYPED or kind.startswith("DECIMAL"):
                    assert not cell.startswith("'")
                elif value is not None:
                    texts_count += 1
                    assert not re.match(
                        "[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]", cell
                    ), (name, cell)
                    assert cell.removeprefix("'") == value
    assert texts_count > 100


def test_numbers_are_written_as_they_are(small):
    export(small, CSV)
    text = (exported(small, CSV) / "dim_customers.csv").read_bytes().decode()
    assert "\n'=1+1,'=1+1,-20,0.00,-0.000001,0.1,true,0001-01-01," in text
    assert f"\nof nulls,,{-(2**63)},,,,,,,run-1\n" in text


def test_columns_are_described_beside_the_tables(small):
    export(small, PARQUET)
    file = exported(small, PARQUET) / "published_columns.parquet"
    (row,) = duckdb.sql(
        f"from read_parquet('{file}') where column_name = 'customer_id'"
    ).fetchall()
    assert row == (
        *("dim_customers", "customer_id", "VARCHAR"),
        'Who they are; it\'s \\ "all" of them.\n$$ Really.',
        "As delivered; may be '; drop schema x.",
    )


@FORMATS
def test_what_is_written_again_is_the_same_to_the_byte(small, form):
    def content():
        return {
            path.name: path.read_bytes() for path in exported(small, form).iterdir()
        }

    export(small, form)
    first = content()
    export(small, form)
    assert content() == first


@FORMATS
def test_who_looks_sees_one_run_or_the_other(small, form):
    """A reader that opened the folder reads one run; who lists it sees all files."""
    export(small, form)
    folder = exported(small, form)
    whole = {path.name for path in folder.iterdir()}
    seen, faults, stop = set(), [], threading.Event()

    def look():
        while not stop.is_set():
            before = folder.stat().st_ino
            fault = None
            try:
                found = {path.name for path in folder.iterdir()}
                if found != whole:
                    fault = f"lists {sorted(found)}"
                runs = duckdb.connect().execute(
                    form.read(folder / f"published_run.{form.ending}", RUN_TYPES)
                )
                seen.add(runs.fetchall()[0][0])
            except (OSError, duckdb.Error) as error:
                fault = repr(error)
            # what is replaced under the eyes of the reader is read again
            if fault and folder.stat().st_ino == before:
                faults.append(fault)

    def look_on():
        try:
            look()
        except OSError as error:  # there is no folder at all
            faults.append(repr(error))

    reader = threading.Thread(target=look_on)
    reader.start()
    try:
        for number in range(8):
            publish(small.home, f"run-{number}", 5)
            export(small, form)
    finally:
        stop.set()
        reader.join()
    assert faults == []
    assert len(seen) > 2
    assert {path.name for path in folder.parent.iterdir()} == {
        *(folder.name, f".{folder.name}.lock")
    }


RUN_TYPES = {
    "run_id": "VARCHAR",
    "connector": "VARCHAR",
    "score_date": "DATE",
    "started_at": "TIMESTAMP",
    "published_at": "TIMESTAMP",
    "perennial_version": "VARCHAR",
    "dbt_version": "VARCHAR",
    "duckdb_version": "VARCHAR",
    "tables_count": "BIGINT",
    "rows_count": "BIGINT",
    "customers_count": "BIGINT",
    "refused_share": "DOUBLE",
    "completeness": "DOUBLE",
    "settings_hash": "VARCHAR",
}


@pytest.fixture
def untouched(small):
    """After the test, CSV files of the first run are there and nothing else is."""
    export(small, CSV)
    folder = exported(small, CSV)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    publish(small.home, "run-2")
    yield small
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    left = {path.name for path in folder.parent.iterdir()}
    assert left == {folder.name, f".{folder.name}.lock"}


def run_child(project: Project, code: str, **options) -> subprocess.CompletedProcess:
    """Export as CSV in a process of its own, with some more lines of code."""
    lines = (
        "import os, pathlib, signal, resource",
        "from perennial.project import Project",
        "from perennial.delivering.exports import CSV, export",
        "from perennial.faults import Fault",
        f"project = Project(pathlib.Path({str(ROOT)!r}),"
        f" pathlib.Path({str(project.home)!r}), 'demo')",
        code,
    )
    command = [sys.executable, "-c", "\n".join(lines)]
    return subprocess.run(command, capture_output=True, text=True, **options)


def test_a_run_that_is_killed_leaves_what_was_there(small):
    export(small, CSV)
    folder = exported(small, CSV)
    before = (folder / "published_run.csv").read_bytes()
    publish(small.home, "run-2")
    killed = run_child(
        small,
        "export(project, CSV, tell=lambda step:"
        " step.startswith('3/') and os.kill(os.getpid(), signal.SIGKILL))",
    )
    assert killed.returncode == -signal.SIGKILL
    assert (folder.parent / ".csv.part").is_dir()
    assert (folder / "published_run.csv").read_bytes() == before
    export(small, CSV)
    assert b"run-2" in (folder / "published_run.csv").read_bytes()
    assert not (folder.parent / ".csv.part").exists()


def test_a_disk_that_takes_no_more_leaves_what_was_there(untouched):
    """The system itself refuses to write more than so much to a file."""
    finished = run_child(
        untouched,
        "try: export(project, CSV)\nexcept Fault as fault: print(fault)",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000)),
    )
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.startswith(
        f"Nothing was changed in {exported(untouched, CSV)}"
    )
    assert len(finished.stdout.splitlines()) == 1


def test_two_do_not_fill_the_same_folder(untouched):
    def meanwhile(step: str) -> None:
        with (
            pytest.raises(LockFault, match="Another process fills"),
            folders.put_in_place(exported(untouched, CSV)),
        ):
            pass
        raise KeyboardInterrupt  # the first one goes no further

    with pytest.raises(KeyboardInterrupt):
        export(untouched, CSV, tell=meanwhile)


def test_a_type_that_a_file_cannot_keep_is_told(tmp_path):
    project = publish(
        tmp_path, statements=("create table marts.odd as select 1::hugeint as many",)
    )
    with pytest.raises(Fault, match="odd has a type that parquet cannot keep"):
        export(project, PARQUET)
    assert not exported(project, PARQUET).exists()
    export(project, CSV)  # which can


def test_a_file_that_does_not_give_its_table_back_is_never_put_in_place(untouched):
    def without_one(table, types):
        return f"select * from {table} offset 1"

    lossy = dataclasses.replace(CSV, written=without_one)
    with pytest.raises(Fault, match=r"\.csv does not give .* back as it is published"):
        export(untouched, lossy)


def test_odd_types_come_back_from_csv(tmp_path):
    """Contracts of marts allow none of them; a project of one's own may."""
    project = publish(
        tmp_path,
        statements=(
            "create table marts.odd as select 170141183460469231731687303715884105727"
            "::hugeint as many, ['=1', null, '']::varchar[] as texts, [-1] as numbers,"
            " {'a': '=1'} as pair, '-1 day'::interval as span, 'a'::enum('a') as kind,"
            " '\\xAA=1'::blob as bytes, '01:02:03'::time as clock,"
            " '2024-01-01 00:00:00+02'::timestamptz as moment",
        ),
    )
    export(project, CSV)
    text = (exported(project, CSV) / "odd.csv").read_text()
    assert "[-1]" in text and ",'-1 day," in text


# --- folders --------------------------------------------------------------------------


def test_what_somebody_else_wrote_is_never_replaced(untouched):
    folder = exported(untouched, CSV)
    for name in ("notes.csv", "dim_customers.xlsx", ".hidden"):
        (folder / name).write_text("mine")
        with pytest.raises(UsageFault, match=f"did not write .{re.escape(name)}"):
            export(untouched, CSV)
        (folder / name).unlink()
    other = untouched.home / "other"
    other.mkdir()
    (other / "dim_customers.csv").write_text("mine")
    with pytest.raises(UsageFault, match="name an empty folder by --folder"):
        export(untouched, CSV, other)
    assert (other / "dim_customers.csv").read_text() == "mine"
    with pytest.raises(UsageFault, match="is no folder"):
        export(untouched, CSV, other / "dim_customers.csv")


def test_a_link_to_a_folder_stays_one(small):
    real, link = small.home / "real", small.home / "link"
    real.mkdir()
    link.symlink_to(real)
    for _ in range(2):
        export(small, CSV, link)
    assert link.is_symlink()
    assert (real / "dim_customers.csv").exists()
    assert not (small.home / ".real.part").exists()


def test_a_file_system_that_cannot_exchange_names_is_served_too(small, monkeypatch):
    monkeypatch.setattr(folders, "_exchange", lambda one, other: False)
    export(small, CSV)
    publish(small.home, "run-2")
    export(small, CSV)
    folder = exported(small, CSV)
    assert b"run-2" in (folder / "published_run.csv").read_bytes()
    assert len([*folder.parent.iterdir()]) == 2
    # killed between the two renames: the next run begins by putting it back
    folder.rename(folder.parent / ".csv.before")
    with pytest.raises(KeyboardInterrupt):
        export(small, CSV, tell=_interrupt)
    assert b"run-2" in (folder / "published_run.csv").read_bytes()
    assert len([*folder.parent.iterdir()]) == 2


def _interrupt(step: str) -> None:
    raise KeyboardInterrupt


LOOK = """
import os, sys
missing = 0
print("looking", flush=True)
while not os.path.exists(sys.argv[2]):
    missing += not os.path.exists(sys.argv[1])
print(missing)
"""


def test_there_is_a_folder_at_every_moment(tmp_path):
    """One that is renamed away before the other comes is missed by who looks often."""
    folder, stop = tmp_path / "folder", tmp_path / "stop"
    folder.mkdir()
    reader = subprocess.Popen(
        [sys.executable, "-c", LOOK, folder, stop], stdout=subprocess.PIPE, text=True
    )
    with reader:
        assert reader.stdout.readline() == "looking\n"
        for number in range(300):
            with folders.put_in_place(folder) as part:
                (part / f"{number}").touch()
        stop.touch()
        assert reader.stdout.read() == "0\n"
    assert [path.name for path in folder.iterdir()] == ["299"]


def test_names_that_cannot_change_places_are_told(tmp_path):
    (tmp_path / "one").mkdir()
    with pytest.raises(FileNotFoundError):
        folders._exchange(tmp_path / "one", tmp_path / "nowhere")


# --- the commands ---------------------------------------------------------------------


def perennial(home: Path, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [PERENNIAL, "publish", *arguments],
        cwd=home,
        env=os.environ | {"PERENNIAL_HOME": str(home)},
        capture_output=True,
        text=True,
    )


def test_commands_say_what_they_wrote(small, tmp_path):
    finished = perennial(small.home, "csv", "--folder", "shared")
    assert finished.returncode == 0, finished.stderr
    folder = small.home / "shared"
    assert finished.stdout == f"5 files in {folder}: run run-1 of 2025-12-31\n"
    assert len([*folder.iterdir()]) == 5
    finished = perennial(small.home, "parquet")
    assert finished.returncode == 0, finished.stderr
    assert exported(small, PARQUET).is_dir()


def test_where_nothing_is_published_one_line_says_so(tmp_path):
    finished = perennial(tmp_path, "csv")
    assert finished.returncode == 1
    assert finished.stderr.startswith("perennial: Nothing is published in ")
    assert len(finished.stderr.splitlines()) == 1
    assert not (tmp_path / "published").exists()


def test_the_hostile_texts_hold_each_danger():
    """So that a list that somebody shortens does not leave the tests empty."""
    firsts = {text[:1] for text in HOSTILE}
    assert {*"=+-@\t\r\n'", "", "\uff1d", "\uff0b", "\uff0d", "\uff20"} <= firsts
