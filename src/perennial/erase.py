"""Persons removed from everything of ours, and the proof that nothing is left."""

import datetime
import functools
import mmap
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import numpy as np

from perennial import keyed_hash
from perennial.delivering import exports
from perennial.faults import Fault, UsageFault
from perennial.project import Project, lock_message
from perennial.publishing import building, erasing, history
from perennial.publishing.lock import held
from perennial.publishing.tables import connect

#: Columns besides the id that tell who somebody is; `pii` in the .yml of the models.
PERSONAL_COLUMNS = ("email",)

#: Tables that hold events by their hashes. A file that names an erased person leaves
#: them, and the next build judges it anew.
EVENT_TABLES = (
    "int_checked_events",
    "int_repeated_event_keys",
    "int_unusual_events",
)

#: Counts over all events, whoever they are of. Empty, they are counted anew.
EVENT_COUNTS = "int_event_key_counts"

#: A shorter id stands in unrelated bytes too, and is not looked for in them.
LEAST_CHARACTERS = 4

#: A shorter id may also be read where two other values stand side by side.
LEAST_CHARACTERS_OF_A_PROOF = 8

#: As many texts stand in one regular expression of the engine.
_TEXTS_OF_A_PATTERN = 1000

#: As many bytes of a file are looked at in one go.
_BYTES_OF_A_LOOK = 1 << 22

_PLACE_OF_A_ROW = (
    "reading_id",
    "file_path",
    "source_file",
    "source_line",
    "source_lines_count",
    "row_fault",
)


@dataclass
class Persons:
    """Whom to look for.

    Attributes
    ----------
    customer_ids : list of str
        As the source has them.
    lines : set of str
        Raw lines of the persons' files.
    mails : set of str
        E-mail addresses that nobody else has.
    """

    customer_ids: list[str]
    lines: set[str] = field(default_factory=set)
    mails: set[str] = field(default_factory=set)

    @functools.cached_property
    def ids(self) -> list[str]:
        """Their ids, and what the marts call them with ``pseudonymise``."""
        hashes = [keyed_hash.keyed_hash("customer", one) for one in self.customer_ids]
        return [*self.customer_ids, *hashes]

    def hits(self, content: bytes | mmap.mmap) -> Iterator[str]:
        """Name what of the persons stands in bytes: ``id``, ``line``, ``e-mail``."""
        if any(_is_word(content, *hit) for hit in found_in(content, self.ids)):
            yield "id"
        yield from self.plain_hits(content)

    def plain_hits(self, content: bytes | mmap.mmap) -> Iterator[str]:
        """Only what cannot be there by chance."""
        for name, texts in (("line", self.lines), ("e-mail", self.mails)):
            if any(True for _ in found_in(content, texts)):
                yield name


def found_in(
    content: bytes | mmap.mmap, texts: Iterable[str]
) -> Iterator[tuple[int, int]]:
    """Where in bytes any of many texts stands, in one pass for up to four lengths.

    Parameters
    ----------
    content : bytes or mmap
    texts : iterable of str

    Yields
    ------
    (start, end)
        Of each text that was found.
    """
    for width, beginnings, wanted, is_low_wanted in _beginnings(tuple(texts)):
        for first in range(0, len(content), _BYTES_OF_A_LOOK):
            part = content[first : first + _BYTES_OF_A_LOOK + width - 1]
            count = len(part) - width + 1
            if count < 1:
                break
            low = np.ndarray((count,), f"<u{min(width, 2)}", part, strides=(1,))
            places = np.flatnonzero(is_low_wanted[low])
            windows = np.ndarray((count,), wanted.dtype, part, strides=(1,))[places]
            for start in (first + places[np.isin(windows, wanted)]).tolist():
                by_length = beginnings[content[start : start + width]]
                for length, same in by_length.items():
                    if content[start : start + length] in same:
                        yield start, start + length


@functools.lru_cache(maxsize=8)
def _beginnings(
    texts: tuple[str, ...],
) -> list[tuple[int, dict, np.ndarray, np.ndarray]]:
    """Sort texts by the 1, 2, 4 or 8 bytes that they begin with, then by length."""
    begun: dict[int, dict[bytes, dict[int, set[bytes]]]] = {}
    for text in (text.encode() for text in texts if text):
        width = next(width for width in (8, 4, 2, 1) if len(text) >= width)
        by_length = begun.setdefault(width, {}).setdefault(text[:width], {})
        by_length.setdefault(len(text), set()).add(text)
    sought = []
    for width, beginnings in begun.items():
        wanted = np.frombuffer(b"".join(beginnings), f"<u{width}")
        is_low_wanted = np.zeros(1 << 16, bool)
        is_low_wanted[wanted.astype(f"<u{min(width, 2)}")] = True
        sought.append((width, beginnings, wanted, is_low_wanted))
    return sought


def _is_word(content: bytes | mmap.mmap, start: int, end: int) -> bool:
    """Whether what stands there is no part of a longer name or number."""
    around = content[max(start - 1, 0) : start] + content[end : end + 1]
    return not re.search(rb"[A-Za-z0-9_]", around)


@dataclass(frozen=True)
class Place:
    """Somewhere of ours that personal data can be.

    Attributes
    ----------
    name : str
    files : callable
        The files of it that are there now.
    clean : callable
        Removes the persons, and says in a line what was done; None if nothing was.
    is_database : bool
        Whether its bytes are DuckDB's, in which values stand without a space between.
    """

    name: str
    files: Callable[[Project], list[Path]]
    clean: Callable[[Project, Persons], str | None]
    is_database: bool = False


def erase(
    project: Project,
    customer_ids: list[str],
    reason: str = "asked",
    tell: Callable[[str], None] = lambda step: None,
) -> list[str]:
    """Remove persons from every place, and prove it.

    Parameters
    ----------
    project : Project
    customer_ids : list of str
        As the source has them. Bound as parameters: they are data, never SQL.
    reason : str
        ``asked`` or ``retention``, kept with the hashes of the ids.
    tell : callable
        Is told each step as it begins.

    Returns
    -------
    list of str
        Lines that say what was done, what was proved, and what is left to the user.

    Raises
    ------
    UsageFault
        If there is no key, another one than before, or a program holds the file.
    LockFault
        If a build is at work.
    Fault
        If a customer is unknown, or something of the persons is left.
    """
    if not project.working_file.exists():
        raise Fault(f"{project.working_file} is not there: nothing was built yet.")
    if not keyed_hash.has_key():
        raise UsageFault(
            f"Set {keyed_hash.KEY_VARIABLE} to a secret of at least "
            f"{keyed_hash.KEY_LEAST_CHARACTERS} characters, and keep it for every "
            "build: by it the rows of the erased are refused from now on."
        )
    with held(project, "perennial erase"):
        told = building.clean_up(project)
        persons = Persons(customer_ids)
        tell("erasing rows")
        with _writing(project) as connection:
            told += _erase_from_tables(connection, persons, project, reason)
        for place in PLACES:
            tell(f"cleaning {place.name}")
            told += filter(None, [place.clean(project, persons)])
        if project.history_folder.exists():
            # a new working file has to know whom to leave out
            history.save(project, history.stamp(), only="erasures")
        tell("looking for what is left")
        told += prove(project, persons)
    return [*told, "Run perennial build: sums and models still count the erased."]


def silent_customers(project: Project, days: int) -> tuple[list[str], int]:
    """Find the customers of whom nothing accepted happened for long.

    Parameters
    ----------
    project : Project
    days : int
        Before the score date. Who did something on the first of them is not silent, nor
        is one of whom no day at all is known.

    Returns
    -------
    (list of str, int)
        Ids of the silent customers, and how many customers there are.
    """
    with project.reading() as connection:
        rows = connection.execute(
            "select customer_id, date_diff('day', last_activity_date, score_date) > ?"
            " from intermediate.int_last_activity, intermediate.int_score_date"
            " order by customer_id",
            [days],
        ).fetchall()
    return [customer_id for customer_id, is_silent in rows if is_silent], len(rows)


def _writing(project: Project) -> duckdb.DuckDBPyConnection:
    try:
        connection = duckdb.connect(
            str(project.working_file), config={"autoload_known_extensions": False}
        )
    except duckdb.IOException as error:
        raise UsageFault(lock_message(str(error)) or str(error)) from None
    keyed_hash.register(connection)
    connection.execute("set TimeZone = 'UTC'")
    return connection


# --- the working file -----------------------------------------------------------------


@dataclass(frozen=True)
class _Table:
    """A table or view, its text columns and all of its columns."""

    schema: str
    name: str
    is_view: bool
    columns: tuple[str, ...]
    texts: tuple[str, ...]

    @property
    def sql(self) -> str:
        return f"{_quoted(self.schema)}.{_quoted(self.name)}"

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"

    def has(self, *columns: str) -> bool:
        return set(columns) <= set(self.columns)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _tables(connection: duckdb.DuckDBPyConnection) -> list[_Table]:
    rows = connection.execute(
        "select c.schema_name, c.table_name, v.view_name is not null,"
        " list(c.column_name order by c.column_index),"
        " coalesce(list(c.column_name order by c.column_index)"
        "   filter (where c.data_type in ('VARCHAR', 'JSON')), [])"
        " from duckdb_columns() as c left join duckdb_views() as v"
        " on v.database_name = c.database_name and v.schema_name = c.schema_name"
        " and v.view_name = c.table_name"
        " where c.database_name = current_database() and not c.internal"
        " group by all order by all"
    ).fetchall()
    return [_Table(*row[:3], tuple(row[3]), tuple(row[4])) for row in rows]


def _erase_from_tables(
    connection: duckdb.DuckDBPyConnection,
    persons: Persons,
    project: Project,
    reason: str,
) -> list[str]:
    everything = _tables(connection)
    tables = [table for table in everything if not table.is_view]
    if not any(table.name == "erasures" for table in tables):
        raise Fault(f"{project.working_file} has no table of erasures: build it once.")
    (erasures,) = [table for table in tables if table.name == "erasures"]
    tables.remove(erasures)
    checks = connection.execute(f"select distinct key_check from {erasures.sql}")
    if any(check != keyed_hash.key_check() for (check,) in checks.fetchall()):
        raise UsageFault(
            f"The key is another one: set {keyed_hash.KEY_VARIABLE} to the one with "
            "which persons were erased."
        )
    _hand_over(connection, persons)
    holders = [table for table in everything if table.has("customer_id")]
    holders = [table for table in holders if _shows(connection, table)]
    known = connection.execute(f"select customer_hash from {erasures.sql}").fetchall()
    hashes = {
        keyed_hash.keyed_hash("erased customer", one): one
        for one in persons.customer_ids
    }
    for (customer_hash,) in known:
        hashes.pop(customer_hash, None)
    if hashes and not holders:
        unknown = next(iter(hashes.values()))
        raise Fault(f"There is no customer {unknown[:60]!r} in {project.connector}.")
    _get_to_know(connection, persons, holders)
    _hand_over(connection, persons)
    files = _own_files(connection, holders)
    connection.begin()
    if hashes:
        # a file of an earlier version has no such column
        connection.execute(
            f"alter table {erasures.sql} add column if not exists reason varchar"
        )
        connection.execute(
            f"insert into {erasures.sql}"
            " (customer_hash, key_check, erased_date, reason)"
            " select unnest(?), ?, ?, ?",
            [list(hashes), keyed_hash.key_check(), datetime.date.today(), reason],
        )
    rows_count = _clean_tables(connection, tables, persons)
    connection.commit()
    for table in holders:
        if table.is_view and _shows(connection, table):
            # it reads the user's own files; the next build makes it anew
            connection.execute(f"drop view {table.sql}")
    told = [f"{rows_count} rows erased from the tables of {project.working_file}"]
    return told + [
        f"your own file {path} still has {count} lines of the erased: not changed"
        for path, count in files
    ]


def _hand_over(connection: duckdb.DuckDBPyConnection, persons: Persons) -> None:
    """Hand the persons over as data, for `_is_theirs`, `_holds` and the proof."""
    for name, texts in (("ids", persons.ids), ("lines", persons.lines)):
        connection.execute(
            f"create or replace temporary table erased_{name} as"
            " select distinct unnest(cast(? as varchar[])) as text",
            [sorted(texts)],
        )
    for name, texts in (
        ("words", _long(persons.ids)),
        ("ids", _long(persons.customer_ids)),
        ("mails", sorted(persons.mails)),
    ):
        patterns = [
            "|".join(map(re.escape, texts[first : first + _TEXTS_OF_A_PATTERN]))
            for first in range(0, len(texts), _TEXTS_OF_A_PATTERN)
        ]
        if name == "words":
            patterns = [
                f"(^|[^A-Za-z0-9_])(?:{one})($|[^A-Za-z0-9_])" for one in patterns
            ]
        connection.execute(f"set variable {name} = cast(? as varchar[])", [patterns])


def _long(ids: list[str]) -> list[str]:
    """Ids that are looked for in bytes and in the text of lines."""
    return [one for one in ids if len(one) >= LEAST_CHARACTERS]


def _holds(connection: duckdb.DuckDBPyConnection, column: str, what: str) -> str:
    """Condition: a text holds one of the ``words``, ``ids`` or ``mails``."""
    (count,) = connection.execute(f"select len(getvariable('{what}'))").fetchone()
    parts = [
        f"regexp_matches({column}, getvariable('{what}')[{number}])"
        for number in range(1, count + 1)
    ]
    return f"({' or '.join(parts) or 'false'})"


def _is_theirs(connection: duckdb.DuckDBPyConnection, table: _Table) -> str:
    """Condition: the row is theirs, or a line that names them and tells no id."""
    condition = (
        "coalesce(cast(customer_id as varchar) in"
        " (select text from temp.erased_ids), false)"
    )
    if not table.has("source_text"):
        return condition
    mentioned = _holds(connection, "source_text", "words")
    return f"({condition} or (customer_id is null and {mentioned}))"


def _shows(connection: duckdb.DuckDBPyConnection, table: _Table) -> bool:
    """Whether a table has rows of the persons; a view that cannot be read might."""
    try:
        query = (
            f"select 1 from {table.sql} where {_is_theirs(connection, table)} limit 1"
        )
        return connection.execute(query).fetchone() is not None
    except duckdb.Error:
        if table.is_view:
            return True
        raise


def _get_to_know(
    connection: duckdb.DuckDBPyConnection, persons: Persons, holders: list[_Table]
) -> None:
    """Note the persons' raw lines, e-mail addresses and places in the files."""
    connection.execute(
        "create or replace temporary table person_rows"
        " (relation varchar, reading_id integer, source_line bigint,"
        " source_lines_count bigint)"
    )
    for table in holders:
        is_theirs = _is_theirs(connection, table)
        try:
            if table.has("source_text"):
                lines = connection.execute(
                    f"select distinct source_text from {table.sql} where {is_theirs} "
                    "and length(source_text) >= 8"
                ).fetchall()
                persons.lines |= {line for (line,) in lines}
            for column in PERSONAL_COLUMNS:
                if table.has(column):
                    mails = connection.execute(
                        f"select {column} from {table.sql} "
                        f"where length({column}) >= {LEAST_CHARACTERS} "
                        f"group by {column} having bool_and({is_theirs})"
                    ).fetchall()
                    persons.mails |= {mail for (mail,) in mails}
            if _is_delivered(table):
                connection.execute(
                    "insert into temp.person_rows select ?, reading_id, source_line,"
                    f" source_lines_count from {table.sql} where {is_theirs}",
                    [str(table)],
                )
        except duckdb.Error:
            if not table.is_view:
                raise


def _is_delivered(table: _Table) -> bool:
    """Whether it is a staging model, whose rows are those of the files."""
    return table.has("reading_id", "source_line", "source_lines_count") and (
        table.has("row_fault", "source_text")
        and not table.has("reject_reason")
        and not table.name.startswith("int_")
    )


def _own_files(
    connection: duckdb.DuckDBPyConnection, holders: list[_Table]
) -> list[tuple[str, int]]:
    """Find the user's files that hold the persons, and copies, with lines of each."""
    try:
        found = connection.execute(
            """
            with counted as (
                select relation, reading_id, sum(source_lines_count) as lines_count
                from temp.person_rows
                group by relation, reading_id
            ),
            readings as (
                select
                    ledger.file_sha256,
                    max(counted.lines_count) as lines_count
                from reading.files_read as ledger
                inner join counted
                    on ledger.reading_id = counted.reading_id
                group by ledger.file_sha256
            )
            select ledger.file_path, max(readings.lines_count)
            from reading.files_read as ledger
            inner join readings on ledger.file_sha256 = readings.file_sha256
            group by ledger.file_path
            order by ledger.file_path
            """
        ).fetchall()
    except duckdb.CatalogException:  # no file was read
        return []
    return [(path, int(count)) for path, count in found if os.path.exists(path)]


def _clean_tables(
    connection: duckdb.DuckDBPyConnection, tables: list[_Table], persons: Persons
) -> int:
    statements = []
    for table in tables:
        is_theirs = _is_theirs(connection, table) if table.has("customer_id") else ""
        if table.name in EVENT_TABLES and table.has("reading_id"):
            statements.append(
                f"delete from {table.sql} where exists (select 1 from temp.person_rows"
                f" as p where p.reading_id is not distinct from {table.sql}.reading_id)"
            )
        elif table.name == EVENT_COUNTS:
            statements.append(f"delete from {table.sql}")
        elif table.has("line_fault", "reading_id", "source_line", "source_text"):
            statements.append(
                f"update {table.sql} set source_text = null, line_fault = 'erased'"
                f" where (reading_id, source_line) in"
                " (select (reading_id, source_line) from temp.person_rows)"
            )
        elif table.has("customer_id") and _is_delivered(table):
            statements.append(
                f"update {table.sql} set {_blanks(table)} where {is_theirs}"
            )
        elif table.has("customer_id"):
            statements.append(f"delete from {table.sql} where {is_theirs}")
        if table.has("customer_id", "source_text"):
            # the row of somebody else with an address of theirs
            statements.append(
                f"update {table.sql} set source_text = null"
                f" where {_holds(connection, 'source_text', 'mails')}"
            )
    return sum(connection.execute(one).fetchone()[0] for one in statements)


def _blanks(table: _Table) -> str:
    """Leave of a row its place, and a key that is made of the place."""
    own = [name for name in table.columns if name not in _PLACE_OF_A_ROW]
    place = "source_file || ':' || source_line"
    kept = [
        f"{_quoted(name)} = case when {_quoted(name)} = {place} then {place} end"
        if name in table.texts
        else f"{_quoted(name)} = null"
        for name in own
    ]
    return ", ".join([*kept, "row_fault = 'erased'"])


def _rewrite(project: Project, persons: Persons) -> str:
    """Copy the working file, so that no free block of it keeps old bytes."""
    file = project.working_file
    fresh = file.with_name(f"{file.name}.erasing")
    fresh.unlink(missing_ok=True)
    with _writing(project) as connection:
        name = connection.execute("select current_database()").fetchone()[0]
        try:
            path = str(fresh).replace("'", "''")
            connection.execute(f"attach '{path}' as perennial_fresh")
            connection.execute(f"copy from database {_quoted(name)} to perennial_fresh")
            before, after = (
                connection.execute(
                    "select schema_name, table_name from duckdb_tables()"
                    " where database_name = ? order by all",
                    [one],
                ).fetchall()
                for one in (name, "perennial_fresh")
            )
            lost = [one for one in before if one not in after] + [
                (schema, table)
                for schema, table in after
                if _count(connection, name, schema, table)
                != _count(connection, "perennial_fresh", schema, table)
            ]
            connection.execute("detach perennial_fresh")
        except duckdb.Error as error:
            fresh.unlink(missing_ok=True)
            raise Fault(
                f"{file} could not be rewritten, so its free blocks still hold the "
                f"erased ({str(error).splitlines()[0][:200]}): mend that, erase again."
            ) from None
    if lost:
        fresh.unlink()
        raise Fault(f"{file} could not be rewritten without a loss of {lost[0]}.")
    os.chmod(fresh, file.stat().st_mode)
    with open(fresh, "rb") as written:
        os.fsync(written.fileno())
    os.replace(fresh, file)
    for left in _beside(project)[1:]:
        left.unlink(missing_ok=True)
    return f"{file} rewritten, so that no free block of it keeps anything"


def _count(
    connection: duckdb.DuckDBPyConnection, database: str, schema: str, table: str
) -> int:
    name = ".".join(map(_quoted, (database, schema, table)))
    return connection.execute(f"select count(*) from {name}").fetchone()[0]


def _beside(project: Project) -> list[Path]:
    """Find the working file, and what DuckDB leaves beside it."""
    file = project.working_file
    left = [file.with_name(f"{file.name}{ending}") for ending in (".wal", ".erasing")]
    temporary = file.with_name(f"{file.name}.tmp")
    left += temporary.rglob("*") if temporary.is_dir() else []
    return [path for path in [file, *left] if path.is_file()]


# --- folders of files that can be made again ------------------------------------------


def _folder(name: str, variable: str | None = None) -> Callable[[Project], list[Path]]:
    def files(project: Project) -> list[Path]:
        folders = {project.root / name, project.home / name}
        if variable and os.environ.get(variable):
            folders.add(project.root / os.environ[variable])
        found = {path for folder in folders for path in folder.rglob("*")}
        return sorted(path for path in found if path.is_file())

    return files


def _delete_from(name: str, variable: str | None = None) -> Place:
    files = _folder(name, variable)

    def clean(project: Project, persons: Persons) -> str | None:
        found = [path for path in files(project) if any(_scan(path, persons.hits))]
        for path in found:
            path.unlink()
        if not found:
            return None
        told = ", ".join(path.name for path in found[:3])
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        return f"deleted from {name}/, because they named the erased: {told}{more}"

    return Place(f"{name}/", files, clean)


#: Every place of ours. What is written elsewhere some day is to be named here too, and
#: `tests/python/test_privacy.py` erases from all of them.
PLACES = (
    Place("the working file", _beside, _rewrite, is_database=True),
    Place(
        "what is published",
        erasing.published_files,
        lambda project, persons: erasing.clean_published(project, persons.ids),
        is_database=True,
    ),
    Place(
        "Parquet and CSV",
        exports.exported_files,
        lambda project, persons: exports.export_again(project),
        is_database=True,
    ),
    Place(
        "history",
        erasing.history_files,
        lambda project, persons: erasing.clean_history(project, persons.ids),
        is_database=True,
    ),
    Place(
        "files that were set aside",
        erasing.files_set_aside,
        lambda project, persons: erasing.delete_set_aside(project),
        is_database=True,
    ),
    _delete_from("target", "DBT_TARGET_PATH"),
    _delete_from("logs", "DBT_LOG_PATH"),
    _delete_from("build"),
)


# --- the proof ------------------------------------------------------------------------


def prove(project: Project, persons: Persons) -> list[str]:
    """Ask every text column, and scan the bytes of every file.

    Returns
    -------
    list of str
        Lines that say what was looked at.

    Raises
    ------
    Fault
        If something of the persons is left.
    """
    left, alike, columns_count, is_within_others = _ask_columns(project, persons)
    unproved = [
        f"the column {column} holds the same text as an id, of something else"
        for column in alike
    ]
    files_count = 0
    if _long(persons.customer_ids) != persons.customer_ids:
        unproved.append(
            f"an id of less than {LEAST_CHARACTERS} characters stands in unrelated "
            "bytes too: the bytes prove its absence only as part of the raw lines"
        )
    for place in PLACES:
        for path in place.files(project):
            files_count += 1
            if not place.is_database:
                left += [f"{what} in {path}" for what in _scan(path, persons.hits)]
                continue
            left += [f"{what} in {path}" for what in _scan(path, persons.plain_hits)]
            lengths = _scan(
                path, functools.partial(_lengths_found, ids=_long(persons.ids))
            )
            if not lengths:
                continue
            if is_within_others:
                unproved.append(
                    f"other values of {path.name} contain an id, so that its bytes "
                    "prove nothing: the columns were asked"
                )
            elif max(lengths) < LEAST_CHARACTERS_OF_A_PROOF:
                unproved.append(
                    f"in {path.name} so short an id is also read where two values "
                    "meet, so that its bytes prove nothing: the columns were asked"
                )
            else:
                left.append(f"id in {path}")
    if left:
        raise Fault(f"Something of the erased is left: {'; '.join(left)}.")
    persons_count, lines, mails = map(
        len, (persons.customer_ids, persons.lines, persons.mails)
    )
    return [
        f"looked for the ids of {persons_count} persons, {lines} raw lines and {mails} "
        f"e-mail addresses: nothing in {columns_count} text columns, nor in the bytes "
        f"of {files_count} files",
        *(f"not proved: {one}" for one in unproved),
    ]


def _lengths_found(content: bytes | mmap.mmap, ids: list[str]) -> set[int]:
    """Characters of the ids that stand in bytes, as a word or within others."""
    return {end - start for start, end in found_in(content, ids)}


def _ask_columns(
    project: Project, persons: Persons
) -> tuple[list[str], list[str], int, bool]:
    """Ask where columns hold the persons, and where only what reads like an id.

    DuckDB packs text, so that bytes alone would not show all of it. An id can be the id
    of an order too, so it counts where customers are named.
    """
    left, alike, count, is_within_others = [], [], 0, False
    for within, views_too, database in _databases(project):
        with database as connection:
            _hand_over(connection, persons)
            for table in _tables(connection):
                if table.has("customer_id") and _shows(connection, table):
                    left.append(f"a row of {within}{table}")
                if table.is_view and not views_too:
                    continue
                for column in table.texts:
                    count += 1
                    is_there, is_alike, is_within = _ask(connection, table, column)
                    is_within_others |= is_within
                    if is_there or (is_alike and column.endswith("customer_id")):
                        left.append(f"the column {within}{table}.{column}")
                    elif is_alike:
                        alike.append(f"{within}{table}.{column}")
    return left, alike, count, is_within_others


def _databases(
    project: Project,
) -> Iterator[tuple[str, bool, AbstractContextManager[duckdb.DuckDBPyConnection]]]:
    """Open each database of ours, with what its tables are called by, one at a time.

    Only over files of Parquet do views hold rows of their own.
    """
    yield "", False, _writing(project)
    for file in erasing.published_files(project):
        yield f"{file.name}: ", False, connect(file, read_only=True)
    yield "history: ", True, erasing.views(erasing.history_files(project))
    exported = [
        file for file in exports.exported_files(project) if file.suffix == ".parquet"
    ]
    yield "exported: ", True, erasing.views(exported)


def _ask(
    connection: duckdb.DuckDBPyConnection, table: _Table, column: str
) -> tuple[bool, bool, bool]:
    """Whether a column has what is theirs, an id of theirs, and one within others."""
    mentioned = "false"
    if column == "source_text":
        mentioned = _holds(connection, "text", "words")
    return connection.execute(
        "select"
        f" coalesce(bool_or({_holds(connection, 'text', 'mails')}"
        " or text in (select text from temp.erased_lines)), false),"
        " coalesce(bool_or(text in (select text from temp.erased_ids)"
        f" or {mentioned}), false),"
        f" coalesce(bool_or({_holds(connection, 'text', 'ids')}), false)"
        f" from (select distinct cast({_quoted(column)} as varchar) as text"
        f" from {table.sql})"
    ).fetchone()


def _scan(path: Path, look: Callable) -> list:
    if not path.stat().st_size:
        return []
    with (
        open(path, "rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        return [found for found in look(content) if found]
