"""Persons removed from what is published, from snapshots and from history."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from perennial.faults import Fault
from perennial.project import Project, damage_message
from perennial.publishing import files
from perennial.publishing.candidate import comment
from perennial.publishing.tables import (
    RUN,
    SCHEMA,
    TABLES,
    columns_of,
    connect,
    digest,
    literal,
    quoted,
)
from perennial.publishing.verifying import damages

_IS_THEIRS = "coalesce(list_contains($ids, cast(customer_id as varchar)), false)"


def published_files(project: Project) -> list[Path]:
    """Find what is published, and was."""
    found = [project.published_file, *project.snapshots_folder.glob("*.duckdb")]
    return [path for path in found if path.exists()]


def history_files(project: Project) -> list[Path]:
    """Find every file of history, also of what was set aside."""
    return sorted(project.history_folder.rglob("*.parquet"))


def files_set_aside(project: Project) -> list[Path]:
    """Find the databases that were damaged, which nobody can clean."""
    return [
        path
        for file in (project.working_file, project.published_file)
        for path in file.parent.glob(f"{file.name}.*")
        if ".damaged_" in path.name or ".stray_" in path.name
    ]


def clean_published(project: Project, ids: list[str]) -> str | None:
    """Write anew, without the rows of persons, what is published and was.

    Parameters
    ----------
    project : Project
        One whose lock is held.
    ids : list of str
        Ids of the persons, as the source and as the marts have them.

    Returns
    -------
    str or None
        What was done, in a line.
    """
    count = 0
    found = published_files(project)
    for file in found:
        count += _without(file, ids)
    if not count:
        return None
    return f"{count} rows erased from what is published and its snapshots"


def clean_history(project: Project, ids: list[str]) -> str | None:
    """Write anew, without the rows of persons, the files of history."""
    count = 0
    for file in history_files(project):
        rows = f"read_parquet({literal(file)})"
        with connect() as connection:
            names = connection.execute(f"describe select * from {rows}").fetchall()
            if "customer_id" not in {name for name, *_ in names}:
                continue
            (theirs,) = connection.execute(
                f"select count(*) from {rows} where {_IS_THEIRS}", {"ids": ids}
            ).fetchone()
            if not theirs:
                continue
            part = files.beside(file, files.PART)
            # a statement that copies takes no parameters
            connection.execute("set variable ids = $ids", {"ids": ids})
            condition = _IS_THEIRS.replace("$ids", "getvariable('ids')")
            connection.execute(
                f"copy (select * from {rows} where not {condition})"
                f" to {literal(part)} (format parquet)"
            )
        files.put_in_place(part, file)
        count += theirs
    return f"{count} rows erased from history" if count else None


def delete_set_aside(project: Project) -> str | None:
    """Delete the databases that were damaged: nobody can say whom they hold."""
    found = files_set_aside(project)
    for path in found:
        path.unlink()
    if not found:
        return None
    told = ", ".join(path.name for path in found)
    return f"deleted, because what is damaged cannot be cleaned: {told}"


@contextmanager
def views(parquet_files: list[Path]) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open files of Parquet as views, to ask their columns."""
    with connect() as connection:
        for number, file in enumerate(parquet_files):
            name = quoted(f"{file.parent.name} {number}")
            rows = f"read_parquet({literal(file)})"
            connection.execute(f"create view {name} as select * from {rows}")
        yield connection


def _without(file: Path, ids: list[str]) -> int:
    """Write a published file anew without persons; return how many rows that was."""
    fresh = files.beside(file, ".erasing")
    files.remove(fresh)
    try:
        with connect(fresh) as connection:
            connection.execute(f"attach {literal(file)} as old (read_only)")
            tables = connection.execute(
                "select table_name, comment from duckdb_tables()"
                " where database_name = 'old' order by table_name"
            ).fetchall()
            theirs = {name: _count(connection, name, ids) for name, _ in tables}
            if any(theirs.values()):
                connection.execute(f"create schema {SCHEMA}")
                for name, said in tables:
                    _copy(connection, name, said, ids)
                for name, count in theirs.items():
                    if count:
                        _publish_anew(connection, name)
                connection.execute(
                    f"update {SCHEMA}.{RUN} set"
                    f" rows_count = (select sum(rows_count) from {SCHEMA}.{TABLES}),"
                    f" customers_count = (select count(*) from {SCHEMA}.dim_customers)"
                )
            connection.execute("detach old")
            connection.execute("checkpoint")
        if any(theirs.values()):
            if found := damages(fresh):
                raise Fault(f"{file} could not be written anew: {found[0]}.")
            files.put_in_place(fresh, file)
    except duckdb.Error as error:
        raise Fault(damage_message(file, error)) from None
    finally:
        files.remove(fresh)
    return sum(theirs.values())


def _count(connection: duckdb.DuckDBPyConnection, name: str, ids: list[str]) -> int:
    if "customer_id" not in columns_of(connection, "old", SCHEMA, name):
        return 0
    return connection.execute(
        f"select count(*) from old.{SCHEMA}.{quoted(name)} where {_IS_THEIRS}",
        {"ids": ids},
    ).fetchone()[0]


def _copy(
    connection: duckdb.DuckDBPyConnection, name: str, said: str | None, ids: list[str]
) -> None:
    columns = columns_of(connection, "old", SCHEMA, name)
    table = f"{SCHEMA}.{quoted(name)}"
    listed = ", ".join(f"{quoted(column)} {kind}" for column, kind in columns.items())
    connection.execute(f"create table {table} ({listed})")
    comment(connection, f"table {table}", said)
    comments = connection.execute(
        "select column_name, comment from duckdb_columns()"
        " where database_name = 'old' and schema_name = ? and table_name = ?",
        [SCHEMA, name],
    ).fetchall()
    for column, text in comments:
        comment(connection, f"column {table}.{quoted(column)}", text)
    copied = f"insert into {table} select * from old.{table}"
    if "customer_id" in columns:
        connection.execute(f"{copied} where not {_IS_THEIRS}", {"ids": ids})
    else:
        connection.execute(copied)


def _publish_anew(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    """Say of a table what it holds now."""
    found = connection.execute(
        f"select run_columns from {SCHEMA}.{TABLES} where table_name = ?", [name]
    ).fetchone()
    if found is None:
        return
    (database,) = connection.execute("select current_database()").fetchone()
    columns = columns_of(connection, database, SCHEMA, name)
    left_out = [one for one in found[0].split(",") if one]
    now = digest(connection, f"{SCHEMA}.{quoted(name)}", columns, left_out)
    connection.execute(
        f"update {SCHEMA}.{TABLES} set rows_count = ?, content_hash = ?"
        " where table_name = ?",
        [now.rows_count, now.content_hash, name],
    )
