"""Published marts in a real PostgreSQL: all of one run, whenever somebody reads."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

import duckdb
import pytest
from conftest import PERENNIAL, ROOT
from postgres_server import PASSWORD, Server, running_server
from small_marts import hostile_rows, publish, tables_of

from perennial.delivering import postgres
from perennial.faults import Fault, LockFault, UsageFault
from perennial.project import Project

pytestmark = pytest.mark.postgres

VARIABLE = "DBT_ENV_SECRET_POSTGRES_PASSWORD"

#: Who reads, as a BI tool does, and who may publish into schemas of their own alone.
ROLES = """
create role reader login password '{password}';
create role writer login password '{password}';
create database bi;
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running_server() as server:
        password = PASSWORD.replace("'", "''")
        server.execute(ROLES.replace("{password}", password), "postgres")
        yield server


@pytest.fixture
def bi(server, monkeypatch) -> Server:
    """The server, with an empty database, and the password where it is looked for."""
    server.execute("drop database bi with (force); create database bi", "postgres")
    monkeypatch.setenv(VARIABLE, PASSWORD)
    monkeypatch.delenv("PGPASSWORD", raising=False)
    return server


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


def url(server: Server, user: str = "owner", database: str = "bi") -> str:
    return f"postgresql://{user}@/{database}?host={server.folder}"


def fill(project: Project, server: Server, schema: str = "marts", **options) -> str:
    address = url(server, options.pop("user", "owner"))
    return postgres.publish(project, address, schema, VARIABLE, **options)


def arrived(server: Server, table: str, there: duckdb.DuckDBPyRelation) -> list[tuple]:
    """Rows of a table as psql copies them out, which is another way than they came."""
    text = server.ask(
        f"copy (select * from {table}) to stdout"
        " (format csv, header, null '\\N', force_quote *)",
        "bi",
    )
    columns = ", ".join(
        f"'{name}': '{kind}'"
        for name, kind in zip(there.columns, there.types, strict=True)
    )
    with tempfile.NamedTemporaryFile("w", newline="", suffix=".csv") as file:
        file.write(f"{text}\n")
        file.flush()
        return duckdb.execute(
            f"from read_csv('{file.name}', header = true, auto_detect = false,"
            " delim = ',', quote = '\"', escape = '\"', nullstr = '\\N',"
            f" allow_quoted_nulls = false, columns = {{{columns}}})"
        ).fetchall()


def assert_all_arrived(server: Server, project: Project, schema: str = "marts") -> int:
    count = 0
    with duckdb.connect(str(project.published_file), read_only=True) as connection:
        for name in tables_of(project.published_file):
            there = connection.sql(f'from marts."{name}"')
            rows = arrived(server, f'{schema}."{name}"', there)
            expected = there.fetchall()
            assert sorted(map(repr, rows)) == sorted(map(repr, expected)), name
            count += len(rows)
    return count


# --- what arrives ---------------------------------------------------------------------


def test_every_row_arrives_as_it_is_published(bi, home):
    project = publish(home)
    told = fill(project, bi)
    count = assert_all_arrived(bi, project)
    assert count > 60
    assert told == (
        f"4 tables, {count} rows of run run-1 of 2025-12-31, in the schema marts of "
        f"{url(bi)}"
    )


def test_a_company_that_was_built_arrives(bi, demo, home):
    (home / "published").mkdir(parents=True)
    os.link(demo.published, home / "published" / "demo.duckdb")
    project = Project(ROOT, home, "demo")
    fill(project, bi)
    with duckdb.connect(str(project.published_file), read_only=True) as connection:
        told = connection.execute(
            "select table_name, rows_count from marts.published_tables order by 1"
        ).fetchall()
        there = connection.sql("from marts.customer_360")
        expected = sorted(map(repr, there.fetchall()))
        assert sorted(map(repr, arrived(bi, "marts.customer_360", there))) == expected
    counts = " union all ".join(
        f"select '{name}' as name, count(*) from marts.{name}" for name, _ in told
    )
    found = bi.ask(f"{counts} order by name", "bi").splitlines()
    assert found == [f"{name}|{count}" for name, count in sorted(told)]
    # every mart and column is described there too
    assert bi.ask(
        "select count(*) from pg_class where relnamespace = 'marts'::regnamespace"
        " and relkind = 'r' and obj_description(oid) is null",
        "bi",
    ) == str(undescribed(project))


def undescribed(project: Project) -> int:
    with duckdb.connect(str(project.published_file), read_only=True) as connection:
        (count,) = connection.execute(
            "select count(*) from duckdb_tables() where comment is null"
        ).fetchone()
    return count


def test_types_and_what_is_never_null_stay(bi, home):
    fill(publish(home), bi)
    assert bi.ask(
        "select attname, format_type(atttypid, atttypmod), attnotnull"
        " from pg_attribute where attrelid = 'marts.dim_customers'::regclass"
        " and attnum > 0 order by attnum",
        "bi",
    ).splitlines() == [
        "customer_id|text|t",
        "name|text|f",
        "orders_count|bigint|t",
        "amount|numeric(18,2)|f",
        "share|numeric(18,6)|f",
        "churn_probability|double precision|f",
        "is_active|boolean|f",
        "first_order_date|date|f",
        "last_seen_at|timestamp without time zone|f",
        "run_id|text|t",
    ]


def test_comments_stay_and_change(bi, home):
    project = publish(home)
    fill(project, bi)
    described = (
        "select obj_description('marts.dim_customers'::regclass), col_description("
        "'marts.dim_customers'::regclass, 1), col_description("
        "'marts.dim_customers'::regclass, 2) is null"
    )
    assert bi.ask(described, "bi") == (
        'Who they are; it\'s \\ "all" of them.\n$$ Really.|'
        "As delivered; may be '; drop schema x.|t"
    )
    other = ("comment on table marts.dim_customers is null",)
    fill(publish(home, "run-2", statements=other), bi)
    assert bi.ask(described, "bi") == "|As delivered; may be '; drop schema x.|t"


def test_other_types_are_stored_as_text(bi, home):
    odd = (
        "create table marts.odd as select 12345678901234567890123::hugeint as many,"
        " ['=1', null]::varchar[] as texts, '1 day'::interval as span, 7::smallint as"
        " few, 1.5::float as part, '2024-01-01 00:00:00+02'::timestamptz as moment",
    )
    fill(publish(home, statements=odd), bi)
    assert bi.ask("set time zone 'UTC'; select * from marts.odd", "bi") == (
        "SET\n12345678901234567890123|['=1', NULL]|1 day|7|1.5|2023-12-31 22:00:00+00"
    )


def test_a_schema_may_be_called_anything(bi, home):
    name = 'it\'s "mine"; drop schema public; --'
    project = publish(home)
    for _ in range(2):
        fill(project, bi, name)
    quoted = '"' + name.replace('"', '""') + '"'
    assert assert_all_arrived(bi, project, quoted) > 60
    assert bi.ask("select to_regnamespace('public')", "bi") == "public"


# --- while others read ----------------------------------------------------------------

#: What a reader asks, again and again: the run that is published, and how many rows
#: of how many runs the tables have.
WATCHED = """
select 'saw', (select string_agg(run_id, ',') from marts.published_run),
    (select count(*) from marts.dim_customers),
    (select count(distinct run_id) from marts.dim_customers),
    (select string_agg(distinct run_id, ',') from marts.dim_customers),
    (select sum(rows_count) from marts.published_tables)
\\watch 0.01
"""


@pytest.fixture
def watching(bi) -> Iterator[list[subprocess.Popen]]:
    started = []
    try:
        for _ in range(2):
            command = bi.psql("owner", "bi", "--no-align", "--tuples-only")
            one = subprocess.Popen(
                [bi.binaries / command[0], *command[1:]],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                env={"PGPASSWORD": PASSWORD},
            )
            started.append(one)
        yield started
    finally:
        for one in started:
            one.kill()
            one.wait()


@pytest.mark.parametrize("changes", [False, True], ids=["same-columns", "new-columns"])
def test_psql_sees_one_run_or_the_other(bi, home, watching, changes):
    fill(publish(home, "run-0", 1000), bi)
    for one in watching:
        one.stdin.write(WATCHED)
        one.stdin.flush()
    possible = {f"saw|run-0|1000|1|run-0|{1000}"}
    for number in range(1, 9):
        run_id, count = f"run-{number}", 1000 + number
        column = f"alter table marts.dim_customers add column extra_{number} bigint"
        statements = (column,) if changes else ()
        fill(publish(home, run_id, count, statements), bi)
        possible.add(f"saw|{run_id}|{count}|1|{run_id}|{count}")
    time.sleep(0.1)
    for one in watching:
        one.send_signal(signal.SIGINT)
        answers, _ = one.communicate(timeout=30)
        # it prints the time as well, and at the end that it was interrupted
        lines = [line for line in answers.splitlines() if line.startswith("saw")]
        assert set(lines) <= possible
        assert len(set(lines)) > 2
        assert "ERROR" not in answers.replace("canceling statement due to user", "")


def test_who_began_to_read_before_reads_to_the_end(bi, home):
    """A report of many queries in one transaction, which is begun with the old run."""
    fill(publish(home, "run-1", 10), bi)
    command = bi.psql("owner", "bi", "--no-align", "--tuples-only")
    reader = subprocess.Popen(
        [bi.binaries / command[0], *command[1:]],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"PGPASSWORD": PASSWORD},
    )
    with reader:
        count = "select count(*) from marts.{};\n"
        reader.stdin.write("begin isolation level repeatable read;\n")
        reader.stdin.write(count.format("published_run"))
        reader.stdin.flush()
        assert reader.stdout.readline() == "BEGIN\n"
        assert reader.stdout.readline() == "1\n"
        fill(publish(home, "run-2", 20), bi)
        answers, _ = reader.communicate(count.format("dim_customers"))
    assert answers == "10\n"
    assert bi.ask("select count(*) from marts.dim_customers", "bi") == "20"


# --- what others own ------------------------------------------------------------------

OF_OTHERS = """
grant usage on schema marts to reader;
grant select on marts.dim_customers to reader with grant option;
grant insert on marts.dim_customers to public;
create view public.actives as select customer_id from marts.dim_customers;
create table marts.notes as select 'mine' as note;
create index by_name on marts.dim_customers (orders_count);
"""

GRANTS = """
select grantee, privilege_type, is_grantable from information_schema.role_table_grants
where table_name = 'dim_customers' and grantee <> 'owner' order by 1, 2
"""


def test_grants_views_and_indexes_stay_where_columns_stay(bi, home):
    fill(publish(home, "run-1", 3), bi)
    bi.execute(OF_OTHERS, "bi")
    fill(publish(home, "run-2", 5), bi)
    assert bi.ask(GRANTS, "bi") == "PUBLIC|INSERT|NO\nreader|SELECT|YES"
    assert bi.ask("select count(*) from marts.dim_customers", "bi", "reader") == "5"
    assert bi.ask("select count(*) from public.actives", "bi") == "5"
    assert bi.ask("select note from marts.notes", "bi") == "mine"
    assert bi.ask("select to_regclass('marts.by_name')", "bi") == "marts.by_name"


def test_grants_stay_where_columns_change(bi, home):
    fill(publish(home, "run-1", 3), bi)
    bi.execute(OF_OTHERS.replace("create view", "--"), "bi")
    column = ("alter table marts.dim_customers add column country varchar",)
    fill(publish(home, "run-2", 5, column), bi)
    assert bi.ask(GRANTS, "bi") == "PUBLIC|INSERT|NO\nreader|SELECT|YES"
    assert bi.ask("select count(country) from marts.dim_customers", "bi") == "0"


def test_a_view_that_stands_in_the_way_is_named(bi, home):
    fill(publish(home, "run-1", 3), bi)
    bi.execute(OF_OTHERS, "bi")
    column = ("alter table marts.dim_customers add column country varchar",)
    with pytest.raises(Fault) as told:
        fill(publish(home, "run-2", 5, column), bi)
    assert str(told.value) == (
        "PostgreSQL refused marts.dim_customers, and has what it had: cannot drop "
        "table marts.dim_customers because other objects depend on it (view "
        "actives depends on table marts.dim_customers)"
    )
    assert bi.ask("select run_id from marts.published_run", "bi") == "run-1"
    assert bi.ask("select count(*) from public.actives", "bi") == "3"


def test_a_mart_that_is_no_more_goes_and_what_others_made_stays(bi, home):
    more = (
        "create table marts.once as select 1 as one",
        "insert into marts.published_tables (table_name) values ('once')",
    )
    fill(publish(home, "run-1", 3, more), bi)
    bi.execute(OF_OTHERS, "bi")
    fill(publish(home, "run-2", 3), bi)
    names = "select tablename from pg_tables where schemaname = 'marts' order by 1"
    assert bi.ask(names, "bi").splitlines() == [
        *("dim_customers", "notes", "published_run", "published_tables", "run_log")
    ]


def test_a_table_of_somebody_else_is_never_touched(bi, home):
    bi.execute("create table public.dim_customers as select 'mine' as note", "bi")
    with pytest.raises(UsageFault, match=r"public\.dim_customers is there and was not"):
        fill(publish(home), bi, "public")
    assert bi.ask("select note from public.dim_customers", "bi") == "mine"
    # nor is a table that has the name of ours and says nothing of it
    bi.execute("create table public.published_tables as select 1 as run_id", "bi")
    bi.execute("create table public.published_run as select 1 as run_id", "bi")
    with pytest.raises((UsageFault, Fault)):
        fill(publish(home), bi, "public")
    assert bi.ask("select note from public.dim_customers", "bi") == "mine"


# --- what fails -----------------------------------------------------------------------


@pytest.fixture
def unchanged(bi, home) -> Iterator[Server]:
    """After the test, the schema is as it was, to every row."""
    project = publish(home, "run-1")
    fill(project, bi)
    with duckdb.connect(str(project.published_file), read_only=True) as connection:
        there = connection.sql("from marts.dim_customers")
        before = sorted(map(repr, there.fetchall()))
        yield bi
        rows = arrived(bi, "marts.dim_customers", there)
    assert sorted(map(repr, rows)) == before
    assert bi.ask("select run_id from marts.published_run", "bi") == "run-1"
    assert os.environ.get("PGPASSWORD") is None


def test_a_text_that_cannot_be_stored_changes_nothing(unchanged, home):
    """The last table but one: the first ones are filled by then."""
    bad = ("update marts.run_log set message = 'a' || chr(0) || 'b'",)
    with pytest.raises(Fault) as told:
        fill(publish(home / "other", "run-2", 3, bad), unchanged)
    assert str(told.value) == (
        "PostgreSQL refused marts.run_log, and has what it had: "
        'invalid byte sequence for encoding "UTF8": 0x00'
    )


@pytest.mark.parametrize("column", ["first_order_date", "last_seen_at"])
def test_a_day_without_end_changes_nothing(unchanged, home, column):
    """The driver would make the year 294247 of it, and say nothing."""
    bad = (f"update marts.dim_customers set {column} = 'infinity'",)
    with pytest.raises(Fault, match=f"dim_customers.{column} holds a day without end"):
        fill(publish(home / "other", "run-2", 3, bad), unchanged)


def test_rows_that_a_trigger_keeps_are_missed(unchanged, home):
    unchanged.execute(
        "create function keep() returns trigger language plpgsql as"
        " 'begin return case when new.orders_count = 1 then null else new end; end';"
        "create trigger keep before insert on marts.dim_customers for each row"
        " execute function keep()",
        "bi",
    )
    with pytest.raises(Fault, match="has 2 rows where 3 were sent"):
        fill(publish(home / "other", "run-2", 3), unchanged)


def test_a_publisher_that_is_killed_changes_nothing(unchanged, home):
    project = publish(home / "other", "run-2", 3)
    code = (
        "import os, signal, pathlib\n"
        "from perennial.delivering import postgres\n"
        "from perennial.project import Project\n"
        f"project = Project(pathlib.Path({str(ROOT)!r}),"
        f" pathlib.Path({str(project.home)!r}), 'demo')\n"
        f"postgres.publish(project, {url(unchanged)!r}, 'marts', {VARIABLE!r},"
        " lambda step: step.startswith('4/') and os.kill(os.getpid(), signal.SIGKILL))"
    )
    killed = subprocess.run([sys.executable, "-c", code])
    assert killed.returncode == -signal.SIGKILL


def test_two_do_not_fill_the_same_schema(unchanged, home):
    project = publish(home / "other", "run-2", 3)
    command = unchanged.psql("owner", "bi", "--no-align", "--tuples-only")
    holder = subprocess.Popen(
        [unchanged.binaries / command[0], *command[1:]],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"PGPASSWORD": PASSWORD},
    )
    with holder:
        holder.stdin.write(
            "begin; select pg_advisory_xact_lock(hashtextextended('perennial marts', 0)"
            ") is null;\n"
        )
        holder.stdin.flush()
        assert [holder.stdout.readline() for _ in range(2)] == ["BEGIN\n", "f\n"]
        with pytest.raises(LockFault, match="Another process fills the schema marts"):
            fill(project, unchanged)
        fill(project, unchanged, "elsewhere")
        holder.communicate("rollback;")


def test_who_lacks_a_right_is_told_which(unchanged, home):
    project = publish(home / "other", "run-2", 3)
    with pytest.raises(Fault) as told:
        fill(project, unchanged, "new", user="writer")
    assert str(told.value) == (
        "PostgreSQL refused the schema new, and has what it had: permission denied for "
        "database bi"
    )
    with pytest.raises(Fault, match="permission denied for schema marts"):
        fill(project, unchanged, user="writer")
    # the right to create something in a schema that is there is enough
    unchanged.execute("create schema new authorization writer", "bi")
    fill(project, unchanged, "new", user="writer")


# --- the command ----------------------------------------------------------------------


def perennial(home, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [PERENNIAL, "publish", "postgres", *arguments],
        cwd=home,
        env=os.environ | {"PERENNIAL_HOME": str(home)} | environment,
        capture_output=True,
        text=True,
    )


def test_the_command_says_what_it_did(bi, home):
    publish(home)
    finished = perennial(home, "--url", url(bi), "--schema", "ours")
    assert finished.returncode == 0, finished.stderr
    assert re.fullmatch(
        r"4 tables, \d+ rows of run run-1 of 2025-12-31, in the schema ours of .*\n",
        finished.stdout,
    )
    assert bi.ask("select run_id from ours.published_run", "bi") == "run-1"


#: What is typed, and what is told of it.
WRONG = {
    "password-in-url": (
        "postgresql://owner:hunter2@db.example/bi",
        "--url may name no password, for others can see what is typed",
    ),
    "password-in-query": (
        "postgresql://owner@db.example/bi?p%61ssword=hunter2",
        "--url may name no password",
    ),
    "password-of-a-key": (
        "postgresql://owner@db.example/bi?sslpassword=hunter2",
        "--url may name no password",
    ),
    "not-an-address": (
        "host=db.example password=hunter2",
        "--url is not of the form postgresql://USER@HOST:PORT/DATABASE.",
    ),
    "no-server": (
        "postgresql://owner@127.0.0.1:1/bi",
        'No connection: connection to server at "127.0.0.1", port 1 failed: Connection '
        "refused",
    ),
    "no-option": (
        "postgresql://owner@127.0.0.1:1/bi?nothing=1",
        'No connection: invalid URI query parameter: "nothing"',
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_an_address_that_cannot_be_used_is_told_in_a_line(home, name):
    publish(home)
    address, told = WRONG[name]
    finished = perennial(home, "--url", address, **{VARIABLE: "swordfish"})
    assert finished.returncode == 2
    assert finished.stderr.startswith(f"perennial: {told}"), finished.stderr
    assert len(finished.stderr.splitlines()) == 1
    assert not re.search("hunter2|swordfish", finished.stdout + finished.stderr)


def test_a_wrong_password_is_told_and_not_repeated(bi, home):
    publish(home)
    finished = perennial(home, "--url", url(bi), **{VARIABLE: "swordfish"})
    assert finished.returncode == 2
    assert finished.stderr == (
        'perennial: No connection: password authentication failed for user "owner"\n'
    )
    assert "swordfish" not in finished.stdout + finished.stderr


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--password-variable", "PASSWORD"), "must begin with DBT_ENV_SECRET_."),
        (("--schema", "x" * 64), "--schema needs a name of 1 to 63 bytes."),
        (("--schema", ""), "--schema needs a name of 1 to 63 bytes."),
    ],
)
def test_what_cannot_be_meant_is_told(home, options, told):
    publish(home)
    finished = perennial(home, "--url", "postgresql://owner@127.0.0.1:1/bi", *options)
    assert finished.returncode == 2
    assert finished.stderr.endswith(f"{told}\n")
    assert len(finished.stderr.splitlines()) == 1


def test_where_nothing_is_published_one_line_says_so(tmp_path):
    finished = perennial(tmp_path, "--url", "postgresql://owner@127.0.0.1:1/bi")
    assert finished.returncode == 1
    assert finished.stderr.startswith("perennial: Nothing is published in ")
    assert len(finished.stderr.splitlines()) == 1


def test_a_few_hostile_rows_are_not_enough():
    """So that what is sent holds what PostgreSQL's own formats might trip over."""
    texts = {row[0] for row in hostile_rows("x")}
    assert {"\\N", "\\.", "\\", "", "NULL", "\r", "\n", "\t=1"} <= texts
