"""Whether a published file is what was published."""

from pathlib import Path

import duckdb

from perennial.publishing import files
from perennial.publishing.tables import (
    ADDED,
    RUN,
    SCHEMA,
    TABLES,
    columns_of,
    connect,
    digest,
    quoted,
)


def damages(file: Path) -> list[str]:
    """Read every block of every table of a published file, and recount.

    Parameters
    ----------
    file : Path

    Returns
    -------
    list of str
        What is wrong, a line each with the table's name; none if all is well.
    """
    if not file.exists():
        return [f"{file} is not there"]
    found = []
    if files.beside(file, files.WAL).exists():
        found.append(
            f"{file.name}{files.WAL} lies beside it: somebody wrote to the file"
        )
    try:
        with connect(file, read_only=True) as connection:
            listed = _listed(connection)
            known, told = _known(connection)
    except duckdb.Error as error:
        return [*found, f"it cannot be opened: {_first_line(error)}"]
    if told:
        return [*found, told]
    names = {name for name, _ in listed}
    for name, kind in listed:
        if kind != "BASE TABLE":
            found.append(f"{name} is no table")
        elif name not in known and name not in ADDED:
            found.append(f"{name} was not published")
    found += [f"{name} is missing" for name in (*known, *ADDED) if name not in names]
    return found + _damaged_tables(file, sorted(names), known)


def _listed(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    return connection.execute(
        "select case when table_schema = ? then '' else table_schema || '.' end"
        " || table_name, table_type from information_schema.tables order by all",
        [SCHEMA],
    ).fetchall()


def _known(
    connection: duckdb.DuckDBPyConnection,
) -> tuple[dict[str, tuple], str | None]:
    """Read what was published, and say what is wrong with the row of the run."""
    try:
        runs = connection.execute(
            f"select duckdb_version, tables_count, rows_count from {SCHEMA}.{RUN}"
        ).fetchall()
    except duckdb.Error as error:
        return {}, f"{RUN} cannot be read: {_first_line(error)}"
    if len(runs) != 1:
        return {}, f"{RUN} has {len(runs)} rows, and one run is published at a time"
    version, tables_count, rows_count = runs[0]
    try:
        rows = connection.execute(
            "select table_name, rows_count, content_hash, run_columns"
            f" from {SCHEMA}.{TABLES}"
        ).fetchall()
    except duckdb.Error as error:
        return {}, f"{TABLES} cannot be read: {_first_line(error)}"
    if (len(rows), sum(row[1] for row in rows)) != (tables_count, rows_count):
        return {}, f"{TABLES} does not add up to what {RUN} says"
    # another version of DuckDB hashes otherwise: rows are counted, and blocks read
    is_comparable = version == duckdb.__version__
    known = {
        name: (count, content if is_comparable else None, run_columns)
        for name, count, content, run_columns in rows
    }
    return known, None


def _damaged_tables(file: Path, names: list[str], known: dict[str, tuple]) -> list[str]:
    found, connection = [], connect(file, read_only=True)
    try:
        for name in names:
            try:
                damage = _damage(connection, name, known.get(name))
            except duckdb.Error as error:
                damage = f"{name} cannot be read: {_first_line(error)}"
                # after a damaged block DuckDB may refuse all else
                connection.close()
                connection = connect(file, read_only=True)
            if damage:
                found.append(damage)
    finally:
        connection.close()
    return found


def _damage(
    connection: duckdb.DuckDBPyConnection, name: str, published: tuple | None
) -> str | None:
    (database,) = connection.execute("select current_database()").fetchone()
    columns = columns_of(connection, database, SCHEMA, name)
    rows_count, content, left_out = published or (None, None, "")
    left_out = [one for one in left_out.split(",") if one]
    now = digest(connection, f"{SCHEMA}.{quoted(name)}", columns, left_out)
    if rows_count is not None and now.rows_count != rows_count:
        return f"{name} has {now.rows_count:,} rows, and {rows_count:,} were published"
    if content is not None and now.content_hash != content:
        return f"{name} holds other rows than were published"
    return None


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:200]
