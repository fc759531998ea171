"""A person removed from everything of ours, and the proof that nothing is left."""

import datetime
import mmap
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from perennial import keyed_hash
from perennial.faults import Fault, UsageFault
from perennial.project import Project, lock_message

#: Columns besides the id that tell who somebody is; `pii` in the .yml of the models.
PERSONAL_COLUMNS = ("email",)

#: Tables that hold events by their hashes. A file that names the person leaves them,
#: and the next build judges it anew.
EVENT_TABLES = (
    "int_checked_events",
    "int_repeated_event_keys",
    "int_unusual_events",
)

#: A shorter id stands in unrelated bytes too, and is not looked for in them.
LEAST_CHARACTERS = 4

#: A shorter id may also be read where two other values stand side by side.
LEAST_CHARACTERS_OF_A_PROOF = 8

_PLACE_OF_A_ROW = (
    "reading_id",
    "file_path",
    "source_file",
    "source_line",
    "source_lines_count",
    "row_fault",
)


@dataclass
class Person:
    """Whom to look for.

    Attributes
    ----------
    ids : list of str
        The customer_id, and what the marts call the person with ``pseudonymise``.
    lines : set of str
        Raw lines of the person's files.
    mails : set of str
        E-mail addresses that nobody else has.
    """

    ids: list[str]
    lines: set[str] = field(default_factory=set)
    mails: set[str] = field(default_factory=set)

    @property
    def customer_id(self) -> str:
        """As the source has it."""
        return self.ids[0]

    def hits(self, content: bytes | mmap.mmap) -> Iterator[str]:
        """Name what of the person stands in bytes: ``id``, ``line``, ``e-mail``."""
        if any(self._word(one_id).search(content) for one_id in self.ids):
            yield "id"
        yield from self.plain_hits(content)

    def plain_hits(self, content: bytes | mmap.mmap) -> Iterator[str]:
        """Only what cannot be there by chance."""
        if self._holds_a_line(content):
            yield "line"
        if any(content.find(mail.encode()) >= 0 for mail in self.mails):
            yield "e-mail"

    def id_is_in(self, content: bytes | mmap.mmap) -> bool:
        """Whether the bytes of an id are there, as a word or within others."""
        return any(content.find(one_id.encode()) >= 0 for one_id in self.ids)

    @staticmethod
    def _word(text: str) -> re.Pattern[bytes]:
        return re.compile(
            rb"(?<![A-Za-z0-9_])%b(?![A-Za-z0-9_])" % re.escape(text.encode())
        )

    def _holds_a_line(self, content: bytes | mmap.mmap) -> bool:
        """One pass for all lines that hold the id, and one for each that does not."""
        own_id = self.customer_id.encode()
        around: dict[int, set[bytes]] = {}
        others = []
        for line in (text.encode() for text in self.lines):
            place = line.find(own_id)
            if place < 0 or len(own_id) < LEAST_CHARACTERS:
                others.append(line)
            else:
                around.setdefault(place, set()).add(line)
        if around:
            for hit in re.finditer(re.escape(own_id), content):
                for place, lines in around.items():
                    start = hit.start() - place
                    if start >= 0 and any(
                        content[start : start + len(line)] == line for line in lines
                    ):
                        return True
        return any(content.find(line) >= 0 for line in others)


@dataclass(frozen=True)
class Place:
    """Somewhere of ours that a person's data can be.

    Attributes
    ----------
    name : str
    files : callable
        The files of it that are there now.
    clean : callable
        Removes the person, and says in a line what was done; None if nothing was.
    is_database : bool
        Whether its bytes are DuckDB's, in which values stand without a space between.
    """

    name: str
    files: Callable[[Project], list[Path]]
    clean: Callable[[Project, Person], str | None]
    is_database: bool = False


def erase(project: Project, customer_id: str) -> list[str]:
    """Remove a person from every place, and prove it.

    Parameters
    ----------
    project : Project
    customer_id : str
        As the source has it. Bound as a parameter: it is data, never SQL.

    Returns
    -------
    list of str
        Lines that say what was done, what was proved, and what is left to the user.

    Raises
    ------
    UsageFault
        If there is no key, another one than before, or a build holds the file.
    Fault
        If there is no such customer, or something of the person is left.
    """
    if not keyed_hash.has_key():
        raise UsageFault(
            f"Set {keyed_hash.KEY_VARIABLE} to a secret of at least "
            f"{keyed_hash.KEY_LEAST_CHARACTERS} characters, and keep it for every "
            "build: by it the person's rows are refused from now on."
        )
    person = Person([customer_id, keyed_hash.keyed_hash("customer", customer_id)])
    with _writing(project) as connection:
        told = _erase_from_tables(connection, person, project)
    for place in PLACES:
        told += filter(None, [place.clean(project, person)])
    told += prove(project, person)
    return [*told, "Run perennial build: sums and models still count the person."]


def _writing(project: Project) -> duckdb.DuckDBPyConnection:
    if not project.working_file.exists():
        raise Fault(f"{project.working_file} is not there: nothing was built yet.")
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
    connection: duckdb.DuckDBPyConnection, person: Person, project: Project
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
    _set_variables(connection, person)
    holders = [table for table in everything if table.has("customer_id")]
    holders = [table for table in holders if _shows(connection, table)]
    customer_hash = keyed_hash.keyed_hash("erased customer", person.customer_id)
    was_erased = connection.execute(
        f"select 1 from {erasures.sql} where customer_hash = ?", [customer_hash]
    ).fetchone()
    if not holders and not was_erased:
        raise Fault(
            f"There is no customer {person.customer_id[:60]!r} in {project.connector}."
        )
    _get_to_know(connection, person, holders)
    _set_variables(connection, person)
    files = _own_files(connection, holders)
    connection.begin()
    if not was_erased:
        connection.execute(
            f"insert into {erasures.sql} (customer_hash, key_check, erased_date) "
            "values (?, ?, ?)",
            [customer_hash, keyed_hash.key_check(), datetime.date.today()],
        )
    rows_count = _clean_tables(connection, tables, person)
    connection.commit()
    for table in holders:
        if table.is_view and _shows(connection, table):
            # it reads the user's own files; the next build makes it anew
            connection.execute(f"drop view {table.sql}")
    told = [f"{rows_count} rows erased from the tables of {project.working_file}"]
    return told + [
        f"your own file {path} still has {count} lines of the person: not changed"
        for path, count in files
    ]


def _set_variables(connection: duckdb.DuckDBPyConnection, person: Person) -> None:
    """Hand the person over as data, for `_is_theirs` and the proof."""
    long_ids = [one for one in person.ids if len(one) >= LEAST_CHARACTERS]
    words = [rf"(^|[^A-Za-z0-9_]){re.escape(one)}($|[^A-Za-z0-9_])" for one in long_ids]
    values = {
        "ids": person.ids,
        "words": "|".join(words) or "[^\\s\\S]",
        "mails": sorted(person.mails),
        "lines": sorted(person.lines),
    }
    for name, value in values.items():
        sql_type = "varchar" if name == "words" else "varchar[]"
        connection.execute(f"set variable {name} = cast(? as {sql_type})", [value])


def _is_theirs(table: _Table) -> str:
    """Condition: the row is the person's, or a line that names them and tells no id."""
    condition = "list_contains(getvariable('ids'), cast(customer_id as varchar))"
    if not table.has("source_text"):
        return condition
    return (
        f"({condition} or (customer_id is null"
        " and regexp_matches(source_text, getvariable('words'))))"
    )


def _shows(connection: duckdb.DuckDBPyConnection, table: _Table) -> bool:
    """Whether a table has rows of the person; a view that cannot be read might."""
    try:
        query = f"select 1 from {table.sql} where {_is_theirs(table)} limit 1"
        return connection.execute(query).fetchone() is not None
    except duckdb.Error:
        if table.is_view:
            return True
        raise


def _get_to_know(
    connection: duckdb.DuckDBPyConnection, person: Person, holders: list[_Table]
) -> None:
    """Note the person's raw lines, e-mail addresses and places in the files."""
    connection.execute(
        "create or replace temporary table person_rows"
        " (relation varchar, reading_id integer, source_line bigint,"
        " source_lines_count bigint)"
    )
    for table in holders:
        is_theirs = _is_theirs(table)
        try:
            if table.has("source_text"):
                lines = connection.execute(
                    f"select distinct source_text from {table.sql} where {is_theirs} "
                    "and length(source_text) >= 8"
                ).fetchall()
                person.lines |= {line for (line,) in lines}
            for column in PERSONAL_COLUMNS:
                if table.has(column):
                    mails = connection.execute(
                        f"select {column} from {table.sql} "
                        f"where length({column}) >= {LEAST_CHARACTERS} "
                        f"group by {column} having bool_and({is_theirs})"
                    ).fetchall()
                    person.mails |= {mail for (mail,) in mails}
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
    """Find the user's files that hold the person, and copies, with lines of each."""
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
    connection: duckdb.DuckDBPyConnection, tables: list[_Table], person: Person
) -> int:
    statements = []
    for table in tables:
        if table.name in EVENT_TABLES and table.has("reading_id"):
            statements.append(
                f"delete from {table.sql} where exists (select 1 from temp.person_rows"
                f" as p where p.reading_id is not distinct from {table.sql}.reading_id)"
            )
        elif table.has("line_fault", "reading_id", "source_line", "source_text"):
            statements.append(
                f"update {table.sql} set source_text = null, line_fault = 'erased'"
                f" where (reading_id, source_line) in"
                " (select (reading_id, source_line) from temp.person_rows)"
            )
        elif table.has("customer_id") and _is_delivered(table):
            statements.append(
                f"update {table.sql} set {_blanks(table)} where {_is_theirs(table)}"
            )
        elif table.has("customer_id"):
            statements.append(f"delete from {table.sql} where {_is_theirs(table)}")
        if table.has("customer_id", "source_text"):
            # the row of somebody else with an address of the person
            statements.append(
                f"update {table.sql} set source_text = null where len(list_filter("
                "getvariable('mails'), lambda mail: contains(source_text, mail))) > 0"
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


def _rewrite(project: Project, person: Person) -> str:
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
                f"person ({str(error).splitlines()[0][:200]}): mend that, erase again."
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

    def clean(project: Project, person: Person) -> str | None:
        found = [path for path in files(project) if any(_scan(path, person.hits))]
        for path in found:
            path.unlink()
        if not found:
            return None
        told = ", ".join(path.name for path in found[:3])
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        return f"deleted from {name}/, because they named the person: {told}{more}"

    return Place(f"{name}/", files, clean)


#: Every place of ours. What is written elsewhere some day is to be named here too, and
#: `tests/python/test_privacy.py` erases from all of them.
PLACES = (
    Place("the working file", _beside, _rewrite, is_database=True),
    _delete_from("target", "DBT_TARGET_PATH"),
    _delete_from("logs", "DBT_LOG_PATH"),
    _delete_from("build"),
)


# --- the proof ------------------------------------------------------------------------


def prove(project: Project, person: Person) -> list[str]:
    """Ask every text column, and scan the bytes of every file.

    Returns
    -------
    list of str
        Lines that say what was looked at.

    Raises
    ------
    Fault
        If something of the person is left.
    """
    left, alike, columns_count, is_within_others = _ask_columns(project, person)
    unproved = [
        f"the column {column} holds the same text as the id, of something else"
        for column in alike
    ]
    files_count = 0
    if len(person.customer_id) < LEAST_CHARACTERS:
        unproved.append(
            f"an id of less than {LEAST_CHARACTERS} characters stands in unrelated "
            "bytes too: the bytes prove its absence only as part of the raw lines"
        )
    for place in PLACES:
        for path in place.files(project):
            files_count += 1
            if not place.is_database:
                left += [f"{what} in {path}" for what in _scan(path, person.hits)]
                continue
            left += [f"{what} in {path}" for what in _scan(path, person.plain_hits)]
            if len(person.customer_id) < LEAST_CHARACTERS:
                continue
            if not any(_scan(path, lambda content: [person.id_is_in(content)])):
                continue
            if is_within_others:
                unproved.append(
                    f"other values of {path.name} contain the id, so that its bytes "
                    "prove nothing: the columns were asked"
                )
            elif len(person.customer_id) < LEAST_CHARACTERS_OF_A_PROOF:
                unproved.append(
                    f"in {path.name} so short an id is also read where two values "
                    "meet, so that its bytes prove nothing: the columns were asked"
                )
            else:
                left.append(f"id in {path}")
    if left:
        raise Fault(f"Something of the person is left: {'; '.join(left)}.")
    lines, mails = len(person.lines), len(person.mails)
    return [
        f"looked for the id, {lines} raw lines and {mails} e-mail addresses: nothing "
        f"in {columns_count} text columns, nor in the bytes of {files_count} files",
        *(f"not proved: {one}" for one in unproved),
    ]


def _ask_columns(
    project: Project, person: Person
) -> tuple[list[str], list[str], int, bool]:
    """Ask where columns hold the person, and where only what reads like the id.

    DuckDB packs text, so that bytes alone would not show all of it. An id can be the id
    of an order too, so it counts where customers are named.
    """
    left, alike, count, is_within_others = [], [], 0, False
    with _writing(project) as connection:
        _set_variables(connection, person)
        for table in _tables(connection):
            if table.has("customer_id") and _shows(connection, table):
                left.append(f"a row of {table}")
            if table.is_view:
                continue
            for column in table.texts:
                count += 1
                name = f"cast({_quoted(column)} as varchar)"
                mentioned = (
                    f" or regexp_matches({name}, getvariable('words'))"
                    if column == "source_text"
                    else ""
                )
                is_there, is_alike, is_within = connection.execute(
                    "select coalesce(bool_or(len(list_filter(getvariable('mails'),"
                    f" lambda mail: contains({name}, mail))) > 0"
                    f" or list_contains(getvariable('lines'), {name})), false),"
                    f" coalesce(bool_or(list_contains(getvariable('ids'), {name})"
                    f"{mentioned}), false),"
                    f" coalesce(bool_or(contains({name}, ?)), false) from {table.sql}",
                    [person.customer_id],
                ).fetchone()
                is_within_others |= is_within
                if is_there or (is_alike and column.endswith("customer_id")):
                    left.append(f"the column {table}.{column}")
                elif is_alike:
                    alike.append(f"{table}.{column}")
    return left, alike, count, is_within_others


def _scan(path: Path, look: Callable) -> list:
    if not path.stat().st_size:
        return []
    with (
        open(path, "rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        return [found for found in look(content) if found]
