"""Copies of a working file with other rows, over which dbt builds everything anew."""

import datetime
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from perennial import keyed_hash
from perennial.faults import Fault
from perennial.macros import contract
from perennial.project import Project, lock_message
from perennial.proofs.changes import Change, added_files, domain_of

#: What is built over a copy: whatever lies between the seam and these.
TARGETS = (
    "feature_store",
    "model_splits",
    "outcome_churn",
    "outcome_value",
    "outcome_revenue",
    "outcome_expansion",
)

#: What lies above the seam, which a copy takes as it is: dates and lines of files.
_TAKEN = ("reading", "seeds")

#: What is learned by the working file, and whom it is applied to.
_FROZEN = {
    "fits.fit_churn": "from fits.fit_churn",
    "training.train_features": "from training.train_features",
    "training.train_examples": (
        "select * replace (not label as label) from training.train_examples"
    ),
    "fits.fit_value": "from fits.fit_value",
    "fits.fit_value_models": "from fits.fit_value_models",
    "fits.fit_value_promotions": "from fits.fit_value_promotions",
    "training.train_values": (
        "select * replace (1 - future_amount as future_amount) "
        "from training.train_values"
    ),
}

#: What is worked out of these and of the features of a copy.
_AGAIN = (
    *("score_churn", "fit_value_stages", "score_value"),
    *("train_contract_months", "fit_hazards"),
)

_DATES = """
select
    as_of_dates.as_of_date
from intermediate.int_as_of_dates as as_of_dates
cross join intermediate.int_score_date as clock
where
    as_of_dates.as_of_date < clock.score_date
    and as_of_dates.as_of_date > clock.first_activity_date
order by 1
"""


@dataclass(frozen=True)
class Workshop:
    """A folder below the home in which copies are changed and built.

    Attributes
    ----------
    project : Project
        Whose working file is copied. It is opened for reading alone.
    root : Path
        The dbt project that builds the copies.
    folder : Path
        Where they lie.
    variables : dict
        Settings of every build.
    library : Path, optional
        Folder of another version of the perennial library.
    """

    project: Project
    root: Path
    folder: Path
    variables: dict
    library: Path | None = None

    @property
    def built(self) -> Path:
        """The working file that proofs are about."""
        return self.project.working_file

    def dates(self, count: int) -> list[datetime.date]:
        """Choose as_of_dates before the score date, some early and some late."""
        with _attached(self.built) as engine:
            known = [day for (day,) in engine.execute(_DATES).fetchall()]
        if not known:
            raise Fault(
                "There is no as_of_date before the score date: "
                "the data are too short for a proof."
            )
        if count >= len(known):
            return known
        # the last one is among them; the first quarter has little behind it
        first, last = len(known) // 4, len(known) - 1
        step = (last - first) / max(count - 1, 1)
        return sorted({known[round(last - step * back)] for back in range(count)})

    def with_project(self, root: Path) -> "Workshop":
        """Build with another version of the project, and of the library in its src."""
        return replace(self, root=root, library=root / "src")

    def copy(
        self,
        name: str,
        change: Change,
        date: datetime.date,
        *,
        is_scored_then: bool = False,
        threads: int = 2,
        targets: Sequence[str] = TARGETS,
    ) -> Path:
        """Change the rows of a copy, and build what lies behind them.

        Parameters
        ----------
        name : str
            Of the copy.
        change : Change
            What becomes of the delivered rows.
        date : date
            What the change is about.
        is_scored_then : bool
            Whether the date is the score date of the copy.
        threads : int
            How many models dbt builds at once.
        targets : sequence of str
            What has to be built.

        Returns
        -------
        Path
            Of the copy, which dbt has left.
        """
        kept = self.folder / f"{name}.duckdb"
        self._working.parent.mkdir(parents=True, exist_ok=True)
        self._working.unlink(missing_ok=True)
        self._change(self._working, change, date)
        variables = dict(self.variables)
        if is_scored_then:
            variables["score_date"] = date.isoformat()
        self.run(
            "run",
            "--full-refresh",
            f"--threads={threads}",
            f"--vars={json.dumps(variables)}",
            "--select",
            *(f"+{target}" for target in targets),
            "--exclude",
            "+int_delivered_*",
        )
        self._working.replace(kept)
        return kept

    def score_again(self, copy: Path) -> None:
        """Apply the models in the working file to the features of a copy.

        Labels and amounts of the rows are turned round: no score looks at them.

        Raises
        ------
        Fault
            If there are no such models.
        """
        with self._as_working(copy) as working:
            with _attached(self.built) as engine:
                engine.execute(f"attach '{working}' as proved")
                for table, rows in _FROZEN.items():
                    engine.execute(
                        f"create schema if not exists proved.{table.split('.')[0]}"
                    )
                    try:
                        engine.execute(f"create table proved.{table} as {rows}")
                    except duckdb.CatalogException:
                        raise Fault(
                            f"There is no {table}: "
                            "run perennial build without a selection."
                        ) from None
            self.run("run", "--select", *_AGAIN)

    def parse(self) -> None:
        """Let dbt read the project, once for all copies."""
        self.python(
            *("-c", "import sys; from dbt.cli.main import cli; sys.exit(cli())"),
            *("--quiet", "--no-use-colors", "parse"),
            f"--target-path={self.folder / 'target'}",
            f"--log-path={self.folder / 'logs'}",
            f"--vars={json.dumps(self.variables)}",
        )

    @property
    def manifest(self) -> dict:
        """What dbt read."""
        file = self.folder / "target" / "manifest.json"
        if not file.exists():
            self.parse()
        return json.loads(file.read_text())

    def run(self, command: str, *arguments: str) -> str:
        """Run a command of dbt, and give what it printed.

        Raises
        ------
        Fault
            If it fails.
        """
        target = self.folder / "target"
        if not (target / "partial_parse.msgpack").exists():
            self.parse()
        return self.python(
            *("-m", "perennial.proofs.dbt_runs", str(target), command),
            *("--quiet", "--no-use-colors", "--no-partial-parse"),
            f"--log-path={self.folder / 'logs'}",
            *arguments,
        )

    def failing(self, copy: Path, *selection: str) -> tuple[list[str], int]:
        """Run tests over a copy.

        Returns
        -------
        tuple
            Names of those that fail, and how many there were.
        """
        results = self.folder / "target" / "run_results.json"
        results.unlink(missing_ok=True)
        with self._as_working(copy):
            try:
                self.run("test", "--select", *selection)
            except Fault:
                if not results.exists():
                    raise
        told = json.loads(results.read_text())["results"]
        bad = [
            one["unique_id"].split(".")
            for one in told
            if one["status"] not in ("pass", "warn")
        ]
        # unit_test.project.model.name, but test.project.name.hash
        names = [parts[3 if parts[0] == "unit_test" else 2] for parts in bad]
        return names, len(told)

    def python(self, *arguments: str) -> str:
        """Run Python as the copies are built, and give what it printed.

        Raises
        ------
        Fault
            If it fails.
        """
        environment = {
            **os.environ,
            "PERENNIAL_HOME": str(self.folder),
            "PERENNIAL_CONNECTOR": self.project.connector,
        }
        if self.library:
            paths = [str(self.library), os.environ.get("PYTHONPATH", "")]
            environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
        finished = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.root,
            env=environment,
            capture_output=True,
            text=True,
        )
        if finished.returncode != 0:
            told = finished.stdout + finished.stderr
            if "No space left" in told:
                raise OSError("No space left on device")
            raise Fault(f"the copy of a proof could not be built:\n{told[-2000:]}")
        return finished.stdout

    @property
    def _working(self) -> Path:
        return self.folder / "warehouse" / f"{self.project.connector}.duckdb"

    @contextmanager
    def _as_working(self, copy: Path) -> Iterator[Path]:
        """Let dbt find a copy, which it knows by the name of its file."""
        copy.replace(self._working)
        try:
            yield self._working
        finally:
            self._working.replace(copy)

    def _change(self, file: Path, change: Change, date: datetime.date) -> None:
        with _attached(self.built) as engine:
            engine.execute(f"attach '{file}' as proved")
            for schema in (*_TAKEN, "intermediate"):
                engine.execute(f"create schema proved.{schema}")
            for schema, name in engine.execute(
                "select schema_name, table_name from duckdb_tables() "
                "where database_name = current_database() and schema_name in "
                f"({', '.join(repr(schema) for schema in _TAKEN)})"
            ).fetchall():
                engine.execute(
                    f"create table proved.{schema}.{name} as from {schema}.{name}"
                )
            self._change_seams(engine, change, date)

    def _change_seams(
        self, engine: duckdb.DuckDBPyConnection, change: Change, date: datetime.date
    ) -> None:
        zone = engine.execute(
            "select business_time_zone from intermediate.int_settings"
        ).fetchone()[0]
        (last,) = engine.execute(
            "select coalesce(max(reading_id), 0) from reading.files_read"
        ).fetchone()
        for number, (entity, agreed) in enumerate(contract(self.root).items()):
            table = f"intermediate.int_delivered_{entity}"
            domain = domain_of(
                entity,
                agreed,
                seam="delivered",
                files="reading.int_current_files",
                zone=zone,
                readings=(last + 2 * number + 1, last + 2 * number + 2),
            )
            try:
                engine.execute(
                    f"create or replace temp table delivered as from {table}"
                )
            except duckdb.Error as error:  # a file that vanished, another database
                told = str(error).splitlines()[0]
                raise Fault(f"{entity} cannot be read ({told}).") from None
            (rows_count,) = engine.execute("select count(*) from delivered").fetchone()
            query = change(domain, date) if rows_count else "from delivered"
            engine.execute(f"create table proved.{table} as {query}")
            if rows_count:
                engine.execute(
                    "insert into proved.reading.int_current_files by name "
                    + added_files(domain, date)
                )


@contextmanager
def workshop(project: Project, variables: dict | None = None) -> Iterator[Workshop]:
    """Make a folder for copies below the home, and remove it afterwards.

    Raises
    ------
    Fault
        If there is no working file, a build holds it, or there is no room for copies.
    """
    with project.reading() as engine:  # says so well where there is none
        columns = engine.execute(
            "select 1 from duckdb_columns() where table_name = 'int_settings' "
            "and column_name = 'business_time_zone'"
        ).fetchall()
    if not columns:
        raise Fault("An older version built this file: run perennial build first.")
    folder = None
    try:
        folder = Path(tempfile.mkdtemp(prefix="proofs-", dir=project.home))
        yield Workshop(project, project.root, folder, variables or {})
    except (duckdb.IOException, duckdb.OutOfMemoryException, OSError) as error:
        told = str(error).splitlines()[0]
        raise Fault(f"A copy could not be made below {project.home}: {told}") from None
    finally:
        if folder:
            shutil.rmtree(folder, ignore_errors=True)


def _catalog(file: Path) -> str:
    return '"' + file.stem.replace('"', '""') + '"'


@contextmanager
def _attached(file: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a working file for reading, with room beside it to write.

    Its views name it as dbt knows it.
    """
    with duckdb.connect() as engine:
        engine.execute("set TimeZone = 'UTC'")
        keyed_hash.register(engine)
        try:
            engine.execute(f"attach '{file}' as {_catalog(file)} (read_only)")
            engine.execute(f"use {_catalog(file)}")
        except duckdb.IOException as error:
            raise Fault(lock_message(str(error)) or str(error)) from None
        yield engine
