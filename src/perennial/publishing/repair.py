"""Damaged files, set aside and replaced by what is whole."""

from pathlib import Path

import duckdb

from perennial.faults import Fault
from perennial.project import Project, lock_message
from perennial.publishing import files, history, snapshots
from perennial.publishing.tables import columns_of, connect, digest, quoted
from perennial.publishing.verifying import damages


def repair(project: Project) -> list[str]:
    """Set damaged files of a connector aside, and put what is whole in their place.

    Nothing is deleted.

    Parameters
    ----------
    project : Project
        One whose lock is held.

    Returns
    -------
    list of str
        What was found and done, a line each.

    Raises
    ------
    Fault
        If readers have nothing whole to open in the end; the lines are in its message.
    """
    told = [*_mend_working_file(project)]
    more, is_well = _mend_published_file(project)
    told += more
    if not is_well:
        raise Fault("\n".join([*told, "Nothing whole can be published: build again."]))
    return told


def _mend_working_file(project: Project) -> list[str]:
    file, told = project.working_file, []
    if not file.exists():
        return [f"{file} is not there: {_made_anew(project)}"]
    found = _unreadable(file)
    wal = files.beside(file, files.WAL)
    if found and wal.exists():
        aside = files.set_aside(wal, "damaged")
        told.append(
            f"{wal} is damaged ({found}): set aside as {aside.name}. What was written "
            "last is lost, and perennial build makes it again"
        )
        found = _unreadable(file)
    if found:
        aside = files.set_aside(file, "damaged")
        told.append(
            f"{file} is damaged ({found}): set aside as {aside.name}. "
            f"{_made_anew(project)}"
        )
    else:
        told.append(f"{file}: every table can be read")
    return told


def _made_anew(project: Project) -> str:
    counts = history.restorable(project)
    can = ", ".join(f"{count:,} rows of {name}" for name, count in counts.items())
    return "perennial build makes it anew" + (
        f", beginning with what history has ({can})" if can else ""
    )


def _unreadable(file: Path) -> str | None:
    """Say what DuckDB says of the first thing in a file that it cannot read.

    Raises
    ------
    Fault
        If another program holds it.
    """
    what = "it cannot be opened"
    try:
        with connect(file, read_only=True) as connection:
            (database,) = connection.execute("select current_database()").fetchone()
            tables = connection.execute(
                "select schema_name, table_name from duckdb_tables()"
                " where not internal order by all"
            ).fetchall()
            for schema, table in tables:
                what = f"{schema}.{table}"
                columns = columns_of(connection, database, schema, table)
                digest(connection, f"{quoted(schema)}.{quoted(table)}", columns)
    except duckdb.Error as error:
        if held := lock_message(str(error)):
            raise Fault(held) from None
        return f"{what}: {str(error).splitlines()[0][:200]}"
    return None


def _mend_published_file(project: Project) -> tuple[list[str], bool]:
    file, told = project.published_file, []
    stray = files.beside(file, files.WAL)
    if stray.exists():
        aside = files.set_aside(stray, "stray")
        told.append(f"{stray} belongs to nothing: set aside as {aside.name}")
    is_there = file.exists()
    found = damages(file) if is_there else []
    if is_there and not found:
        return [*told, f"{file}: verified"], True
    kept = snapshots.newest_first(project)
    if not (is_there or kept):
        return [*told, f"{file} is not there: nothing was published yet"], True
    what = f"is damaged ({found[0]})" if is_there else "is not there"
    snapshot, passed_over = snapshots.whole(kept)
    told += passed_over
    if snapshot is None:
        return [*told, f"{file} {what}, and no snapshot verifies"], False
    if is_there:
        aside = files.link_aside(file, "damaged")
        what += f": set aside as {aside.name}"
    snapshots.put_back(project, snapshot)
    _, run = snapshots.name_of(file)
    told.append(f"{file} {what}")
    told.append(f"published now: {run}, from {snapshot}")
    return told, True
