"""Where the dbt project, the working file and everything else of a run lie."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from perennial import keyed_hash
from perennial.faults import Fault, UsageFault

#: The connector that is built where nothing else is said; dbt_project.yml and
#: profiles.yml name the same one.
DEFAULT_CONNECTOR = "demo"

#: The demo company that is made where nothing else is said.
DEFAULT_SIZE, DEFAULT_SEED = "tiny", 7

#: The customer of the worked example of Fader, Hardie and Lee (2005), on whom the
#: walk-through through CDNOW is told.
EXAMPLE_CUSTOMER = "00004"

_EXAMPLE = """
select customer_id
from {orders}
where kind = 'purchase' and status is distinct from 'failed'
group by customer_id
order by customer_id = $example desc, count(distinct order_id) < 4, customer_id
limit 1
"""


@dataclass(frozen=True)
class Project:
    """A dbt project and the connector it is used with.

    Attributes
    ----------
    root : Path
        Folder of dbt_project.yml.
    home : Path
        Folder of what is built: PERENNIAL_HOME, or else the root.
    connector : str
        A folder of ``models/staging``.
    file : Path, optional
        The working file, where it lies elsewhere than in ``warehouse``.
    """

    root: Path
    home: Path
    connector: str
    file: Path | None = None

    @classmethod
    def find(cls, connector: str) -> "Project":
        """Find the project in this folder, above it, or where perennial is installed.

        Raises
        ------
        UsageFault
            If there is no project, or it has no such connector.
        """
        here = Path.cwd()
        candidates = [here, *here.parents, Path(__file__).parents[2]]
        root = next((path for path in candidates if _is_perennial(path)), None)
        if root is None:
            raise UsageFault(
                f"There is no perennial project in {here} or above it: "
                "change into the folder that you cloned."
            )
        known = _connectors(root)
        if connector not in known:
            raise UsageFault(
                f"There is no connector called {connector[:60]!r}: "
                f"choose from {', '.join(known)}."
            )
        home = os.environ.get("PERENNIAL_HOME")
        return cls(root, Path(home).absolute() if home else root, connector)

    @classmethod
    def built_last(cls) -> "Project":
        """Find the project, with the connector whose working file is the newest.

        Raises
        ------
        Fault
            If none was built yet.
        """
        project = cls.find(DEFAULT_CONNECTOR)
        known = _connectors(project.root)
        built = [
            file
            for file in (project.home / "warehouse").glob("*.duckdb")
            if file.stem in known
        ]
        if not built:
            raise Fault(
                f"Nothing was built in {project.home / 'warehouse'} yet: "
                "run perennial build."
            )
        newest = max(built, key=lambda file: file.stat().st_mtime_ns)
        return cls(project.root, project.home, newest.stem)

    @classmethod
    def of_file(cls, file: Path) -> "Project":
        """Take this folder as a dbt project that perennial is installed in.

        Parameters
        ----------
        file : Path
            The working file that its profile names.
        """
        here = Path.cwd()
        home = Path(os.environ.get("PERENNIAL_HOME", here)).absolute()
        return cls(here, home, file.stem, file.resolve())

    @property
    def working_file(self) -> Path:
        """The DuckDB file that ``dbt build`` writes."""
        return self.file or self.home / "warehouse" / f"{self.connector}.duckdb"

    @property
    def lock_file(self) -> Path:
        """The file that is locked by whoever writes for this connector."""
        return self.working_file.with_suffix(".lock")

    @property
    def published_file(self) -> Path:
        """The DuckDB file that readers open: the marts of one run."""
        return self.home / "published" / f"{self.connector}.duckdb"

    @property
    def candidate_file(self) -> Path:
        """What becomes the published file, while it is being made."""
        return self.published_file.with_name(f".{self.connector}.candidate.duckdb")

    @property
    def snapshots_folder(self) -> Path:
        """The folder of the files that were published last."""
        return self.home / "published" / "snapshots" / self.connector

    @property
    def history_folder(self) -> Path:
        """The folder of the rows that outlive the working file."""
        return self.home / "history" / self.connector

    @contextmanager
    def reading(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open the working file for reading, and close it again.

        Raises
        ------
        Fault
            If there is none yet, a build holds it, or a table in it was never built.
        """
        if not self.working_file.exists():
            raise Fault(
                f"{self.working_file} is not there yet: "
                f"run perennial build --connector {self.connector}."
            )
        with _opened(self.working_file) as connection:
            yield connection

    @contextmanager
    def reading_published(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open the published file for reading, and close it again.

        A build does not hold it: what is open stays whole while another one takes its
        place.

        Raises
        ------
        Fault
            If nothing is published yet, or the file cannot be read.
        """
        if not self.published_file.exists():
            raise Fault(
                f"Nothing is published in {self.published_file} yet: run "
                f"perennial build --connector {self.connector} without a selection."
            )
        with _opened(self.published_file) as connection:
            yield connection


@contextmanager
def _opened(file: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    try:
        connection = duckdb.connect(str(file), read_only=True)
    except duckdb.IOException as error:
        raise Fault(lock_message(str(error)) or damage_message(file, error)) from None
    # views over files hash ids as soon as somebody was erased
    keyed_hash.register(connection)
    with connection:
        try:
            yield connection
        except duckdb.CatalogException as error:
            missing = str(error).splitlines()[0].removeprefix("Catalog Error: ")
            raise Fault(f"{missing} Run perennial build without a selection.") from None


def damage_message(file: Path, error: duckdb.Error) -> str:
    """One or two lines about a file that DuckDB cannot read, and what to do."""
    told = str(error).splitlines()[0][:200]
    return f"{file} cannot be read: {told}\nRun perennial doctor files."


def example_customer(
    connection: duckdb.DuckDBPyConnection, orders: str = "input.input_orders"
) -> str | None:
    """Choose a customer to show: the one of the walk-through, or else from the data.

    Parameters
    ----------
    connection : DuckDBPyConnection
        To a working file.
    orders : str
        The table whose ids are wanted.

    Returns
    -------
    str or None
        Else the first by id who bought four times, as that one did; the first who
        bought at all; None while nobody did.
    """
    query = _EXAMPLE.format(orders=orders)
    found = connection.execute(query, {"example": EXAMPLE_CUSTOMER}).fetchone()
    return found[0] if found else None


def lock_message(error: str) -> str | None:
    """One line about who holds the working file, from what DuckDB says of it."""
    if "Could not set lock on file" not in error:
        return None
    file = error.split('"')[1]
    holder = error.split("(PID ")[1].split(")")[0] if "(PID " in error else "unknown"
    return (
        f"{file} is in use by another process (PID {holder}): "
        "wait for that build, or close the program that has the file open."
    )


def _connectors(root: Path) -> list[str]:
    staging = root / "models" / "staging"
    return sorted(path.name for path in staging.iterdir() if path.is_dir())


def _is_perennial(folder: Path) -> bool:
    file = folder / "dbt_project.yml"
    return file.is_file() and "name: perennial" in file.read_text().splitlines()
