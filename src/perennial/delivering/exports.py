"""The published marts as files: Parquet with types, CSV for spreadsheets."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb

from perennial.delivering.folders import put_in_place
from perennial.faults import Fault, UsageFault
from perennial.project import Project
from perennial.publishing.tables import SCHEMA, digest, literal, quoted

#: The file that tells type and meaning of every column, and its own columns.
COLUMNS = "published_columns"
_OF_COLUMNS = {
    "table_name": "VARCHAR",
    "column_name": "VARCHAR",
    "data_type": "VARCHAR",
    "table_description": "VARCHAR",
    "column_description": "VARCHAR",
}

#: A text that begins with one of these a spreadsheet takes for a formula, or drops the
#: sign: tab, line feed, carriage return, and the wide forms of = + - @ too.
_DANGEROUS = (*"=+-@'", *map(chr, (9, 10, 13, 0xFF1D, 0xFF0B, 0xFF0D, 0xFF20)))

#: Types that a spreadsheet never takes for a formula. All else is written as text.
_PLAIN = (
    *("BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "FLOAT"),
    *("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT"),
    *("DOUBLE", "DECIMAL", "DATE", "TIME", "TIMESTAMP"),
)

#: What a file manager leaves in folders that people open.
_OF_A_FILE_MANAGER = {".DS_Store"}


@dataclass(frozen=True)
class Format:
    """How tables are written to files, and read back without a loss.

    Attributes
    ----------
    ending : str
        Of the files' names.
    options : str
        Of DuckDB's ``copy``.
    written, read : callable
        Query for what is written of a table, and for the same table from its file. Both
        take a name as SQL, or a file, and the type of each column.
    """

    ending: str
    options: str
    written: Callable[[str, dict[str, str]], str]
    read: Callable[[Path, dict[str, str]], str]


def safe_query(table: str, types: dict[str, str]) -> str:
    """Query for a table with an apostrophe before texts that would be formulas.

    Also before those that begin with an apostrophe, so that taking one away again gives
    every text as it was.
    """
    return f"select {', '.join(map(_safe, types, types.values()))} from {table}"


def _safe(name: str, kind: str) -> str:
    if _is_plain(kind):
        return quoted(name)
    text = f"cast({quoted(name)} as varchar)"
    return (
        f"case when left({text}, 1) in ({', '.join(map(literal, _DANGEROUS))})"
        f" then '''' || {text}"
        f" else {text} end as {quoted(name)}"
    )


def csv_query(file: Path, types: dict[str, str]) -> str:
    """Query for a table from its CSV file, as docs/bi.md has it too."""
    columns = ", ".join(
        f"{literal(name)}: {literal(kind if _is_plain(kind) else 'varchar')}"
        for name, kind in types.items()
    )
    return (
        f"select {', '.join(map(_unsafe, types, types.values()))}"
        f" from read_csv({literal(file)}, header = true, auto_detect = false,"
        " delim = ',', quote = '\"', escape = '\"', nullstr = '',"
        f" allow_quoted_nulls = false, columns = {{{columns}}})"
    )


def _unsafe(name: str, kind: str) -> str:
    column = quoted(name)
    if _is_plain(kind):
        return column
    text = f"case when starts_with({column}, '''') then {column}[2:] else {column} end"
    return f"cast({text} as {kind}) as {column}"


def _is_plain(kind: str) -> bool:
    # not DECIMAL(18,2)[], which is a list; TIMESTAMP WITH TIME ZONE is plain
    return kind.startswith(_PLAIN) and not kind.endswith("]")


PARQUET = Format(
    ending="parquet",
    options="format parquet, compression zstd",
    written=lambda table, types: f"select * from {table}",
    read=lambda file, types: f"select * from read_parquet({literal(file)})",
)

CSV = Format(
    ending="csv",
    options="format csv, header",
    written=safe_query,
    read=csv_query,
)


def export(
    project: Project,
    form: Format,
    folder: Path | None = None,
    tell: Callable[[str], None] = lambda step: None,
) -> str:
    """Write every table of the published file to a file of its own, in one folder.

    Parameters
    ----------
    project : Project
    form : Format
    folder : Path, optional
        Else one beside the published file. All of it is replaced, in one step.
    tell : callable
        Is told each table as it is written.

    Returns
    -------
    str
        What was written, in a line.

    Raises
    ------
    UsageFault
        If the folder holds anything that was not written here.
    LockFault
        If another process fills the folder.
    Fault
        If nothing is published, the disk is full, or a file does not give its table
        back. The folder is as before then.
    """
    folder = (folder or default_folder(project, form)).expanduser().resolve()
    try:
        with project.reading_published() as connection:
            _refuse_what_is_of_others(connection, folder, form)
            tables = _tables(connection)
            with put_in_place(folder) as part:
                for number, (name, types) in enumerate(tables.items(), start=1):
                    tell(f"{number}/{len(tables)} {name}")
                    _write(connection, name, types, part, form)
            run_id, date = connection.execute(
                f"select run_id, score_date from {SCHEMA}.published_run"
            ).fetchone()
    except (duckdb.Error, OSError) as error:
        told = str(error).splitlines()[0][:200]
        raise Fault(f"Nothing was changed in {folder}: {told}") from None
    return f"{len(tables)} files in {folder}: run {run_id} of {date}"


def default_folder(project: Project, form: Format) -> Path:
    """Name the folder that files are written to where no other one is named."""
    return project.published_file.with_suffix("") / form.ending


def exported_files(project: Project) -> list[Path]:
    """Find the files in the folders that nobody named."""
    folders = (default_folder(project, form) for form in (PARQUET, CSV))
    return [path for folder in folders for path in folder.glob("*")]


def export_again(project: Project) -> str | None:
    """Write anew what lies in those folders; say so in a line, if anything does."""
    forms = [form for form in (PARQUET, CSV) if default_folder(project, form).exists()]
    for form in forms:
        export(project, form)
    if not forms:
        return None
    return f"written anew from what is published: {', '.join(f.ending for f in forms)}"


def _tables(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str, str]]:
    """Types of the columns of every table, by the names that queries have for them."""
    connection.execute(
        f"create or replace temp table {COLUMNS} as"
        " select table_name, column_name, data_type, tables.comment"
        " as table_description, columns.comment as column_description"
        " from duckdb_columns() as columns inner join duckdb_tables() as tables"
        " using (database_oid, schema_oid, table_oid, table_name)"
        f" where columns.schema_name = {literal(SCHEMA)}"
        " order by table_name, column_index"
    )
    rows = connection.execute(
        f"select table_name, column_name, data_type from {COLUMNS}"
    ).fetchall()
    tables: dict[str, dict[str, str]] = {}
    for table, column, kind in rows:
        tables.setdefault(table, {})[column] = kind
    return tables | {COLUMNS: _OF_COLUMNS}


def _write(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    types: dict[str, str],
    folder: Path,
    form: Format,
) -> None:
    table = quoted(name) if name == COLUMNS else f"{SCHEMA}.{quoted(name)}"
    file = folder / f"{name}.{form.ending}"
    connection.execute(
        f"copy ({form.written(table, types)}) to {literal(file)} ({form.options})"
    )
    back = form.read(file, types)
    found = connection.sql(back)
    if [str(kind) for kind in found.types] != list(types.values()):
        raise Fault(f"{name} has a type that {form.ending} cannot keep.")
    if digest(connection, f"({back})", types) != digest(connection, table, types):
        raise Fault(f"{file.name} does not give {name} back as it is published.")


def _refuse_what_is_of_others(
    connection: duckdb.DuckDBPyConnection, folder: Path, form: Format
) -> None:
    if not folder.exists():
        return
    if not folder.is_dir():
        raise UsageFault(f"{folder} is no folder: name another one by --folder.")
    there = {path.name for path in folder.iterdir()} - _OF_A_FILE_MANAGER
    described = f"{COLUMNS}.{form.ending}"
    if described in there:
        names = connection.execute(
            "select distinct table_name"
            f" from ({form.read(folder / described, _OF_COLUMNS)})"
        ).fetchall()
        there -= {described, *(f"{name}.{form.ending}" for (name,) in names)}
    if there:
        raise UsageFault(
            f"{folder} holds what perennial did not write ({min(there)}): "
            "name an empty folder by --folder."
        )
