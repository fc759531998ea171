"""Builds that the tests share: each in a home of its own, made once, by the product."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
from filelock import FileLock
from hypothesis import settings

ROOT = Path(__file__).parents[2]

#: What builds of tests know of the environment.
KEPT = {"CI", "HOME", "LANG", "PATH", "TMPDIR", "USER"}
KEPT_PREFIXES = ("DBT_", "LD_", "PERENNIAL_", "PIP_", "PYTHON", "PYTEST", "UV_")
KEPT_PREFIXES += ("SHARED_PARSE",)
PERENNIAL = Path(sys.executable).parent / "perennial"
MASTER_HEADER = " customer_id  date number_of_cds  dollar_value"


# the same mutations on every machine, and more of them where they are asked for
settings.register_profile("short", max_examples=100, derandomize=True, deadline=None)
settings.register_profile("whole", settings.get_profile("short"), max_examples=1000)


def pytest_collection_modifyitems(items) -> None:
    """Begin with the files that take longest, so that no worker ends with one alone."""
    order = {f"test_{name}.py": place for place, name in enumerate(SLOW_FILES)}
    items.sort(key=lambda item: order.get(item.path.name, len(order)))


@pytest.hookimpl(trylast=True)
def pytest_configure(config) -> None:
    """Mutate more where the loader is asked for, and refuse markers that are not there.

    pytest refuses them too, but in each worker, where xdist takes that for a crash.
    """
    expression = config.getoption("markexpr")
    known = {re.match(r"\w+", line)[0] for line in config.getini("markers")}
    unknown = {*re.findall(r"\w+", expression)} - known - {"and", "or", "not"}
    if unknown:
        raise pytest.UsageError(f"there is no marker called {', '.join(unknown)}")
    is_asked_for = re.search(r"(?<!not )\bloader\b", expression)
    settings.load_profile("whole" if is_asked_for else "short")
    if "SHARED_PARSE_FOLDER" not in os.environ:  # workers have it from the one process
        folder = tempfile.mkdtemp(prefix="parsed-")
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
        os.environ["SHARED_PARSE_FOLDER"] = folder
        # of each line that it logs, dbt asks every variable whether it is a secret
        os.environ["DBT_LOG_LEVEL_FILE"] = "none"
        for name in os.environ.keys() - KEPT:
            if not name.startswith(KEPT_PREFIXES):
                del os.environ[name]
        paths = [str(Path(__file__).parent / "shared_parse")]
        paths += filter(None, [os.environ.get("PYTHONPATH")])
        os.environ["PYTHONPATH"] = os.pathsep.join(paths)


#: Tables that tell what a run found and had to do, and not what is known after it.
TABLES_OF_A_RUN = {
    f"reading.{name}"
    for name in (
        "demo_files",
        "int_declared_files",
        "int_known_files",
        "files_found",
        "int_careful_files",
        "careful_records_found",
    )
} | {
    *("training.retrain_decision", "training.train_due_splits"),
    "training.train_value_splits",
    *("registry.fit_challenger", "registry.models_to_judge", "registry.model_gates"),
}

#: The column that tells which run made a row.
RUN_COLUMN = "run_id"


#: The sample log, with a short search for parameters of what is fitted for churn.
SAMPLE = {"cdnow_log": "sample", "search_trials": 1}

#: What short builds leave out where it is not their subject: slow leaves, and tests of
#: one column each.
SHORT = (
    *("feature_statistics", "train_examples+", "eval_leaks+"),
    *("retrain_decision+", "score_population+"),
    *("score_value_months+", "clv_coverage", "clv_totals", "customer_value+"),
    *("test_name:accepted_values", "test_name:between", "test_name:matches"),
    *("test_name:not_null", "test_name:within_its_kind"),
)

#: Secrets that a build is given and has no use for; no file may hold one of them.
CANARIES = {
    "DBT_ENV_SECRET_PERENNIAL_KEY": "canary key 5d81f0ce",
    "DBT_ENV_SECRET_CRM_PASSWORD": "canary password 77b2a94e",
}

#: The dearest first.
SLOW_FILES = (
    *("files_over_time", "init", "churn_models", "degenerate_data", "privacy"),
    *("publish", "raw_files", "registry", "command_line", "as_a_package"),
    *("same_input_same_output", "demo", "sessions"),
)


@dataclass(frozen=True)
class Build:
    """One finished ``perennial build``."""

    home: Path
    exit_code: int
    output: str
    errors: str
    connector: str = "cdnow"

    @property
    def file(self) -> Path:
        return self.home / "warehouse" / f"{self.connector}.duckdb"

    @property
    def published(self) -> Path:
        return self.home / "published" / f"{self.connector}.duckdb"

    @property
    def manifest(self) -> dict:
        return json.loads((self.home / "target" / "manifest.json").read_text())

    def open(self) -> duckdb.DuckDBPyConnection:
        return duckdb.connect(str(self.file), read_only=True)

    def rows(self, query: str, *parameters) -> list[tuple]:
        with self.open() as connection:
            return connection.execute(query, parameters).fetchall()

    def row(self, query: str, *parameters) -> tuple:
        (row,) = self.rows(query, *parameters)
        return row

    def frame(self, query: str):
        with self.open() as connection:
            return connection.execute(query).df()

    def digests(self) -> dict[str, tuple]:
        """Rows and order-independent hash of every table and view that lasts."""
        with self.open() as connection:
            names = connection.execute(
                "select table_schema, table_name from information_schema.tables"
            ).fetchall()
            return {
                f"{schema}.{name}": connection.execute(
                    "select count(*), bit_xor(hash(t)), sum(cast(hash(t) as hugeint)) "
                    f"from (select columns(c -> c <> '{RUN_COLUMN}') "
                    f'from "{schema}"."{name}") as t'
                ).fetchone()
                for schema, name in names
                if f"{schema}.{name}" not in TABLES_OF_A_RUN
            }


def run_build(
    home: Path,
    folder: Path | None = None,
    settings: dict | None = None,
    environment: dict | None = None,
    one_core: bool = False,
    unit_tests: bool = False,
    connector: str = "cdnow",
    selection: Iterable[str] = (),
    everything: bool = False,
    prefix: Iterable[str] = (),
) -> Build:
    """Run ``perennial build``, as a user would, in a home of its own.

    dbt's unit tests know no data, so one build runs them.
    """
    command = [
        *prefix,
        str(PERENNIAL),
        "build",
        f"--connector={connector}",
        "--",
        f"--target-path={home / 'target'}",
        f"--log-path={home / 'logs'}",
        f"--vars={json.dumps(settings or {})}",
        *([] if unit_tests else ["--exclude", "resource_type:unit_test"]),
        *([] if unit_tests or selection or everything else SHORT),
        *selection,
    ]
    if folder is not None:
        environment = {"PERENNIAL_CDNOW_FOLDER": str(folder), **(environment or {})}
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("PERENNIAL_")}
    finished = subprocess.run(
        command,
        cwd=ROOT,
        env={**inherited, "PERENNIAL_HOME": str(home), **(environment or {})},
        capture_output=True,
        text=True,
        preexec_fn=_stay_on_one_core if one_core else None,
    )
    return Build(home, finished.returncode, finished.stdout, finished.stderr, connector)


def _stay_on_one_core() -> None:
    if hasattr(os, "sched_setaffinity"):  # Linux alone
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def write_log(folder: Path, lines: Iterable[str], header: str = MASTER_HEADER) -> Path:
    """Write a master log of one's own, and give its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    text = "".join(f"{line}\r\n" for line in [header, *lines])
    (folder / "CDNOW_master.txt").write_text(text, newline="")
    return folder


@pytest.fixture(autouse=True)
def nothing_of_the_users(monkeypatch) -> None:
    """Tests see none of the settings that the user's shell may hold."""
    for name in [name for name in os.environ if name.startswith("PERENNIAL_")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def shared_build(tmp_path_factory, worker_id) -> Callable[..., Build]:
    """Build under a name, once for all workers; it must succeed."""
    root = tmp_path_factory.getbasetemp()
    root = root if worker_id == "master" else root.parent

    def build(name: str, lines: Iterable[str] | None = None, **options) -> Build:
        home = root / f"shared-{name}"
        done = home / "done.json"
        with FileLock(root / f"{name}.lock"):
            if not done.exists():
                home.mkdir()
                if lines is not None:
                    options["folder"] = write_log(home / "raw", lines)
                built = run_build(home, **options)
                done.write_text(
                    json.dumps([built.exit_code, built.output, built.errors])
                )
        connector = options.get("connector", "cdnow")
        built = Build(home, *json.loads(done.read_text()), connector)
        assert built.exit_code == 0, built.output + built.errors
        return built

    return build


@pytest.fixture(scope="session")
def master(shared_build) -> Build:
    """The master log: 23,570 customers."""
    return shared_build("master", everything=True)


@pytest.fixture(scope="session")
def sample(shared_build) -> Build:
    """The 1/10 sample log that the papers print their numbers for."""
    return shared_build("sample", settings=SAMPLE, everything=True)


@pytest.fixture(scope="session")
def demo(shared_build) -> Build:
    """The demo company, 2,000 customers, from files that the build makes."""
    return shared_build("demo", connector="demo", unit_tests=True, environment=CANARIES)


@pytest.fixture(scope="session")
def installed(tmp_path_factory) -> Path:
    """The shop's project with perennial in it, once for each worker."""
    from shop import install_shop  # it needs what stands here

    return install_shop(tmp_path_factory.mktemp("installed") / "shop")
