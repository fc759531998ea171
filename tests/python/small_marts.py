"""A published file that a test makes by itself, with what a company may call itself."""

import datetime
from pathlib import Path

import duckdb
from conftest import ROOT

from perennial.project import Project
from perennial.publishing import files
from perennial.publishing.tables import ADDED

#: Ids and names that something between a table and its reader may take for something
#: else: formulas, quotes, the ends of lines and fields, numbers, nothing.
HOSTILE = (
    *("=1+1", "+49 30 1234", "-2", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "=", "-"),
    *(
        "=cmd|' /C calc'!A0",
        '=HYPERLINK("http://127.0.0.1")',
        "\uff1d1+1",
        "\uff0b1",
        "\uff0d1",
        "\uff20a",
    ),
    *("'", "''", "'=1+1", "'quoted'", "ends with '", "''=", "''twice"),
    *("", " ", "  =1", "a,b", "a;b", "a|b", 'say "no"', '"', '""', '","', "'\""),
    *("two\nlines", "two\r\nlines", "two\rlines", "\n", "\r", "\t", "end\n"),
    *("007", "1e5", "12345678901234567890", "2024-01-01", "true", "1,5", "0x10"),
    *("NULL", "null", "NaN", "\\N", "\\", "\\.", "\\\\", "#N/A", "None"),
    *("'; drop table dim_customers; --", '"; drop schema marts; --', "$1", "%s", "{}"),
    *("😀 naïve 名前", "e\u0301", "\u202eright to left", "\ufeffmark", "x" * 100_000),
)

CUSTOMERS = """
create table {schema}.dim_customers (
    customer_id varchar not null,
    name varchar,
    orders_count bigint not null,
    amount decimal(18, 2),
    share decimal(18, 6),
    churn_probability double,
    is_active boolean,
    first_order_date date,
    last_seen_at timestamp,
    run_id varchar not null
)
"""

COMMENTS = {
    "table marts.dim_customers": 'Who they are; it\'s \\ "all" of them.\n$$ Really.',
    "column marts.dim_customers.customer_id": "As delivered; may be '; drop schema x.",
    "column marts.dim_customers.amount": "In euros. 100 %.",
    "table marts.published_run": "Which run is published.",
}


def hostile_rows(run_id: str) -> list[tuple]:
    """One row for each hostile text, with edges of other types, and one of NULLs."""
    amounts = ("0.00", "-0.01", "9999999999999999.99", "-9999999999999999.99", None)
    doubles = (0.1, -1 / 3, 5e-324, 1.7976931348623157e308, 0.30000000000000004, None)
    days = (datetime.date(1, 1, 1), datetime.date(9999, 12, 31), None)
    times = (
        datetime.datetime(1969, 12, 31, 23, 59, 59, 999999),
        datetime.datetime(2024, 2, 29, 12, 0, 0, 1),
        None,
    )
    rows = [
        (
            *(text, text, number - 20, amounts[number % 5], "-0.000001"),
            *(doubles[number % 6], (True, False, None)[number % 3]),
            *(days[number % 3], times[number % 3], run_id),
        )
        for number, text in enumerate(HOSTILE)
    ]
    return [*rows, ("of nulls", *[None], -(2**63), *[None] * 6, run_id)]


def publish(
    home: Path,
    run_id: str = "run-1",
    rows_count: int | None = None,
    statements: tuple[str, ...] = (),
) -> Project:
    """Put a published file of the connector `demo` in place, as a build does.

    Parameters
    ----------
    home : Path
    run_id : str
    rows_count : int, optional
        So many common rows in dim_customers; the hostile ones if not given.
    statements : tuple of str
        What else is to be done to the file.
    """
    project = Project(ROOT, home, "demo")
    file = project.published_file
    file.parent.mkdir(parents=True, exist_ok=True)
    project.candidate_file.unlink(missing_ok=True)
    with duckdb.connect(str(project.candidate_file)) as connection:
        connection.execute("create schema marts")
        connection.execute(CUSTOMERS.format(schema="marts"))
        if rows_count is None:
            rows = hostile_rows(run_id)
            marks = ", ".join("?" * len(rows[0]))
            connection.executemany(
                f"insert into marts.dim_customers values ({marks})", rows
            )
        else:
            connection.execute(
                "insert into marts.dim_customers (customer_id, orders_count, run_id)"
                " select 'c' || range, range, ? from range(?)",
                [run_id, rows_count],
            )
        for name, columns in ADDED.items():
            listed = ", ".join(f"{column} {kind}" for column, kind in columns.items())
            connection.execute(f"create table marts.{name} ({listed})")
        for name in ("published_run", "run_log"):
            connection.execute(
                f"insert into marts.{name} (run_id, started_at)"
                " values (?, '2026-01-01 01:00:00')",
                [run_id],
            )
        connection.execute(
            "update marts.published_run set score_date = '2025-12-31', tables_count = 1"
        )
        connection.execute(
            "insert into marts.published_tables (table_name, rows_count, run_id)"
            " select 'dim_customers', count(*), ? from marts.dim_customers",
            [run_id],
        )
        for what, text in COMMENTS.items():
            text = text.replace("'", "''")
            connection.execute(f"comment on {what} is '{text}'")
        for statement in statements:
            connection.execute(statement)
    files.put_in_place(project.candidate_file, file)
    return project


def tables_of(file: Path) -> list[str]:
    with duckdb.connect(str(file), read_only=True) as connection:
        return [
            name
            for (name,) in connection.execute(
                "select table_name from duckdb_tables() where schema_name = 'marts'"
                " order by table_name"
            ).fetchall()
        ]
