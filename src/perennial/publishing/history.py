"""Rows that outlive the working file: kept at publishing, restored into a new one."""

import datetime
from dataclasses import dataclass
from pathlib import Path

import duckdb

from perennial.project import Project
from perennial.publishing import files
from perennial.publishing.tables import connect, literal, quoted

#: Name under which the working file is attached.
WORKING = "working"


@dataclass(frozen=True)
class Kept:
    """A table that is appended to and never rewritten.

    Attributes
    ----------
    schema, name : str
        Of the table in the working file.
    identity : tuple of str
        Columns by which a row is known again.
    number : str or None
        The column that rows, or those of one run, are numbered by: what has the same
        number and another identity belongs to another working file.
    is_ledger : bool
        Whether the working file holds all of its rows. Else it is made anew by each
        run, and history has what it was before.
    """

    schema: str
    name: str
    identity: tuple[str, ...]
    number: str | None = None
    is_ledger: bool = True

    @property
    def table(self) -> str:
        """Its name as SQL."""
        return f"{quoted(self.schema)}.{quoted(self.name)}"

    def files(self, project: Project) -> list[Path]:
        """Find what history has of it."""
        return sorted((project.history_folder / self.name).glob("*.parquet"))


#: What a new working file cannot make again from the raw files.
KEPT = (
    Kept(
        "reading",
        "files_read",
        ("ledger_number", "source_table", "file_path", "file_sha256", "file_status"),
        "ledger_number",
    ),
    Kept("reading", "erasures", ("customer_hash",)),
    Kept("registry", "model_registry", ("model_id", "document_sha256"), "model_id"),
    Kept(
        "registry",
        "promotion_log",
        ("event_number", "model_id", "event", "gate", "as_of_date"),
        "event_number",
    ),
    Kept(
        "registry",
        "predictions_log",
        ("prediction_number", "run_id"),
        "prediction_number",
    ),
    Kept(
        "features",
        "feature_statistics",
        ("feature_set_version", "last_training_date", "feature_name"),
    ),
    # for rows that come late: what was scored before the next run
    Kept("intermediate", "int_score_date", ("score_date",), is_ledger=False),
)

#: Tables that a full refresh keeps, too, and a new working file makes again: each with
#: the reason.
MADE_AGAIN = {
    "careful_records": "lines of raw files, which are read again",
    "int_modules": "numbers of modules in sets that are made anew with them",
    "prediction_features": "they are kept for some days, and on purpose no longer",
}


def save(project: Project, run_id: str, only: str | None = None) -> dict[str, int]:
    """Write the rows that history does not have yet.

    Parameters
    ----------
    project : Project
        One whose lock is held, with a working file that nobody has open.
    run_id : str
        Names the files.
    only : str, optional
        The one table that is wanted.

    Returns
    -------
    dict of int
        New rows of each table that had some.
    """
    added = {}
    with connect() as connection:
        _attach(connection, project.working_file)
        for kept in KEPT:
            if only in (None, kept.name) and _has(connection, kept):
                count = _save(connection, project, kept, run_id)
                if count:
                    added[kept.name] = count
    return added


def _save(
    connection: duckdb.DuckDBPyConnection, project: Project, kept: Kept, run_id: str
) -> int:
    folder = project.history_folder / kept.name
    folder.mkdir(parents=True, exist_ok=True)
    table = f"{WORKING}.{kept.table}"
    query = f"select * from {table}"
    if known := kept.files(project):
        query = _others(table, _rows(known), kept.identity)
    (count,) = connection.execute(f"select count(*) from ({query})").fetchone()
    if count:
        file = folder / f"{run_id}.parquet"
        number = 1
        while file.exists():  # an erasure, or a second try
            number += 1
            file = folder / f"{run_id}_{number}.parquet"
        part = files.beside(file, files.PART)
        connection.execute(f"copy ({query}) to {literal(part)} (format parquet)")
        files.put_in_place(part, file)
    return count


def restore(project: Project) -> list[str]:
    """Give the working file the rows that history has and it does not.

    A new one gets all of them. One that lost rows, for its WAL was cut or it is an
    older copy, gets these. One that went another way, for it was begun without its
    history, stays as it is, and history begins again.

    Parameters
    ----------
    project : Project
        One whose lock is held, with a working file that nobody has open.

    Returns
    -------
    list of str
        What was done, a line each.
    """
    told = []
    kept_tables = [kept for kept in KEPT if kept.files(project)]
    if not kept_tables:
        return told
    if not project.working_file.exists():
        begun = files.beside(project.working_file, ".restoring")
        files.remove(begun)
        project.working_file.parent.mkdir(parents=True, exist_ok=True)
        with connect(begun) as connection:
            counts = {
                kept.name: _fill(connection, project, kept) for kept in kept_tables
            }
            connection.execute("checkpoint")
        files.put_in_place(begun, project.working_file)
        rows = ", ".join(f"{count:,} of {name}" for name, count in counts.items())
        return [f"a new working file begins with rows of its history: {rows}"]
    with connect(project.working_file) as connection:
        (database,) = connection.execute("select current_database()").fetchone()
        ledgers = [
            kept
            for kept in kept_tables
            if kept.is_ledger and _has(connection, kept, database)
        ]
        others = [
            kept
            for kept in ledgers
            if kept.number and _differs(connection, project, kept)
        ]
        if not others:
            for kept in ledgers:
                count = _fill_gaps(connection, project, kept)
                if count:
                    told.append(
                        f"{count:,} rows of {kept.schema}.{kept.name} that the working "
                        "file had lost came back from history"
                    )
    if others:
        aside = files.set_aside_folders(
            [project.history_folder / kept.name for kept in KEPT],
            project.history_folder,
            "of_another_working_file",
        )
        told.append(
            f"{project.working_file} was not begun from its history "
            f"({', '.join(kept.name for kept in others)} differ): that lies in {aside} "
            "now, and a new history begins"
        )
    return told


def restorable(project: Project) -> dict[str, int]:
    """Count the rows of each table that history has."""
    with connect() as connection:
        return {
            kept.name: connection.execute(
                f"select count(*) from {_rows(kept.files(project))}"
            ).fetchone()[0]
            for kept in KEPT
            if kept.files(project)
        }


def _fill(connection: duckdb.DuckDBPyConnection, project: Project, kept: Kept) -> int:
    known = kept.files(project)
    connection.execute(f"create schema if not exists {quoted(kept.schema)}")
    connection.execute(f"create table {kept.table} as select * from {_rows(known)}")
    return connection.execute(f"select count(*) from {kept.table}").fetchone()[0]


def _differs(
    connection: duckdb.DuckDBPyConnection, project: Project, kept: Kept
) -> bool:
    number = quoted(kept.number)
    missing = _missing(project, kept)
    query = (
        f"select 1 from ({missing}) as kept"
        f" where {number} in (select {number} from {kept.table}) limit 1"
    )
    return connection.execute(query).fetchone() is not None


def _fill_gaps(
    connection: duckdb.DuckDBPyConnection, project: Project, kept: Kept
) -> int:
    missing = _missing(project, kept)
    (count,) = connection.execute(f"select count(*) from ({missing})").fetchone()
    if count:
        connection.execute(f"insert into {kept.table} by name {missing}")
    return count


def _missing(project: Project, kept: Kept) -> str:
    return _others(_rows(kept.files(project)), kept.table, kept.identity)


def _others(rows: str, known: str, identity: tuple[str, ...]) -> str:
    """Give the rows that others do not have; the many rows of one run by one look."""
    names = ", ".join(map(quoted, identity))
    same = _same(identity)
    return (
        f"select here.* from {rows} as here semi join ("
        f"select here.* from (select distinct {names} from {rows}) as here"
        f" anti join (select distinct {names} from {known}) as kept on {same}"
        f") as kept on {same}"
    )


def _rows(known: list[Path]) -> str:
    listed = ", ".join(literal(path) for path in known)
    return f"read_parquet([{listed}], union_by_name = true)"


def _same(columns: tuple[str, ...]) -> str:
    names = map(quoted, columns)
    return " and ".join(f"here.{one} is not distinct from kept.{one}" for one in names)


def _attach(connection: duckdb.DuckDBPyConnection, file: Path) -> None:
    connection.execute(f"attach {literal(file)} as {WORKING} (read_only)")


def _has(
    connection: duckdb.DuckDBPyConnection, kept: Kept, database: str = WORKING
) -> bool:
    found = connection.execute(
        "select 1 from duckdb_tables()"
        " where database_name = ? and schema_name = ? and table_name = ?",
        [database, kept.schema, kept.name],
    )
    return found.fetchone() is not None


def stamp() -> str:
    """Name a file of history that belongs to no run."""
    return f"{datetime.datetime.now(datetime.UTC):%Y%m%dT%H%M%SZ}"
