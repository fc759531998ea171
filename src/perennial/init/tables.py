"""Where a table of somebody's own lies, and how it is read to be looked at."""

import csv
import glob
import json
import re
from dataclasses import dataclass
from pathlib import Path

import duckdb

from perennial.faults import Fault, UsageFault

#: Formats of files by the ending of their names.
ENDINGS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".jsonl": "json_lines",
    ".ndjson": "json_lines",
    ".json_lines": "json_lines",
    ".parquet": "parquet",
}

#: Delimiters of CSV files, the likeliest first.
DELIMITERS = (",", ";", "\t", "|")

#: Names of columns that the reading step gives itself.
TAKEN_NAMES = (
    *("reading_id", "file_path", "source_file", "source_line", "source_lines_count"),
    *("source_text", "row_fault"),
)

#: What DuckDB opens as a database, and what it asks a server for.
_DATABASE_ENDINGS = (".duckdb", ".db")
_SERVER = re.compile(r"postgres(ql)?://")


@dataclass(frozen=True)
class Place:
    """Where one raw table lies.

    Attributes
    ----------
    files : str or None
        A path, or a pattern; None for a table of a database.
    file_format : str or None
    delimiter : str
        Of a CSV file.
    database : str or None
        Path of a DuckDB file or address of a PostgreSQL server.
    schema, table : str or None
        Of a table of a database.
    """

    files: str | None = None
    file_format: str | None = None
    delimiter: str = ","
    database: str | None = None
    schema: str | None = None
    table: str | None = None

    @property
    def is_server(self) -> bool:
        """Whether the table lies in PostgreSQL."""
        return bool(self.database and _SERVER.match(self.database))

    @property
    def told(self) -> str:
        """Say where it lies, without a password."""
        if self.files:
            return self.files
        return f"{self.address}#{self.schema}.{self.table}"

    @property
    def address(self) -> str:
        """Address of its database, without a password."""
        return re.sub(r"//([^:/@]*):[^@]*@", r"//\1@", self.database)

    @classmethod
    def find(cls, text: str) -> "Place":
        """Find out what a person means who names a raw table.

        Parameters
        ----------
        text : str
            A file, a folder, a pattern, or a database and a table of it with # between
            them: ``shop.duckdb#orders``, ``postgresql://host/shop#public.orders``.

        Raises
        ------
        UsageFault
            If nothing is there, or its format is not one that can be read.
        """
        if "#" in text and (_SERVER.match(text) or _is_database(text.split("#")[0])):
            database, _, name = text.partition("#")
            schema, _, table = name.rpartition(".")
            default = "public" if _SERVER.match(text) else "main"
            if not is_writable(name) or '"' in name:
                raise UsageFault(f"{name[:60]!r} cannot stand in a model.")
            return cls(database=database, schema=schema or default, table=table)
        if _SERVER.match(text) or _is_database(text):
            raise UsageFault(
                f"{cls(database=text).address} is a database: name a table of it, as "
                "in ADDRESS#orders."
            )
        path = Path(text).expanduser()
        if path.is_dir():
            return cls._of_folder(path)
        found = sorted(glob.glob(str(path), recursive=True))
        if not found:
            raise UsageFault(f"{text}: no file is there.")
        return cls._of_files(str(path), found)

    @classmethod
    def _of_folder(cls, folder: Path) -> "Place":
        endings = {file.suffix for file in folder.iterdir() if file.suffix in ENDINGS}
        if len(endings) != 1:
            told = " and ".join(sorted(endings)) or "no file that can be read"
            raise UsageFault(
                f"{folder} holds {told}: name the files by a pattern, as in "
                f"'{folder}/*.csv'."
            )
        pattern = str(folder / f"*{endings.pop()}")
        return cls._of_files(pattern, sorted(glob.glob(pattern)))

    @classmethod
    def _of_files(cls, files: str, found: list[str]) -> "Place":
        if not is_writable(files) or set(files) & set("'\""):
            raise UsageFault(
                f"{files}: a path with a quote, brace or backslash cannot stand in a "
                "model. Rename the file, or link to it."
            )
        formats = {ENDINGS.get(Path(file).suffix) for file in found}
        if len(formats) != 1 or None in formats:
            raise UsageFault(
                f"{files}: a raw file ends in {', '.join(ENDINGS)}, and all of a table "
                "in the same."
            )
        (file_format,) = formats
        delimiter = _delimiter(found[0]) if file_format == "csv" else ","
        return cls(files=files, file_format=file_format, delimiter=delimiter)


def is_writable(name: str) -> bool:
    """Whether a name can stand in a model: dbt would run what stands in braces."""
    return name.isprintable() and not set(name) & set("{}\\")


def _is_database(text: str) -> bool:
    return Path(text).suffix in _DATABASE_ENDINGS and Path(text).is_file()


def _delimiter(file: str) -> str:
    try:
        with open(file, encoding="utf-8-sig") as lines:
            first = lines.readline().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise Fault(
            f"raw file {file}, line 1: it is not readable as UTF-8 "
            f"({type(error).__name__}). Convert it, for instance with "
            "iconv -f LATIN1 -t UTF-8."
        ) from None
    if not first:
        raise Fault(f"raw file {file}, line 1: there is no header.")
    cells = {one: len(next(csv.reader([first], delimiter=one))) for one in DELIMITERS}
    return max(DELIMITERS, key=lambda one: cells[one])


def opened(place: Place) -> duckdb.DuckDBPyConnection:
    """Open a connection with the table as the view ``raw_table``.

    Cells of text files are text, empty ones NULL; others have the types they came with.

    Raises
    ------
    Fault
        If the engine cannot read the table.
    """
    connection = duckdb.connect()
    try:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(f"create view raw_table as {_query(connection, place)}")
        connection.execute("select * from raw_table limit 1").fetchall()
    except duckdb.Error as error:
        told = _first_line(error, place)
        raise Fault(f"{place.told} cannot be read ({told}).") from None
    return connection


def tables_of(database: str) -> list[tuple[str, str]]:
    """List the schema and the name of every table of a database.

    Raises
    ------
    UsageFault
        If there is none, or it cannot be opened.
    """
    if not _SERVER.match(database) and not _is_database(database):
        raise UsageFault(f"{database}: no folder and no database is there.")
    place = Place(database=database)
    with duckdb.connect() as connection:
        try:
            _attach(connection, place)
            return connection.execute(
                "select table_schema, table_name from information_schema.tables"
                " where table_catalog = 'attached' order by all"
            ).fetchall()
        except duckdb.Error as error:
            told = _first_line(error, place)
            raise UsageFault(f"{place.address}: {told}") from None


def _first_line(error: duckdb.Error, place: Place) -> str:
    told = str(error).splitlines()[0]
    if place.database:  # the engine repeats an address with its password
        told = told.replace(place.database, place.address)
    return told[:200]


def _query(connection: duckdb.DuckDBPyConnection, place: Place) -> str:
    if place.database is not None:
        _attach(connection, place)
        return f"select * from attached.{quoted(place.schema)}.{quoted(place.table)}"
    files = literal(place.files)
    if place.file_format == "parquet":
        return f"select * from read_parquet({files}, union_by_name = true)"
    if place.file_format == "csv":
        return (
            "select nullif(columns(*), '') from read_csv("
            f"{files}, delim = {literal(place.delimiter)}, quote = '\"',"
            " header = true, all_varchar = true, null_padding = true,"
            " strict_mode = false, ignore_errors = true, union_by_name = true)"
        )
    names = _json_names(place.files)
    cells = [
        f"nullif(line ->> {literal('$.' + json.dumps(name))}, '')" for name in names
    ]
    return (
        "select "
        + ", ".join(
            f"{cell} as {quoted(name)}" for name, cell in zip(names, cells, strict=True)
        )
        + " from (select case when json_valid(line) then line end as line"
        f" from read_csv({files}, columns = {{'line': 'VARCHAR'}},"
        " auto_detect = false, header = false, delim = chr(31), quote = '',"
        " escape = ''))"
    )


def _json_names(files: str) -> list[str]:
    names: dict[str, None] = {}
    for file in sorted(glob.glob(files, recursive=True)):
        with open(file, encoding="utf-8", errors="replace") as lines:
            for _, line in zip(range(1000), lines, strict=False):
                try:
                    record = json.loads(line)
                except ValueError:
                    continue
                if isinstance(record, dict):
                    names.update(dict.fromkeys(record))
    if not names:
        raise Fault(
            f"raw file {files}: no line of it is a JSON object. A file that is one "
            "document has to be made into one object per line."
        )
    return list(names)


def _attach(connection: duckdb.DuckDBPyConnection, place: Place) -> None:
    """Attach the database of a table as ``attached``, to be read alone."""
    kind = ""
    if place.is_server:
        from perennial.dbt_plugin import extension_file

        connection.load_extension(str(extension_file("postgres")))
        kind = ", type postgres"
    address = literal(place.database)
    connection.execute(f"attach {address} as attached (read_only{kind})")


def quoted(name: str) -> str:
    """Write a name as an identifier of SQL, whatever it holds."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Write text as a literal of SQL."""
    return "'" + text.replace("'", "''") + "'"
