"""The published marts in a schema of PostgreSQL, in one transaction."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import duckdb

from perennial.faults import Fault, LockFault, UsageFault
from perennial.project import Project
from perennial.publishing.tables import ADDED, RUN, TABLES, literal, quoted
from perennial.publishing.tables import SCHEMA as MARTS

#: How the names of variables begin that dbt and perennial take for secrets.
SECRET = "DBT_ENV_SECRET_"

#: Seconds to wait for a server, and for whom holds a table that is to be made anew.
_CONNECT_SECONDS, _LOCK_SECONDS = 10, 30

#: What PostgreSQL stores in place of a type; all else is stored as text.
_TYPES = {
    "BOOLEAN": "boolean",
    "SMALLINT": "smallint",
    "INTEGER": "integer",
    "BIGINT": "bigint",
    "HUGEINT": "numeric(38,0)",
    "FLOAT": "real",
    "DOUBLE": "double precision",
    "DATE": "date",
    "TIMESTAMP": "timestamp without time zone",
    "TIMESTAMP WITH TIME ZONE": "timestamp with time zone",
}

#: As long as a name may be, in bytes: a longer one is cut without an error.
_NAME_BYTES = 63

_STRUCTURE = """
select relations.relname, columns.attname,
    format_type(columns.atttypid, columns.atttypmod), columns.attnotnull
from pg_class as relations
left join pg_attribute as columns
    on columns.attrelid = relations.oid and attnum > 0 and not attisdropped
where relnamespace = to_regnamespace({schema}) and relkind in ('r', 'p', 'v', 'm', 'f')
order by relations.relname, columns.attnum
"""

# one row for each right that somebody else than the owner has on a whole table
_GRANTS = """
select privilege_type || ' on {table} to '
    || case when grantee = 0 then 'public' else grantee::regrole::text end
    || case when is_grantable then ' with grant option' else '' end
from pg_class, aclexplode(relacl)
where oid = {name}::regclass and grantee <> relowner
"""

#: Name and type of each column in PostgreSQL, and whether it is never NULL.
Structure = list[tuple[str, str, bool]]


def publish(
    project: Project,
    url: str,
    schema: str,
    password_variable: str,
    tell: Callable[[str], None] = lambda step: None,
) -> str:
    """Fill a schema with every published table, or leave it as it is.

    Parameters
    ----------
    project : Project
    url : str
        Of the database, as libpq reads it, without a password.
    schema : str
        Made where it is not there. Tables in it that were not published are left alone.
    password_variable : str
        Name of the environment variable with the password; libpq's own ways if it is
        not set.
    tell : callable
        Is told each table as it is filled.

    Returns
    -------
    str
        What was published, in a line.

    Raises
    ------
    UsageFault
        If the server cannot be reached so, or the names cannot be used.
    LockFault
        If another process fills the schema.
    Fault
        If nothing is published, or PostgreSQL refuses. It has what it had then.
    """
    _check(url, schema, password_variable)
    try:
        import adbc_driver_manager
        from adbc_driver_postgresql import dbapi
    except ImportError:
        raise UsageFault(
            "The driver of PostgreSQL is not installed: "
            "pip install 'perennial[postgres]'."
        ) from None
    with project.reading_published() as marts:
        with _environment(password_variable):
            try:
                connection = dbapi.connect(url)
            except adbc_driver_manager.Error as error:
                raise UsageFault(f"No connection: {_told(error)}") from None
        with connection, connection.cursor() as cursor:
            server = _Server(cursor, marts, schema)
            try:
                told = server.fill(tell)
                connection.commit()
            except adbc_driver_manager.Error as error:
                raise Fault(
                    f"PostgreSQL refused {server.at}, and has what it had: "
                    f"{_told(error)}"
                ) from None
    return f"{told}, in the schema {schema} of {url}"


def _check(url: str, schema: str, password_variable: str) -> None:
    # what was given is not told again: it may hold a password
    if not url.startswith(("postgresql://", "postgres://")):
        raise UsageFault(
            "--url is not of the form postgresql://USER@HOST:PORT/DATABASE."
        )
    try:
        parts = urlsplit(url)
        secrets = parse_qs(parts.query, keep_blank_values=True).keys()
        has_password = parts.password is not None
    except ValueError:
        raise UsageFault("--url cannot be read as an address.") from None
    if has_password or secrets & {"password", "sslpassword"}:
        raise UsageFault(
            "--url may name no password, for others can see what is typed: put it into "
            f"the environment variable {SECRET}POSTGRES_PASSWORD."
        )
    if not password_variable.startswith(SECRET):
        raise UsageFault(
            f"The name of the variable with the password must begin with {SECRET}."
        )
    if not 0 < len(schema.encode()) <= _NAME_BYTES or "\0" in schema:
        raise UsageFault(f"--schema needs a name of 1 to {_NAME_BYTES} bytes.")


@contextmanager
def _environment(password_variable: str) -> Iterator[None]:
    """Hand the password to libpq where no error message of its can repeat it."""
    given = {
        "PGCONNECT_TIMEOUT": os.environ.get("PGCONNECT_TIMEOUT", str(_CONNECT_SECONDS)),
        "PGAPPNAME": "perennial",
    }
    if password := os.environ.get(password_variable):
        given["PGPASSWORD"] = password
    before = {name: os.environ.get(name) for name in given}
    os.environ.update(given)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _told(error: Exception) -> str:
    """Reduce what the driver says to PostgreSQL's own sentence."""
    details = {
        key.decode(): value.decode() for key, value in getattr(error, "details", [])
    }
    if primary := details.get("PG_DIAG_MESSAGE_PRIMARY"):
        detail = details.get("PG_DIAG_MESSAGE_DETAIL")
        told = f"{primary} ({detail})" if detail else primary
    else:
        told = re.sub(r"^\w+: \[libpq\] (Failed to connect: )?", "", str(error).strip())
        told = re.sub(r"^.*FATAL: +", "", told.splitlines()[0])
    return " ".join(told.split())[:300]


class _Server:
    """A transaction that fills a schema.

    Attributes
    ----------
    at : str
        What is being done, for whom it fails.
    """

    def __init__(
        self, cursor: Any, marts: duckdb.DuckDBPyConnection, schema: str
    ) -> None:
        self._cursor, self._marts, self._schema = cursor, marts, schema
        self.at = f"the schema {schema}"

    def fill(self, tell: Callable[[str], None]) -> str:
        self._prepare()
        wanted = self._wanted()
        there = self._structures()
        ours = self._ours(there)
        if foreign := sorted(there.keys() & wanted.keys() - ours):
            raise UsageFault(
                f"{self._schema}.{foreign[0]} is there and was not published by "
                "perennial: name another schema by --schema."
            )
        # a table that is made anew is locked until the end: the shorter, the better
        order = sorted(wanted, key=lambda name: there.get(name) != wanted[name][0])
        rows = 0
        for number, name in enumerate(order, start=1):
            tell(f"{number}/{len(order)} {name}")
            self.at = f"{self._schema}.{name}"
            rows += self._fill_table(name, *wanted[name], there.get(name))
        for name in sorted(ours & there.keys() - wanted.keys()):
            self.at = f"{self._schema}.{name}"
            self._do(f"drop table {self._named(name)}")
        self.at = "the end"
        run_id, date = self._marts.execute(
            f"select run_id, score_date from {MARTS}.{RUN}"
        ).fetchone()
        return f"{len(wanted)} tables, {rows:,} rows of run {run_id} of {date}"

    def _prepare(self) -> None:
        self._do(f"set local lock_timeout = '{_LOCK_SECONDS}s'")
        # so that a backslash in a comment is one
        self._do("set local standard_conforming_strings = on")
        key = literal(f"perennial {self._schema}")
        ((is_alone,),) = self._rows(
            f"select pg_try_advisory_xact_lock(hashtextextended({key}, 0))"
        )
        if not is_alone:
            raise LockFault(f"Another process fills {self.at}: wait for it.")
        # `if not exists` asks for the right to create one though it is there
        name = literal(self._schema)
        if not self._rows(f"select 1 as one from pg_namespace where nspname = {name}"):
            self._do(f"create schema {quoted(self._schema)}")

    def _wanted(self) -> dict[str, tuple[Structure, str]]:
        """Structure of every table that is published, and the query for its rows."""
        wanted: dict[str, tuple[Structure, list[str]]] = {}
        for table, column, kind, is_nullable in self._marts.execute(
            "select table_name, column_name, data_type, is_nullable"
            " from duckdb_columns() where schema_name = ?"
            " order by table_name, column_index",
            [MARTS],
        ).fetchall():
            structure, selected = wanted.setdefault(table, ([], []))
            stored = _TYPES.get(kind, "text")
            if kind.startswith("DECIMAL(") and kind.endswith(")"):
                stored = kind.replace("DECIMAL", "numeric")
            structure.append((column, stored, not is_nullable))
            as_text = f"cast({quoted(column)} as varchar) as {quoted(column)}"
            selected.append(as_text if stored == "text" else quoted(column))
        return {
            table: (structure, f"select {', '.join(selected)} from {_mart(table)}")
            for table, (structure, selected) in wanted.items()
        }

    def _structures(self) -> dict[str, Structure]:
        """Structure of every table and view that is in the schema."""
        there: dict[str, Structure] = {}
        name = literal(quoted(self._schema))
        for table, *column in self._rows(_STRUCTURE.format(schema=name)):
            there.setdefault(table, []).append(tuple(column))
        return there

    def _ours(self, there: dict[str, Structure]) -> set[str]:
        """Names of the tables in the schema that were published before."""
        if not all(
            {"run_id"} <= {column for column, *_ in there.get(name, [])}
            for name in (RUN, TABLES)
        ):
            return set()
        listed = self._rows(f"select table_name from {self._named(TABLES)}")
        return {*ADDED, *(name for (name,) in listed)}

    def _fill_table(
        self,
        name: str,
        structure: Structure,
        query: str,
        there: Structure | None,
    ) -> int:
        self._refuse_infinite_days(name, structure)
        table = self._named(name)
        if structure == there:
            # who reads sees the old rows until the end, also in a transaction that
            # began before it, as they would not after a truncate
            self._do(f"delete from {table}")
        else:
            grants = []
            if there is not None:
                grants = self._rows(_GRANTS.format(table=table, name=literal(table)))
                self._do(f"drop table {table}")
            listed = ", ".join(
                f"{quoted(column)} {kind}{' not null' if is_never_null else ''}"
                for column, kind, is_never_null in structure
            )
            self._do(f"create table {table} ({listed})")
            for (grant,) in grants:
                self._do(f"grant {grant}")
        self._cursor.adbc_ingest(
            name, self._marts.sql(query), mode="append", db_schema_name=self._schema
        )
        self._comment(name)
        ((arrived,),) = self._rows(f"select count(*) as arrived from {table}")
        (sent,) = self._marts.execute(f"select count(*) from {_mart(name)}").fetchone()
        if arrived != sent:
            raise Fault(
                f"{self.at} has {arrived:,} rows where {sent:,} were sent: a trigger "
                "of it may have kept some. PostgreSQL has what it had."
            )
        return arrived

    def _refuse_infinite_days(self, name: str, structure: Structure) -> None:
        """Refuse days without end, of which the driver would make a common one."""
        for column, kind, _ in structure:
            if kind.startswith(("date", "timestamp")):
                found = self._marts.execute(
                    f"select 1 from {_mart(name)} where isinf({quoted(column)}) limit 1"
                ).fetchone()
                if found:
                    raise Fault(
                        f"{name}.{column} holds a day without end, which cannot be "
                        "sent. PostgreSQL has what it had."
                    )

    def _comment(self, name: str) -> None:
        told = self._marts.execute(
            "select 'table', null, comment from duckdb_tables()"
            " where schema_name = $schema and table_name = $name"
            " union all select 'column', column_name, comment from duckdb_columns()"
            " where schema_name = $schema and table_name = $name",
            {"schema": MARTS, "name": name},
        ).fetchall()
        statements = [
            f"comment on {kind} {self._named(name)}"
            f"{f'.{quoted(column)}' if column else ''}"
            f" is {literal(comment) if comment else 'null'};"
            for kind, column, comment in told
        ]
        # one way to the server for all of them
        block = literal(f"begin {' '.join(statements)} end")
        self._do(f"do {block}")

    def _named(self, table: str) -> str:
        return f"{quoted(self._schema)}.{quoted(table)}"

    def _do(self, statement: str) -> None:
        self._cursor.execute(statement)

    def _rows(self, query: str) -> list[tuple]:
        self._cursor.execute(query)
        return self._marts.from_arrow(self._cursor.fetch_arrow()).fetchall()


def _mart(table: str) -> str:
    return f"{MARTS}.{quoted(table)}"
