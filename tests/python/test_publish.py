"""What readers open: whole, of one run, and as it was until another one is whole."""

import contextlib
import dataclasses
import errno
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path

import duckdb
import pytest
from conftest import PERENNIAL, ROOT, SAMPLE, Build, run_build

from perennial import __version__, keyed_hash
from perennial import erase as erasing
from perennial.delivering import exports
from perennial.faults import Fault, LockFault
from perennial.project import Project
from perennial.publishing import (
    building,
    files,
    gate,
    history,
    run_log,
    snapshots,
)
from perennial.publishing.lock import held, holder
from perennial.publishing.tables import Manifest, connect
from perennial.publishing.verifying import damages

pytestmark = pytest.mark.publish


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def perennial(*arguments: str, home: Path, **environment: str):
    command = [str(PERENNIAL), *arguments, "--connector", "cdnow"]
    return subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {"PERENNIAL_HOME": str(home), **environment},
        capture_output=True,
        text=True,
    )


@dataclasses.dataclass
class Home:
    """A copy of the sample's home, and the library upon it."""

    path: Path
    manifest: Manifest

    @property
    def project(self) -> Project:
        return Project(ROOT, self.path, "cdnow")

    @property
    def published(self) -> Path:
        return self.project.published_file

    def results(self) -> dict[str, str]:
        return dict.fromkeys(self.manifest.nodes, "success")

    def publish(self, run_id: str | None = None, results=None, arguments=()) -> str:
        """Publish the working file as if another run had just built it."""
        run_id = run_id or str(uuid.uuid4())
        self.manifest = dataclasses.replace(self.manifest, run_id=run_id)
        path = self.path / "manifest.json"
        told = json.loads((self.path / "target" / "manifest.json").read_text())
        told["metadata"]["invocation_id"] = run_id
        path.write_text(json.dumps(told))
        with held(self.project, "a test"):
            building.prepare(self.project)
            journal = run_log.Journal(self.project)
            journal.name(run_id)
            results = self.results() if results is None else results
            return building.finish(
                self.project, path, list(arguments), results, journal
            )

    def write(self, statement: str) -> None:
        with duckdb.connect(str(self.project.working_file)) as connection:
            connection.execute(statement)

    def rows(self, query: str) -> list[tuple]:
        with duckdb.connect(str(self.published), read_only=True) as connection:
            return connection.execute(query).fetchall()

    def run_id(self) -> str:
        ((run_id,),) = self.rows("select run_id from marts.published_run")
        return run_id

    def log(self, run_id: str) -> list[tuple]:
        with connect() as connection:
            return connection.execute(
                f"select step, kind, status, rows_count from"
                f" ({run_log.log_query(self.project)}) where run_id = ?"
                " order by started_at",
                [run_id],
            ).fetchall()


@pytest.fixture(scope="module")
def published(sample, tmp_path_factory) -> Home:
    """The sample as its build left it; not to be written to."""
    path = tmp_path_factory.mktemp("published") / "home"
    shutil.copytree(sample.home, path)
    return Home(path, Manifest.read(path / "target" / "manifest.json"))


@pytest.fixture
def home(published, tmp_path) -> Home:
    shutil.copytree(published.path, tmp_path / "home")
    return Home(tmp_path / "home", published.manifest)


# --- what is published ----------------------------------------------------------------


def recounted(connection, name: str) -> tuple[int, set]:
    rows = connection.execute(f'select * from marts."{name}"').fetchall()
    return len(rows), {repr(row) for row in rows}


def test_the_published_file_holds_the_marts_and_nothing_else(sample, published):
    marts = set(published.manifest.marts)
    assert len(marts) > 40
    added = {"published_run", "published_tables", "run_log"}
    assert {
        name for (name,) in published.rows("select table_name from duckdb_tables()")
    } == marts | added
    assert published.rows(
        "select distinct schema_name from duckdb_tables()"
        " union all select view_name from duckdb_views() where not internal"
    ) == [("marts",)]
    with (
        duckdb.connect(str(published.published), read_only=True) as copy,
        duckdb.connect(str(sample.file), read_only=True) as working,
    ):
        told = dict(
            copy.execute(
                "select table_name, rows_count from marts.published_tables"
            ).fetchall()
        )
        assert told.keys() == marts
        for name in marts:
            count, rows = recounted(copy, name)
            assert (count, rows) == recounted(working, name), name
            assert told[name] == count


def test_one_row_says_which_run_is_published(sample, published):
    (row,) = published.rows(
        "select run_id, connector, cast(score_date as varchar), published_at >"
        " started_at, perennial_version, duckdb_version, tables_count, rows_count,"
        " customers_count, refused_share, completeness from marts.published_run"
    )
    marts = published.manifest.marts
    ((built_by,),) = sample.rows("select distinct run_id from registry.predictions_log")
    with duckdb.connect(str(published.published), read_only=True) as copy:
        rows_count = sum(recounted(copy, name)[0] for name in marts)
    assert row == (
        *(built_by, "cdnow", "1998-06-30", True, __version__, duckdb.__version__),
        *(len(marts), rows_count, 2357, 0.0, 1.0),
    )
    assert published.rows("select distinct run_id from marts.published_tables") == [
        (built_by,)
    ]


def test_every_comment_is_there(published):
    told = dict(published.rows("select table_name, comment from duckdb_tables()"))
    assert all(told.values()), told
    manifest = json.loads((published.path / "target" / "manifest.json").read_text())
    node = manifest["nodes"]["model.perennial.clv_scores"]
    assert told["clv_scores"] == " ".join(node["description"].split())
    assert (
        published.rows(
            "select table_name, column_name from duckdb_columns()"
            " where not internal and comment is null"
        )
        == []
    )


def test_another_version_of_duckdb_can_read_the_file(published):
    """What 1.5 writes by default is the storage of 1.0, which 1.4 and 2.0 read."""
    assert published.rows(
        "select tags['storage_version'] from duckdb_databases()"
        " where database_name = current_database()"
    ) == [("v1.0.0+",)]


def test_the_log_of_a_run_is_what_dbt_did(sample, published):
    run_id = published.run_id()
    log = published.rows(
        "select step, kind, status, rows_count, seconds >= 0 from marts.run_log"
        f" where run_id = '{run_id}'"
    )
    ran = {one[0] for one in log if one[1] in ("model", "seed", "test")}
    results = json.loads((published.path / "target" / "run_results.json").read_text())
    expected = [
        one["unique_id"].split(".")
        for one in results["results"]
        # of an exposure nothing is built, and a hook is no step
        if not one["unique_id"].startswith(("exposure.", "operation."))
    ]
    assert ran == {one[2] for one in expected}
    assert len([one for one in log if one[1] != "publishing"]) == len(expected) + 1
    assert [one[:3] for one in log if one[1] == "run"] == [
        ("build", "run", "published")
    ]
    assert {one[0] for one in log if one[1] == "publishing"} == {"gate", "copy"}
    stored = sample.rows(
        "select table_name, schema_name from duckdb_tables() where schema_name <> 'dbt'"
    )
    counted = {one[0]: one[3] for one in log if one[1] in ("model", "seed")}
    for name, schema in stored:
        if name in counted:
            (count,) = sample.row(f'select count(*) from "{schema}"."{name}"')
            assert counted[name] == count, name
    assert len(published.log(run_id)) == len(log) + 4  # with what came after the copy


def test_a_reader_keeps_what_it_opened(home):
    """Written over in place of put in its place, the file would change under it."""
    before = home.run_id()
    inode = home.published.stat().st_ino
    code = (
        "import duckdb, sys\n"
        "connection = duckdb.connect(sys.argv[1], read_only=True)\n"
        "for line in sys.stdin:\n"
        "    run = connection.execute('from marts.published_run').fetchone()[0]\n"
        "    rows = connection.execute('from marts.fct_orders').fetchall()\n"
        "    print(run, len(rows), flush=True)\n"
    )
    reader = subprocess.Popen(
        [sys.executable, "-c", code, str(home.published)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def read() -> str:
        print("again", file=reader.stdin, flush=True)
        return reader.stdout.readline().split()[0]

    assert read() == before
    home.publish()
    assert home.published.stat().st_ino != inode
    assert read() == before
    reader.communicate()
    assert home.run_id() == home.manifest.run_id != before


# --- what is not published ------------------------------------------------------------


@pytest.fixture
def untouched(home):
    """The published file stays as it is, byte for byte, and nothing is left beside."""
    before = digest(home.published)
    yield home
    assert digest(home.published) == before
    left = {path.name for path in home.published.parent.iterdir()}
    assert left == {"cdnow.duckdb", "snapshots"}


def test_a_part_publishes_nothing_and_says_so(untouched):
    built = run_build(untouched.path, selection=("--select", "int_settings"))
    assert built.exit_code == 0, built.errors
    assert "Nothing was published: " in built.output
    assert "marts among them (" in built.output
    ((step, kind, status, _),) = [
        row for row in untouched.log(last_run(untouched)) if row[1] == "run"
    ]
    assert (step, kind, status) == ("build", "run", "not_published")


def last_run(home: Home) -> str:
    with connect() as connection:
        return connection.execute(
            "select max_by(run_id, started_at) from"
            f" ({run_log.log_query(home.project)}) where kind = 'run'"
        ).fetchone()[0]


def test_a_red_test_publishes_nothing(untouched):
    untouched.write("insert into marts.clv_scores select * from marts.clv_scores")
    built = run_build(
        untouched.path,
        selection=("--select", "clv_scores", "--resource-type", "test"),
    )
    assert built.exit_code == 1
    assert "one_row_per_clv_scores" in built.errors
    log = untouched.log(last_run(untouched))
    assert ("build", "run", "failed") in {row[:3] for row in log}
    assert {row[2] for row in log} >= {"fail"}


@pytest.mark.parametrize("status", ["fail", "error", "skipped"])
def test_whatever_did_not_pass_stops_at_the_gate(untouched, status):
    node = untouched.manifest.mart_ids["clv_scores"]
    with pytest.raises(gate.GateFault, match="clv_scores did not pass"):
        untouched.publish(results={**untouched.results(), node: status})
    assert [row[2] for row in untouched.log(untouched.manifest.run_id)] == [
        *("stopped", "error")
    ]


def without_values(count: int) -> str:
    return (
        "update marts.clv_scores set expected_amount = null where customer_id in ("
        f"select customer_id from marts.dim_customers order by 1 limit {count})"
    )


def test_too_few_values_stop_at_the_gate(untouched):
    """12 of 2,357 customers are more than .5 %, and 11 are not."""
    untouched.write(without_values(12))
    with pytest.raises(gate.GateFault) as told:
        untouched.publish()
    assert "2,345 of 2,357 customers (99.49%) have a value" in str(told.value)
    assert "least_completeness" in str(told.value)


def test_enough_values_pass_the_gate(home):
    home.write(without_values(11))
    home.publish()
    ((share,),) = home.rows("select completeness from marts.published_run")
    assert 0.995 < share < 1


def test_another_dbt_between_stops_at_the_gate(untouched):
    path = untouched.path / "target" / "manifest.json"
    with held(untouched.project, "a test"):
        journal = run_log.Journal(untouched.project)
        with pytest.raises(gate.GateFault, match="another dbt"):
            building.finish(untouched.project, path, [], untouched.results(), journal)


def of_selector(home: Home) -> dict[str, str]:
    """What a daily run builds, so to speak: all but the backtest."""
    return {
        one: status for one, status in home.results().items() if "backtest" not in one
    }


def test_a_named_selector_publishes_beside_what_is_published(home):
    before = home.run_id()
    home.publish(results=of_selector(home), arguments=["--selector", "inference_daily"])
    runs = dict(home.rows("select table_name, run_id from marts.published_tables"))
    assert runs["churn_scores_daily"] == home.run_id() != before
    assert runs["clv_backtest_metrics"] == before
    assert damages(home.published) == []


def test_a_named_selector_never_publishes_what_a_failed_run_left(untouched):
    untouched.write("delete from marts.clv_backtest_metrics where as_of_date is null")
    untouched.write(
        "delete from marts.clv_backtest_metrics where rowid = ("
        "select max(rowid) from marts.clv_backtest_metrics)"
    )
    with pytest.raises(gate.GateFault, match="leaves clv_backtest_metrics as it is"):
        untouched.publish(
            results=of_selector(untouched),
            arguments=["--selector=inference_daily"],
        )


def test_a_named_selector_never_keeps_marts_of_other_settings(untouched):
    """With ids hashed from today on, a daily run would leave raw ones beside them."""
    untouched.write("update intermediate.int_settings set settings_hash = 'other'")
    with pytest.raises(gate.GateFault, match="a setting is another"):
        untouched.publish(
            results=of_selector(untouched),
            arguments=["--selector", "inference_daily"],
        )


def test_a_copy_that_differs_is_not_published(untouched, monkeypatch):
    monkeypatch.setattr(
        building.candidate,
        "_copy",
        lambda connection, one: building.candidate._create(
            connection, one.table.name, one.columns, one.table
        ),
    )
    with pytest.raises(Fault, match="the copy differs"):
        untouched.publish()


# --- the lock -------------------------------------------------------------------------


def test_who_writes_is_told_and_who_waits_is_let_in(home):
    with held(home.project, "perennial build"):
        told = holder(home.project)
        assert (told.pid, told.command) == (os.getpid(), "perennial build")
        with (
            pytest.raises(LockFault, match=f"PID {os.getpid()}, since 20"),
            held(home.project, "perennial rollback"),
        ):
            pass
        for command in (["rollback"], ["build"], ["doctor", "files"]):
            refused = perennial(*command, home=home.path)
            assert refused.returncode == 75, refused.stderr
            assert refused.stderr.count("\n") == 1
            assert f"PID {os.getpid()}" in refused.stderr
        waiting = subprocess.Popen(
            [str(PERENNIAL), "build", "--wait", "-c", "cdnow", "--", "--no-such-flag"],
            cwd=ROOT,
            env=os.environ | {"PERENNIAL_HOME": str(home.path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        line = waiting.stdout.readline()
        assert f"waiting for perennial build (PID {os.getpid()}" in line
        assert waiting.poll() is None
    _, errors = waiting.communicate(timeout=60)
    assert waiting.returncode == 2, errors  # it came as far as dbt
    assert holder(home.project) is None


def test_a_second_writer_is_told_at_once(home):
    """Promised within a second on a machine that has nothing else to do."""
    with held(home.project, "perennial build"):
        taken = []
        for _ in range(3):
            began = time.monotonic()
            assert perennial("build", home=home.path).returncode == 75
            taken.append(time.monotonic() - began)
    assert min(taken) < 1


def test_a_dbt_that_outlives_its_build_holds_the_lock(home):
    """Killed alone, the build's dbt goes on writing to the working file."""
    code = (
        "import subprocess, sys, os, signal\n"
        "from pathlib import Path\n"
        "from perennial.project import Project\n"
        "from perennial.publishing.lock import held\n"
        f"project = Project(Path({str(ROOT)!r}), Path({str(home.path)!r}), 'cdnow')\n"
        "with held(project, 'perennial build') as lock:\n"
        "    dbt = subprocess.Popen(['sleep', '60'], pass_fds=[lock.descriptor])\n"
        "    lock.name_dbt(dbt.pid)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", code])
    assert killed.returncode == -signal.SIGKILL
    child = holder(home.project).dbt_pid
    try:
        with (
            pytest.raises(LockFault, match=f"is gone, but PID {child} that it"),
            held(home.project, "perennial build"),
        ):
            pass
    finally:
        os.kill(child, signal.SIGKILL)
    until = time.monotonic() + 10
    while holder(home.project) and time.monotonic() < until:
        time.sleep(0.05)
    with held(home.project, "perennial build"):
        pass


# --- killed at each step --------------------------------------------------------------

_PUBLISH_AND_DIE = """
import json, os, signal, sys
from pathlib import Path
from perennial.project import Project
from perennial.publishing import building, run_log
from perennial.publishing.lock import held
from perennial.publishing.tables import Manifest

root, home, step = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
project = Project(root, home, "cdnow")
manifest = Manifest.read(home / "manifest.json")


def tell(name):
    if name == step:
        os.kill(os.getpid(), signal.SIGKILL)


with held(project, "perennial build"):
    building.prepare(project)
    journal = run_log.Journal(project)
    journal.name(manifest.run_id)
    results = dict.fromkeys(manifest.nodes, "success")
    building.publish(project, manifest, results, journal, tell)
"""


def start_publishing(home: Home, run_id: str, step: str) -> subprocess.Popen:
    told = json.loads((home.path / "target" / "manifest.json").read_text())
    told["metadata"]["invocation_id"] = run_id
    (home.path / "manifest.json").write_text(json.dumps(told))
    return subprocess.Popen(
        [sys.executable, "-c", _PUBLISH_AND_DIE, str(ROOT), str(home.path), step]
    )


def content(home: Home) -> set[tuple]:
    return set(
        home.rows(
            "select table_name, rows_count, content_hash from marts.published_tables"
        )
    )


def assert_converged(home: Home, before: set[tuple]) -> None:
    """After one more run all is as if nobody had been killed."""
    run_id = home.run_id()
    building.prepare(home.project)
    left = {path.name for path in home.published.parent.iterdir()}
    assert left == {"cdnow.duckdb", "snapshots"}
    assert run_id in snapshots.newest_first(home.project)[0].name
    home.publish()
    assert content(home) == before
    assert damages(home.published) == []
    newest = snapshots.newest_first(home.project)
    assert digest(newest[0]) == digest(home.published)
    assert len(newest) <= snapshots.KEPT
    assert not list(home.path.rglob("*.part"))
    assert not list((home.path / "warehouse").glob("*.running.jsonl*"))
    with connect() as connection:
        for kept in history.KEPT:
            if not kept.files(home.project):
                continue
            rows = history._rows(kept.files(home.project))
            count, distinct = connection.execute(
                f"select count(*), (select count(*) from (select distinct * from {rows}"
                f")) from {rows}"
            ).fetchone()
            assert count == distinct, kept.name


@pytest.mark.parametrize("step", building.STEPS)
def test_killed_at_a_step_readers_have_the_old_or_the_new(home, step):
    before, old, run_id = content(home), home.run_id(), str(uuid.uuid4())
    bytes_before = digest(home.published)
    killed = start_publishing(home, run_id, step)
    assert killed.wait() == -signal.SIGKILL
    is_new = building.STEPS.index(step) > building.STEPS.index("replace")
    assert home.run_id() == (run_id if is_new else old)
    assert is_new or digest(home.published) == bytes_before
    assert damages(home.published) == []
    assert_converged(home, before)
    ((status,),) = [(row[2],) for row in home.log(run_id) if row[1] == "run"]
    assert status == ("published" if is_new else "killed")


def test_killed_while_the_copy_is_written_readers_have_the_old(home):
    before, bytes_before = content(home), digest(home.published)
    for delay in (0, 0.05, 0.2):
        working = start_publishing(home, str(uuid.uuid4()), "verify")
        while working.poll() is None and not home.project.candidate_file.exists():
            time.sleep(0.005)
        time.sleep(delay)
        working.kill()
        working.wait()
        assert digest(home.published) == bytes_before
    assert_converged(home, before)


def test_a_full_disk_leaves_what_is_published(untouched, monkeypatch):
    def full(*_):
        raise duckdb.IOException('Could not write file "x": No space left on device')

    monkeypatch.setattr(building.candidate, "_copy", full)
    with pytest.raises(Fault, match=r"The disk of .+ is full, so nothing was publ"):
        untouched.publish()


def test_a_disk_that_is_full_after_publishing_is_made_good(home, monkeypatch):
    before = content(home)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(files.shutil, "copyfile", full)
        with pytest.raises(Fault, match="is whole, but its snapshot and history"):
            home.publish()
    assert home.run_id() == home.manifest.run_id
    assert damages(home.published) == []
    assert_converged(home, before)


def test_a_build_that_would_fill_the_disk_does_not_begin(untouched, monkeypatch):
    working = untouched.project.working_file.stat().st_size
    usage = shutil.disk_usage(untouched.path)
    monkeypatch.setattr(
        shutil, "disk_usage", lambda _: usage._replace(free=2 * working)
    )
    with pytest.raises(Fault, match="free, and a build needs") as told:
        building.prepare(untouched.project)
    assert "Readers have what they had" in str(told.value)
    monkeypatch.setattr(
        shutil, "disk_usage", lambda _: usage._replace(free=3 * working + 10**8)
    )
    building.prepare(untouched.project)


# --- back -----------------------------------------------------------------------------


def test_rollback_goes_back_one_after_the_other(home):
    runs = [home.run_id()]
    for _ in range(3):
        home.publish()
        runs.append(home.run_id())
    assert len(snapshots.newest_first(home.project)) == snapshots.KEPT
    for expected in (runs[2], runs[1]):
        told = perennial("rollback", home=home.path)
        assert told.returncode == 0, told.stderr
        assert f"published now: run {expected}" in told.stdout
        assert home.run_id() == expected
        assert perennial("verify", home=home.path).returncode == 0
    before = digest(home.published)
    told = perennial("rollback", home=home.path)
    assert told.returncode == 1
    assert "There is nothing to go back to" in told.stderr
    assert digest(home.published) == before
    home.publish()
    assert home.run_id() == home.manifest.run_id


def test_rollback_passes_over_a_snapshot_that_is_damaged(home):
    first = home.run_id()
    home.publish()
    home.publish()
    _, second, _ = snapshots.newest_first(home.project)
    flip(second, position_of(second, "fct_orders"))
    told = perennial("rollback", home=home.path)
    assert told.returncode == 0, told.stderr
    assert f"passed over {second}: fct_orders cannot be read" in told.stdout
    assert home.run_id() == first


# --- damage ---------------------------------------------------------------------------


def flip(path: Path, position: int) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 0x10
    path.write_bytes(content)


def position_of(path: Path, table: str) -> int:
    """Somewhere within the first block that a table has to itself."""
    with duckdb.connect(str(path), read_only=True) as connection:
        blocks = connection.execute(
            "select block_id from pragma_storage_info(?)"
            " where block_id >= 0 and segment_type <> 'VALIDITY'",
            [f"marts.{table}"],
        ).fetchall()
        (size,) = connection.execute(
            "select block_size from pragma_database_size()"
        ).fetchone()
    # three headers of 4 KB stand before the blocks
    return 3 * 4096 + blocks[0][0] * size + 1000


@pytest.mark.corrupt
@pytest.mark.parametrize("table", ["fct_orders", "clv_scores", "run_log"])
def test_a_flipped_bit_is_found_and_the_table_named(home, table):
    flip(home.published, position_of(home.published, table))
    told = perennial("verify", home=home.path)
    assert told.returncode == 1
    assert f"{table} cannot be read" in told.stderr
    assert "Run perennial doctor files" in told.stderr


@pytest.mark.corrupt
def test_wherever_a_bit_is_flipped_it_is_found_or_harms_nobody(published, tmp_path):
    draw = random.Random(7)
    size = published.published.stat().st_size
    found = 0
    for number in range(25):
        copy = tmp_path / f"{number}.duckdb"
        shutil.copy(published.published, copy)
        flip(copy, draw.randrange(size))
        if damages(copy):
            found += 1
            continue
        with (
            duckdb.connect(str(copy), read_only=True) as one,
            duckdb.connect(str(published.published), read_only=True) as other,
        ):
            for name in published.manifest.marts:
                assert recounted(one, name) == recounted(other, name)
        copy.unlink()
    assert found > 10


@pytest.mark.corrupt
@pytest.mark.parametrize("share", [0.999, 0.5, 0.1, 0])
def test_a_file_that_was_cut_is_found(home, share):
    size = home.published.stat().st_size
    os.truncate(home.published, int(size * share))
    assert perennial("verify", home=home.path).returncode == 1


@pytest.mark.corrupt
@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("update marts.fct_orders set amount = amount + 1 where rowid = 5", "other"),
        ("delete from marts.fct_orders where rowid = 5", "rows, and"),
        ("drop table marts.clv_scores", "clv_scores is missing"),
        ("create table marts.mine as select 1 as x", "mine was not published"),
        ("create view marts.mine as select 1 as x", "mine is no table"),
        ("insert into marts.published_run from marts.published_run", "2 rows"),
        ("delete from marts.published_run", "0 rows"),
        ("update marts.published_tables set rows_count = 0", "does not add up"),
    ],
)
def test_what_somebody_wrote_is_found(home, statement, told):
    with duckdb.connect(str(home.published)) as connection:
        connection.execute(statement)
    assert told in "\n".join(damages(home.published))


@pytest.mark.corrupt
def test_a_damaged_file_is_set_aside_and_a_snapshot_steps_in(home):
    home.publish()
    whole, newest = home.run_id(), snapshots.newest_first(home.project)[0]
    position = position_of(home.published, "fct_orders")
    flip(home.published, position)
    damaged = digest(home.published)
    told = perennial("doctor", "files", home=home.path)
    assert told.returncode == 0, told.stderr
    assert f"published now: run {whole}" in told.stdout
    assert digest(home.published) == digest(newest)
    (aside,) = home.published.parent.glob("cdnow.duckdb.damaged_*")
    assert digest(aside) == damaged
    assert perennial("verify", home=home.path).returncode == 0
    # the newest snapshot is damaged as well: the one before steps in
    flip(home.published, position)
    flip(newest, position)
    told = perennial("doctor", "files", home=home.path)
    assert told.returncode == 0, told.stderr
    assert f"passed over {newest}" in told.stdout
    assert home.run_id() != whole
    # and where none is whole, that is said, and nothing is deleted
    for path in [home.published, *snapshots.newest_first(home.project)]:
        path.write_bytes(path.read_bytes()[:5000])
    told = perennial("doctor", "files", home=home.path)
    assert told.returncode == 1
    assert "no snapshot verifies" in told.stderr
    assert home.published.exists()


@pytest.mark.corrupt
def test_a_missing_published_file_is_put_back(home):
    run_id = home.run_id()
    home.published.unlink()
    assert perennial("verify", home=home.path).returncode == 1
    told = perennial("doctor", "files", home=home.path)
    assert told.returncode == 0, told.stderr
    assert home.run_id() == run_id


@pytest.mark.corrupt
def test_a_damaged_wal_is_set_aside(home):
    """Without its checksum's word, what stood in it would be lost without a word."""
    code = (
        "import duckdb, os, sys\n"
        "connection = duckdb.connect(sys.argv[1])\n"
        "connection.execute('create table reading.more as from range(100000)')\n"
        "connection.execute('insert into reading.more from range(10)')\n"
        "os._exit(0)\n"
    )
    file = home.project.working_file
    subprocess.run([sys.executable, "-c", code, str(file)], check=True)
    wal = files.beside(file, files.WAL)
    flip(wal, wal.stat().st_size // 2)
    content = digest(wal)
    built = run_build(home.path, selection=("--select", "int_settings"))
    assert built.exit_code == 1
    assert "Run perennial doctor files" in built.errors
    assert "Traceback" not in built.errors
    told = perennial("doctor", "files", home=home.path)
    assert told.returncode == 0, told.stderr
    assert "WAL" in told.stdout.upper()
    (aside,) = file.parent.glob("*.wal.damaged_*")
    assert digest(aside) == content
    with duckdb.connect(str(file), read_only=True) as connection:
        assert connection.execute("from registry.model_registry").fetchall()


@pytest.mark.corrupt
def test_a_damaged_working_file_is_set_aside(home):
    file = home.project.working_file
    os.truncate(file, file.stat().st_size // 2)
    told = perennial("doctor", "files", home=home.path)
    assert told.returncode == 0, told.stderr
    assert "rows of model_registry" in told.stdout
    assert not file.exists()
    assert len(list(file.parent.glob("cdnow.duckdb.damaged_*"))) == 1
    told = perennial("doctor", "files", home=home.path)
    assert told.returncode == 0
    assert "is not there: perennial build makes it anew" in told.stdout


# --- history --------------------------------------------------------------------------


def test_history_gets_new_rows_alone(home):
    kept = {one.name: one for one in history.KEPT}

    def count(name: str) -> tuple[int, int]:
        found = kept[name].files(home.project)
        with connect() as connection:
            rows = connection.execute(f"select count(*) from {history._rows(found)}")
            return len(found), rows.fetchone()[0]

    before = count("promotion_log")
    home.publish()
    assert count("promotion_log") == before
    home.write(
        "insert into registry.promotion_log by name select * replace (event_number + 1"
        " as event_number) from registry.promotion_log"
        " order by event_number desc limit 1"
    )
    home.publish()
    assert count("promotion_log") == (before[0] + 1, before[1] + 1)


def test_rows_that_the_working_file_lost_come_back(home):
    """A WAL that was cut loses its last commits, and DuckDB says nothing."""
    query = "select * from registry.promotion_log order by event_number"
    with duckdb.connect(str(home.project.working_file)) as connection:
        before = connection.execute(query).fetchall()
        connection.execute("delete from registry.promotion_log where event_number > 1")
    told = building.prepare(home.project)
    assert any("rows of registry.promotion_log" in line for line in told)
    with duckdb.connect(str(home.project.working_file)) as connection:
        assert connection.execute(query).fetchall() == before


def test_the_history_of_another_working_file_is_set_aside(home):
    """Two lines of events with the same numbers cannot become one."""
    home.write("update registry.promotion_log set model_id = 'another'")
    count = len(list(home.project.history_folder.rglob("*.parquet")))
    told = building.prepare(home.project)
    assert any("was not begun from its history (promotion_log" in one for one in told)
    (aside,) = home.project.history_folder.glob("set_aside*")
    assert len(list(home.project.history_folder.rglob("*.parquet"))) == count
    assert building.prepare(home.project) == []
    home.publish()
    assert list((home.project.history_folder / "promotion_log").glob("*.parquet"))
    assert list((aside / "promotion_log").glob("*.parquet"))


def test_every_table_that_a_full_refresh_keeps_is_kept_or_said_why(published):
    nodes = json.loads((published.path / "target" / "manifest.json").read_text())
    lasting = {
        node["name"]
        for node in nodes["nodes"].values()
        if node["config"].get("full_refresh") is False
    }
    kept = {one.name for one in history.KEPT if one.is_ledger}
    assert lasting == kept | set(history.MADE_AGAIN)


# --- a person is erased ---------------------------------------------------------------


@pytest.fixture
def person(home, monkeypatch) -> str:
    """Somebody who was scored, and a key to erase them with."""
    monkeypatch.setenv(keyed_hash.KEY_VARIABLE, "canary key 8f1d27ac5b")
    logged = home.project.history_folder / "predictions_log"
    return duckdb.sql(f"select min(customer_id) from '{logged}/*.parquet'").fetchone()[
        0
    ]


def named(connection, person: str) -> dict[str, int]:
    """Rows of the person in each table that has customers."""
    tables = connection.execute(
        "select schema_name, table_name from duckdb_columns()"
        " where column_name = 'customer_id' and not internal"
    ).fetchall()
    counts = {
        f"{schema}.{name}": connection.execute(
            f'select count(*) from "{schema}"."{name}" where customer_id = ?', [person]
        ).fetchone()[0]
        for schema, name in tables
    }
    return {name: count for name, count in counts.items() if count}


@pytest.mark.privacy
def test_a_person_is_erased_from_all_that_was_published(home, person):
    home.publish()
    aside = files.beside(home.published, ".damaged_once")
    shutil.copy(home.published, aside)
    kept = [home.published, *snapshots.newest_first(home.project)]
    comments = "select table_name, comment from duckdb_tables() order by all"
    for form in (exports.PARQUET, exports.CSV):
        exports.export(home.project, form)
    others = {}
    for file in kept:
        with duckdb.connect(str(file), read_only=True) as connection:
            assert len(named(connection, person)) > 5
            query = (
                f"from marts.fct_orders where customer_id <> '{person}' order by all"
            )
            others[file] = (
                connection.execute(query).fetchall(),
                connection.execute(comments).fetchall(),
            )
    logged = f"read_parquet('{home.project.history_folder}/predictions_log/*.parquet')"
    theirs = f"select count(*) filter (where customer_id = '{person}'), count(*)"
    before, total = duckdb.sql(f"{theirs} from {logged}").fetchone()
    assert before > 0

    told = perennial("erase", person, home=home.path)
    assert told.returncode == 0, told.stdout + told.stderr
    for file in kept:
        assert damages(file) == []
        with duckdb.connect(str(file), read_only=True) as connection:
            assert named(connection, person) == {}
            assert others[file] == (
                connection.execute(query).fetchall(),
                connection.execute(comments).fetchall(),
            )
    assert duckdb.sql(f"{theirs} from {logged}").fetchone() == (0, total - before)
    assert not aside.exists()
    for form in (exports.PARQUET, exports.CSV):
        exported = (
            exports.default_folder(home.project, form) / f"fct_orders.{form.ending}"
        )
        found = duckdb.sql(f"{theirs} from '{exported}'").fetchone()
        assert found == (0, len(others[home.published][0]))
    assert perennial("verify", home=home.path).returncode == 0

    # a new working file knows whom to leave out
    with duckdb.connect(str(home.project.working_file), read_only=True) as connection:
        erasures = connection.execute("from reading.erasures").fetchall()
    home.project.working_file.unlink()
    building.prepare(home.project)
    with duckdb.connect(str(home.project.working_file), read_only=True) as connection:
        assert connection.execute("from reading.erasures").fetchall() == erasures
        assert len(erasures) == 1


@pytest.mark.privacy
@pytest.mark.parametrize("place", ["what is published", "history", "Parquet and CSV"])
def test_an_erasure_that_forgets_a_place_is_told(home, person, monkeypatch, place):
    exports.export(home.project, exports.PARQUET)
    places = [one for one in erasing.PLACES if one.name != place]
    assert len(places) == len(erasing.PLACES) - 1
    monkeypatch.setattr(erasing, "PLACES", places)
    with pytest.raises(Fault, match="Something of the erased is left: a row of"):
        erasing.erase(home.project, [person])


# --- a build from history alone, with readers and another build beside it -------------

_READER = """
import json, sys, time
from pathlib import Path
import duckdb

file, stop = sys.argv[1], Path(sys.argv[2])
reads, runs, errors, mixed, empty = 0, [], [], 0, 0
while not stop.exists():
    try:
        with duckdb.connect(file, read_only=True) as connection:
            def ask(query):
                return connection.execute(query).fetchall()
            said = ask("select run_id from marts.published_run")
            told = ask(
                "select table_name, rows_count, run_id from marts.published_tables"
            )
            counts = {
                name: ask(f'select count(*) from marts."{name}"')[0][0]
                for name, *_ in told
            }
        reads += 1
        mixed += len(said) != 1 or {row[2] for row in told} != {said[0][0]}
        mixed += any(counts[name] != count for name, count, _ in told)
        empty += not counts.get("fct_orders") or not counts.get("clv_scores")
        if not runs or runs[-1] != said[0][0]:
            runs.append(said[0][0])
    except Exception as error:
        errors.append(str(error)[:200])
    time.sleep(0.2)
print(json.dumps([reads, runs, errors[:3], mixed, empty]))
"""


@dataclasses.dataclass
class Restored:
    build: Build
    readers: list[list]
    second: subprocess.CompletedProcess
    seconds: float
    dbt_files: list[str]


@pytest.fixture(scope="module")
def restored(published, tmp_path_factory) -> Restored:
    """The home without its working file, built anew while others read and build."""
    path = tmp_path_factory.mktemp("restored") / "home"
    shutil.copytree(published.path, path)
    for file in (path / "warehouse").iterdir():
        file.unlink()
    file, stop = path / "published" / "cdnow.duckdb", path / "stop"
    readers = [
        subprocess.Popen(
            [sys.executable, "-c", _READER, str(file), str(stop)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    project = Project(ROOT, path, "cdnow")
    second, seconds, dbt_files = [], [], []

    def build_beside() -> None:
        until = time.monotonic() + 60
        while holder(project) is None and time.monotonic() < until:
            time.sleep(0.05)
        began = time.monotonic()
        second.append(perennial("build", home=path))
        seconds.append(time.monotonic() - began)
        while (who := holder(project)) and not who.dbt_pid:
            time.sleep(0.05)
        if who and Path("/proc/self/fd").exists():  # Linux alone
            for one in list(Path(f"/proc/{who.dbt_pid}/fd").iterdir()):
                with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                    dbt_files.append(os.readlink(one))

    beside = threading.Thread(target=build_beside)
    beside.start()
    try:
        build = run_build(path, settings=SAMPLE, everything=True)
        time.sleep(0.3)  # they see what is new
    finally:
        stop.touch()
        beside.join()
        told = [json.loads(reader.communicate()[0]) for reader in readers]
    return Restored(build, told, second[0], seconds[0], dbt_files)


def test_a_build_goes_on_where_history_ends(restored, sample):
    build = restored.build
    assert build.exit_code == 0, build.errors
    assert "a new working file begins with rows of its history: " in build.output
    models = (
        "select model_id, document_sha256, fit_reason from registry.model_registry"
        " order by model_id"
    )
    assert build.rows(models) == sample.rows(models)
    decided = "select distinct reason from training.retrain_decision"
    assert build.rows(decided) == [("not_due",)]
    logged = "select * from registry.predictions_log order by all"
    assert build.rows(logged) == sample.rows(logged)
    read = (
        "select reading_id, file_sha256, file_status, first_read_date"
        " from reading.files_read order by ledger_number"
    )
    assert build.rows(read) == sample.rows(read)


def test_a_restored_ledger_has_every_file_read_again(restored, sample):
    query = "select count(*), sum(amount) from marts.fct_orders"
    assert restored.build.row(query) == sample.row(query)
    before, after = sample.digests(), restored.build.digests()
    marts = [name for name in before if name.startswith("marts.")]
    assert {n for n in marts if before[n] != after[n]} == set()


def test_readers_see_one_run_and_then_the_other(restored, published):
    for reads, runs, errors, mixed, empty in restored.readers:
        assert errors == []
        assert (mixed, empty) == (0, 0)
        assert reads > 10
        assert len(runs) == 2
        assert runs[0] == published.run_id()


def test_a_build_beside_a_build_ends_with_75(restored):
    """A second on a quiet machine; here others work, too."""
    assert restored.second.returncode == 75
    assert "is being written by perennial build (PID " in restored.second.stderr
    assert restored.seconds < 5


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="Linux alone tells")
def test_the_dbt_of_a_build_holds_its_lock_too(restored):
    lock = restored.build.home / "warehouse" / "cdnow.lock"
    assert str(lock) in restored.dbt_files


def test_the_summary_names_the_published_file(restored):
    file = restored.build.published
    assert f"Published in {file}: run " in restored.build.output
