"""Tables of PostgreSQL and of another DuckDB file arrive as they are there."""

import datetime
import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from conftest import ROOT
from dbt_common.exceptions import DbtRuntimeError
from postgres_server import PASSWORD, Server, running_server, skip_or_fail

from perennial.dbt_plugin import extension_file

pytestmark = pytest.mark.databases

PROJECT = """
name: crm
version: 1.0.0
profile: crm
vars:
  connector: crm
  source_time_zone: America/New_York
  business_time_zone: Europe/Berlin
models: {crm: {+materialized: table}}
flags: {send_anonymous_usage_stats: false}
"""

SOURCES = """
sources:
  - name: crm
    database: crm_server
    schema: public
    tables:
      - name: orders
        columns: &orders
          - {name: order_id, data_type: varchar}
          - {name: customer_id, data_type: varchar}
          - {name: ordered_at, data_type: timestamp}
          - {name: amount, data_type: "decimal(18, 2)"}
          - {name: delivery_date, data_type: timestamp}
          - {name: packed_at, data_type: timestamp}
          - name: invoiced_at
            data_type: timestamp
            config: {meta: {time_format: "%d/%m/%Y"}}
          - {name: items_count, data_type: bigint}
          - {name: is_gift, data_type: boolean}
          - {name: weight, data_type: double}
          - {name: fee, data_type: "decimal(18, 2)"}
          - {name: channel, data_type: varchar}
          - name: coupon
            data_type: varchar
            config: {meta: {optional: true}}
      - {name: many, columns: [{name: order_id, data_type: varchar},
                               {name: amount, data_type: "decimal(18, 2)"}]}
      - {name: lacking, identifier: many,
         columns: [{name: amount, data_type: "decimal(18, 2)"},
                   {name: currency, data_type: varchar}]}
  - name: attic
    database: attic
    schema: main
    tables:
      - {name: orders, columns: *orders}
"""


def documented(name: str) -> str:
    """The example of a file in docs/reading.md, which is tried here."""
    page = (ROOT / "docs" / "reading.md").read_text()
    (found,) = re.findall(rf"```yaml\n# (?:\S+/)?{name}\n(.*?)```", page, re.DOTALL)
    return found


MODELS = {
    "stg_crm__orders": ("crm", "orders"),
    "stg_crm__many": ("crm", "many"),
    "stg_crm__lacking": ("crm", "lacking"),
    "stg_attic__orders": ("attic", "orders"),
    "stg_documented__orders": ("documented", "orders"),
}

#: `numeric` without a precision holds anything; PostgreSQL pads `character`.
POSTGRES_TABLE = """
create type channel as enum ('web', 'it''s a shop');
create table orders (
    "Order_ID" text,
    customer_id numeric,
    ordered_at timestamptz,
    amount numeric(18, 2),
    delivery_date date,
    packed_at timestamp,
    invoiced_at character(12),
    items_count numeric(6, 1),
    is_gift boolean,
    weight double precision,
    fee numeric,
    channel channel,
    "a ""quoted"" column" inet
);
insert into orders values
    ('007', 12, '2024-07-01 12:00+02', 12.50, '2024-07-02', '2024-07-01 12:00',
     '03/07/2024', 3.0, true, 1.5, 1.50, 'it''s a shop', '10.0.0.1'),
    ('''; drop table orders; --', 12.00, '2024-01-01 00:00+00', 9999999999999999.99,
     '2024-03-31', '2024-03-10 02:30', ' ', null, null, 0.1, 99999999999999.99, null,
     null),
    ('nothing', null, null, null, null, null, null, null, null, null, null, null, null),
    ('bad amount', 1, null, 'NaN', null, null, null, null, null, null, null, null,
     null),
    ('bad fee', 1, null, 1, null, null, null, null, null, null, 'Infinity', null,
     null),
    ('rounded fee', 1, null, 1, null, null, null, null, null, null, 1.005, null, null),
    ('bad id', 'NaN', null, 1, null, null, null, null, null, null, 1, null, null),
    ('bad time', 1, 'infinity', 1, null, null, null, null, null, null, 1, null, null),
    ('bad date', 1, null, 1, '-infinity', null, null, null, null, null, 1, null, null),
    ('bad text', 1, null, 1, null, null, '2024-07-03', null, null, null, 1, null, null),
    ('bad count', 1, null, 1, null, null, null, 2.5, null, null, 1, null, null),
    ('bad weight', 1, null, 1, null, null, null, null, null, 'NaN', 1, null, null);
create table many as
    select i::text as order_id, (i / 100.0)::numeric(18, 2) as amount
    from generate_series(1, 250000) as i;
create role reader login password '{password}';
grant select on all tables in schema public to reader;
"""

#: The same, as another DuckDB file can hold it: it has no numeric that is NaN.
DUCKDB_TABLE = """
create table orders as select * from (values
    ('007', 12.00::decimal(10, 2), '2024-07-01 12:00:00+02'::timestamptz, 12.50::double,
     '2024-07-02'::date, '2024-07-01 12:00'::timestamp, '03/07/2024',
     3.0::decimal(6, 1), 'true', 1.5::float, 1.5000::decimal(18, 4), 'it''s a shop'),
    ('nothing', null, null, null, null, null, null, null, null, null, null, null),
    ('bad amount', 1, null, 'NaN', null, null, null, null, null, null, null, null),
    ('rounded amount', 1, null, 1.005, null, null, null, null, null, null, null, null),
    ('bad fee', 1, null, 1, null, null, null, null, null, null, 1.0050, null),
    ('bad time', 1, 'infinity', 1, null, null, null, null, null, null, 1, null),
    ('bad date', 1, null, 1, '-infinity', null, null, null, null, null, 1, null),
    ('bad text', 1, null, 1, null, null, '2024-07-03', null, null, null, 1, null),
    ('bad count', 1, null, 1, null, null, null, 2.5, null, null, 1, null),
    ('bad gift', 1, null, 1, null, null, null, null, 'perhaps', null, 1, null),
    ('bad weight', 1, null, 1, null, null, null, null, null, 'inf', 1, null)
) as rows (order_id, customer_id, ordered_at, amount, delivery_date, packed_at,
    invoiced_at, items_count, is_gift, weight, fee, channel);
"""

#: The first row, in both: New York is the zone of times that name none, and a mere day
#: begins at midnight of Berlin.
FIRST_ROW = (
    "007",
    "12",
    datetime.datetime(2024, 7, 1, 10, 0),
    Decimal("12.50"),
    datetime.datetime(2024, 7, 1, 22, 0),
    datetime.datetime(2024, 7, 1, 16, 0),
    datetime.datetime(2024, 7, 2, 22, 0),
    3,
    True,
    1.5,
    Decimal("1.50"),
    "it's a shop",
    None,
)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    if importlib.util.find_spec("duckdb_extension_postgres_scanner") is None:
        skip_or_fail("no extension here: pip install 'perennial[postgres]'")
    with running_server() as server:
        server.execute("create database shop", "postgres")
        password = PASSWORD.replace("'", "''")
        server.execute(POSTGRES_TABLE.replace("{password}", password), "shop")
        yield server


def dbt(folder: Path, server: Server, *arguments: str, **environment: str):
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("PERENNIAL_")}
    return subprocess.run(
        [Path(sys.executable).parent / "dbt", *arguments],
        cwd=folder,
        env=inherited
        # neither an extension nor a secret may come from the user's home
        | {"HOME": str(folder), "ATTIC_FILE": str(folder / "attic.duckdb")}
        | {"CRM_HOST": str(server.folder), "CRM_DATABASE": "shop"}
        | {"CRM_USER": "reader", "DBT_ENV_SECRET_CRM_PASSWORD": PASSWORD}
        | environment,
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def project(server, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("crm")
    (folder / "models").mkdir()
    (folder / "dbt_project.yml").write_text(PROJECT)
    (folder / "profiles.yml").write_text(documented("profiles.yml"))
    (folder / "packages.yml").write_text(f"packages: [{{local: {ROOT}}}]")
    (folder / "models" / "sources.yml").write_text(SOURCES)
    (folder / "models" / "documented.yml").write_text(
        documented("crm__sources.yml").replace("name: crm", "name: documented")
    )
    for name, (source, table) in MODELS.items():
        (folder / "models" / f"{name}.sql").write_text(
            f"select * from {{{{ perennial.raw_rows('{source}', '{table}') }}}}"
        )
    with duckdb.connect(str(folder / "attic.duckdb")) as connection:
        connection.execute(DUCKDB_TABLE)
    installed = dbt(folder, server, "deps")
    assert installed.returncode == 0, installed.stdout
    models = [name for name in MODELS if "lacking" not in name]
    built = dbt(folder, server, "run", "--select", *models)
    assert built.returncode == 0, built.stdout
    return folder


def working_file(project: Path) -> Path:
    return project / "warehouse" / "crm.duckdb"


def rows(project: Path, query: str) -> list[tuple]:
    with duckdb.connect(str(working_file(project)), read_only=True) as connection:
        return connection.execute(query).fetchall()


@pytest.mark.parametrize("source", ["crm", "attic"])
def test_a_row_arrives_as_it_was_put_in(project, source):
    (row,) = rows(
        project,
        "select * exclude (reading_id, file_path, source_file, source_line, "
        "source_lines_count, source_text, row_fault) "
        f"from stg_{source}__orders where order_id = '007'",
    )
    assert row == FIRST_ROW
    ((file, line, lines, text, fault),) = rows(
        project,
        "select source_file, source_line, source_lines_count, source_text, row_fault "
        f"from stg_{source}__orders where order_id = '007'",
    )
    schema = {"crm": "crm_server.public", "attic": "attic.main"}[source]
    assert (file, line, lines, fault) == (f"{schema}.orders", None, 1, None)
    raw = json.loads(text)
    assert raw["channel"] == "it's a shop"
    assert raw["ordered_at"] == "2024-07-01 10:00:00+00"
    if source == "crm":
        assert raw["Order_ID"] == "007"
        assert raw['a "quoted" column'] == "10.0.0.1/32"


@pytest.mark.parametrize("source", ["crm", "attic"])
def test_types_are_the_declared_ones(project, source):
    types = dict(
        rows(
            project,
            "select column_name, data_type from information_schema.columns "
            f"where table_name = 'stg_{source}__orders'",
        )
    )
    assert types == {
        "order_id": "VARCHAR",
        "customer_id": "VARCHAR",
        "ordered_at": "TIMESTAMP",
        "amount": "DECIMAL(18,2)",
        "delivery_date": "TIMESTAMP",
        "packed_at": "TIMESTAMP",
        "invoiced_at": "TIMESTAMP",
        "items_count": "BIGINT",
        "is_gift": "BOOLEAN",
        "weight": "DOUBLE",
        "fee": "DECIMAL(18,2)",
        "channel": "VARCHAR",
        "coupon": "VARCHAR",
        "reading_id": "INTEGER",
        "file_path": "VARCHAR",
        "source_file": "VARCHAR",
        "source_line": "BIGINT",
        "source_lines_count": "BIGINT",
        "source_text": "VARCHAR",
        "row_fault": "VARCHAR",
    }


def test_numbers_come_to_the_last_digit_and_equal_ids_are_equal(project):
    ((order, customer, ordered_at, amount, delivery, packed, invoiced, fee),) = rows(
        project,
        "select order_id, customer_id, ordered_at, amount, delivery_date, packed_at, "
        "invoiced_at, fee from stg_crm__orders where order_id like '%drop%'",
    )
    assert order == "'; drop table orders; --"
    assert customer == "12"  # which PostgreSQL keeps as 12.00
    assert ordered_at == datetime.datetime(2024, 1, 1)
    assert amount == Decimal("9999999999999999.99")
    assert fee == Decimal("99999999999999.99")  # a double would be off by a cent
    assert delivery == datetime.datetime(2024, 3, 30, 23, 0)
    assert packed == datetime.datetime(2024, 3, 10, 7, 30)  # in New York's skipped hour
    assert invoiced is None  # blank text is no value and no fault


#: What is wrong with a row, and the column that says so.
FAULTS = {
    "bad amount": "amount",
    "bad fee": "fee",
    "bad time": "ordered_at",
    "bad date": "delivery_date",
    "bad text": "invoiced_at",
    "bad count": "items_count",
    "bad weight": "weight",
}
FAULTS_OF = {
    "crm": FAULTS | {"rounded fee": "fee", "bad id": "customer_id"},
    "attic": FAULTS | {"rounded amount": "amount", "bad gift": "is_gift"},
}


@pytest.mark.parametrize("source", ["crm", "attic"])
def test_what_is_not_of_the_declared_type_is_a_fault_and_never_a_zero(project, source):
    """DuckDB itself would read PostgreSQL's numeric NaN as 0.00."""
    faults = FAULTS_OF[source]
    found = rows(
        project,
        "select order_id, row_fault, contains(source_text, order_id) "
        f"from stg_{source}__orders where row_fault is not null",
    )
    assert {(order, f"unreadable_{faults[order]}", True) for order in faults} == set(
        found
    )
    assert len(found) == len(faults)
    for order, column in faults.items():
        assert rows(
            project,
            f"select {column} from stg_{source}__orders where order_id = '{order}'",
        ) == [(None,)]


def test_the_documented_example_works(project):
    assert rows(
        project,
        "select order_id, customer_id, ordered_at, amount, coupon "
        "from stg_documented__orders where order_id = '007'",
    ) == [(*FIRST_ROW[:4], None)]


def test_all_rows_and_all_money_arrive(project):
    assert rows(
        project,
        "select count(*), count(distinct order_id), sum(amount), count(row_fault) "
        "from stg_crm__many",
    ) == [(250000, 250000, Decimal("312501250.00"), 0)]


def test_attached_databases_are_read_where_sql_is_locked_in(project, server):
    """They are open before the lock; a file that nobody attached is not."""
    models = [name for name in MODELS if "lacking" not in name]
    environment = {"PERENNIAL_LOCK_DOWN": "true", "DBT_LOG_LEVEL_FILE": "debug"}
    locked = dbt(project, server, "run", "--select", *models, **environment)
    assert locked.returncode == 0, locked.stdout
    lock = "set global lock_configuration = true"
    assert lock in (project / "logs" / "dbt.log").read_text()
    assert rows(project, "select count(*) from stg_crm__many") == [(250000,)]
    assert len(rows(project, "from stg_attic__orders")) == 11


def test_a_missing_column_stops_with_one_line(project, server):
    stopped = dbt(project, server, "run", "--select", "stg_crm__lacking")
    assert stopped.returncode == 1
    assert (
        "Table crm_server.public.many has no column currency: correct the name in the "
        "declaration of the source, or write there config: {meta: {optional: true}}."
    ) in stopped.stdout
    assert "Traceback" not in stopped.stdout + stopped.stderr


def test_no_password_stays_behind(project, server):
    """Nor when the server refuses it, or is not there."""
    outputs = []
    for command, environment in [
        (["debug"], {}),
        (["compile"], {"DBT_ENV_SECRET_CRM_PASSWORD": PASSWORD + " wrong"}),
        (["compile"], {"CRM_HOST": "/nowhere"}),
    ]:
        finished = dbt(project, server, *command, **environment)
        assert bool(environment) == bool(finished.returncode)
        outputs.append(finished.stdout + finished.stderr)
    outputs += [
        path.read_bytes().decode(errors="replace")
        for folder in ("target", "logs")
        for path in (project / folder).rglob("*")
        if path.is_file()
    ]
    outputs.append(working_file(project).read_bytes().decode(errors="replace"))
    assert len(outputs) > 15
    # however its quotes were escaped
    assert [text[:200] for text in outputs if "nightingale" in text] == []


#: A Python without the wheel.
WITHOUT_WHEEL = """
import importlib.util

find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: (
    None if name.startswith("duckdb_extension") else find(name, *rest)
)
"""


def test_an_extension_comes_from_its_wheel_or_not_at_all(project, server, tmp_path):
    assert not (project / ".duckdb").exists()  # where DuckDB puts what it fetches
    (tmp_path / "sitecustomize.py").write_text(WITHOUT_WHEEL)
    path = [str(tmp_path), os.environ.get("PYTHONPATH", "")]
    stopped = dbt(
        project, server, "run", PYTHONPATH=os.pathsep.join(filter(None, path))
    )
    assert stopped.returncode == 2
    assert (
        f"The postgres extension of DuckDB {duckdb.__version__} is not installed: "
        "pip install 'perennial[postgres]'."
    ) in stopped.stdout
    assert "Traceback" not in stopped.stdout + stopped.stderr


def test_an_unknown_extension_is_refused():
    with pytest.raises(DbtRuntimeError, match="'spatial': choose from postgres"):
        extension_file("spatial")
