"""One customer's path, from the raw line to the value."""

from pathlib import Path

import duckdb
import jinja2

from perennial.faults import Fault
from perennial.keyed_hash import has_key, keyed_hash
from perennial.project import Project

ANALYSIS = Path("analyses") / "follow_one_customer.sql"


def follow(project: Project, customer_id: str) -> list[tuple[str, str, str, str]]:
    """Every table that a customer passes through, and what it says.

    Parameters
    ----------
    project : Project
    customer_id : str
        Bound as a parameter: it is data, never SQL.

    Returns
    -------
    list of (step, model, item, value)
        In the order of the flow.

    Raises
    ------
    Fault
        If nothing was built yet, or there is no such customer.
    """
    with project.reading() as connection:
        connection.execute("set variable customer_id = ?", [customer_id])
        if has_key():
            published_id = keyed_hash("customer", customer_id)
            connection.execute("set variable published_id = ?", [published_id])
        query = _rendered(connection, (project.root / ANALYSIS).read_text())
        found = connection.execute(query).fetchall()
    if not found:
        raise Fault(
            f"There is no customer {customer_id[:60]!r} in {project.connector}."
        )
    return [(*row[:3], "NULL" if row[3] is None else row[3]) for row in found]


def _rendered(connection: duckdb.DuckDBPyConnection, template: str) -> str:
    """Replace each ref by the table of that name: names are unique across schemas."""
    schemas = dict(
        connection.execute(
            "select table_name, table_schema from information_schema.tables"
        ).fetchall()
    )
    return (
        jinja2.Environment(undefined=jinja2.StrictUndefined)
        .from_string(template)
        .render(ref=lambda name: f'"{schemas.get(name, "main")}"."{name}"')
    )
