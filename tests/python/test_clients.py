"""The published file in the hands of the programs that people open it with."""

import importlib.util
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from conftest import ROOT
from filelock import FileLock
from postgres_server import skip_or_fail
from small_marts import hostile_rows, publish

from perennial.project import Project

pytestmark = pytest.mark.publish

#: What readers have: the oldest DuckDB that is promised, and the newest.
OLDEST, NEWEST = ("duckdb==1.4.0",), ("duckdb>=2,<3",)

#: duckdb-engine cannot list columns with SQLAlchemy 2.1, which is in our environment.
ALCHEMY = ("duckdb==1.5.5", "duckdb-engine==0.17.0", "sqlalchemy>=2,<2.1")


@pytest.fixture(scope="session")
def client(tmp_path_factory, worker_id) -> Callable[..., dict[str, str]]:
    """Give the variables of an environment with other packages, installed once."""
    root = tmp_path_factory.getbasetemp()
    root = root if worker_id == "master" else root.parent

    def install(*requirements: str) -> dict[str, str]:
        name = re.sub(r"\W+", "-", " ".join(requirements))
        folder, told = root / f"client-{name}", root / f"client-{name}.txt"
        with FileLock(root / f"client-{name}.lock"):
            if not told.exists():
                finished = subprocess.run(
                    [*installer(), "--quiet", "--target", folder, *requirements],
                    capture_output=True,
                    text=True,
                )
                told.write_text(finished.stderr if finished.returncode else "")
        if fault := told.read_text():
            skip_or_fail(f"no {requirements} to be had here: {fault.splitlines()[-1]}")
        return {"PYTHONPATH": str(folder)}

    return install


def installer() -> list[str]:
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip", "install"]
    if uv := shutil.which("uv"):
        return [uv, "pip", "install", "--python", sys.executable]
    skip_or_fail("no pip and no uv here to install other clients with")
    raise AssertionError


def ask(environment: dict[str, str], code: str, *arguments: object, cwd=None) -> dict:
    """Run code in an environment; it prints what it found as JSON."""
    finished = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env=environment,
        cwd=cwd,
        capture_output=True,
        text=True,
    )
    assert finished.returncode == 0, finished.stderr
    return json.loads(finished.stdout)


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Project:
    return publish(tmp_path_factory.mktemp("clients"))


# --- another DuckDB -------------------------------------------------------------------

#: Every row of every table, and every comment; what a file of another format refuses.
READ_ALL = """
import duckdb, json, sys
with duckdb.connect(sys.argv[1], read_only=True) as connection:
    def rows(query):
        return connection.execute(query).fetchall()
    names = [name for (name,) in rows(
        "select table_name from duckdb_tables() where schema_name = 'marts' order by 1"
    )]
    found = {name: sorted(map(repr, rows(f'from marts."{name}"'))) for name in names}
    comments = rows("select table_name, comment from duckdb_tables() order by all")
    comments += rows("select column_name, comment from duckdb_columns()"
                     " where schema_name = 'marts' order by all")
    try:
        connection.execute("create table marts.mine (i integer)")
        refused = "nothing"
    except duckdb.Error as error:
        refused = str(error)
print(json.dumps([duckdb.__version__, found, comments, refused]))
"""


@pytest.mark.parametrize("other", [OLDEST, NEWEST], ids=["oldest", "newest"])
@pytest.mark.parametrize("which", ["small", "demo"])
def test_another_duckdb_reads_the_same(request, client, small, which, other):
    file = small.published_file
    if which == "demo":
        file = request.getfixturevalue("demo").published
    ours = ask({}, READ_ALL, file)
    theirs = ask(client(*other), READ_ALL, file)
    assert ours[0] == duckdb.__version__
    assert theirs[0].startswith("1.4.0" if other == OLDEST else "2.")
    assert theirs[1:3] == ours[1:3]
    assert sum(map(len, ours[1].values())) > 60
    assert "read-only" in theirs[3]


# --- SQLAlchemy and pandas ------------------------------------------------------------

REFLECT = """
import json, sys
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.exc import DBAPIError
engine = create_engine(sys.argv[1])
found = inspect(engine)
where = {"schema": "marts"}
with engine.connect() as connection:
    rows = connection.execute(
        text("select name from marts.dim_customers where customer_id = :id"),
        {"id": sys.argv[2]},
    ).fetchall()
    refused = []
    for statement in ("create table marts.mine (i int)", "drop table marts.run_log",
                      "delete from marts.dim_customers", "create schema mine"):
        try:
            connection.execute(text(statement))
            connection.commit()
        except DBAPIError as error:
            refused.append("read-only" in str(error))
            connection.rollback()
print(json.dumps({
    "schemas": found.get_schema_names(),
    "tables": sorted(found.get_table_names(**where)),
    "comment": found.get_table_comment("dim_customers", **where)["text"],
    "columns": [[one["name"], str(one["type"]), one["comment"]]
                for one in found.get_columns("dim_customers", **where)],
    "rows": [list(row) for row in rows],
    "refused": refused,
}))
"""


def test_sqlalchemy_reflects_reads_and_cannot_write(client, small):
    address = f"duckdb:///{small.published_file}?access_mode=read_only"
    before = small.published_file.read_bytes()
    hostile = "'; drop table dim_customers; --"
    found = ask(client(*ALCHEMY), REFLECT, address, hostile)
    assert "demo.marts" in found["schemas"]
    assert found["tables"] == [
        *("dim_customers", "published_run", "published_tables", "run_log")
    ]
    assert found["comment"].startswith('Who they are; it\'s \\ "all" of them.')
    assert found["columns"][0] == [
        *("customer_id", "VARCHAR", "As delivered; may be '; drop schema x.")
    ]
    types = [kind for _, kind, _ in found["columns"]]
    assert types == [
        *("VARCHAR", "VARCHAR", "BIGINT", "NUMERIC(18, 2)", "NUMERIC(18, 6)"),
        *("FLOAT", "BOOLEAN", "DATE", "TIMESTAMP", "VARCHAR"),
    ]
    assert found["rows"] == [[hostile]]
    assert found["refused"] == [True] * 4
    assert small.published_file.read_bytes() == before


def test_pandas_reads_as_the_docs_say(small):
    page = (ROOT / "docs" / "bi.md").read_text()
    (code,) = re.findall(r"<!-- pandas -->\n```python\n(.*?)```", page, re.DOTALL)
    code = code.replace("customer_360", "dim_customers")
    shown = "import json\nprint(json.dumps([*customers.shape, str(customers.dtypes)]))"
    *shape, types = ask({}, f"{code}\n{shown}", cwd=small.home)
    assert shape == [len(hostile_rows("run-1")), 10]
    assert re.search(r"last_seen_at +datetime64", types)


# --- while other runs are published ---------------------------------------------------

LOOK = """
import duckdb, json, pathlib, sys
file, stop = sys.argv[1:]
print(duckdb.__version__, flush=True)
while not pathlib.Path(stop).exists():
    with duckdb.connect(file, read_only=True) as connection:
        (row,) = connection.execute(
            "select (select string_agg(run_id, ',') from marts.published_run),"
            " (select string_agg(distinct run_id, ',') from marts.dim_customers),"
            " (select count(*) from marts.dim_customers),"
            " (select sum(rows_count) from marts.published_tables)"
        ).fetchall()
    print(json.dumps([*map(str, row)]), flush=True)
"""


def test_readers_of_three_versions_see_one_run_or_the_other(client, tmp_path):
    """They open the file anew, again and again, while it is replaced."""
    file = publish(tmp_path, "run-0", 100).published_file
    stop = tmp_path / "stop"
    readers = [
        subprocess.Popen(
            [sys.executable, "-c", LOOK, file, stop],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for environment in ({}, client(*OLDEST), client(*NEWEST))
    ]
    try:
        assert len({reader.stdout.readline() for reader in readers}) == 3
        for number in range(1, 21):
            publish(tmp_path, f"run-{number}", 100 + number)
        time.sleep(0.1)
    finally:
        stop.touch()
        told = [reader.communicate(timeout=60) for reader in readers]
    assert [reader.returncode for reader in readers] == [0, 0, 0], told
    whole = {
        json.dumps([f"run-{number}", f"run-{number}", f"{rows}", f"{rows}"])
        for number, rows in ((number, 100 + number) for number in range(21))
    }
    for out, _ in told:
        seen = set(out.splitlines())
        assert seen <= whole
        assert len(seen) > 3


def test_the_file_is_left_alone_by_who_reads_it(small, client):
    """No client leaves a log or a lock beside it."""
    folder: Path = small.published_file.parent
    before = {path.name for path in folder.iterdir()}
    ask(client(*NEWEST), READ_ALL, small.published_file)
    assert {path.name for path in folder.iterdir()} == before == {"demo.duckdb"}
