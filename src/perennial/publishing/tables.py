"""Which marts there are, what is said of them, and what a table holds."""

import datetime
import importlib.metadata
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from perennial import keyed_hash
from perennial.faults import Fault

SCHEMA = "marts"

#: What publishing adds to the marts.
RUN, TABLES, LOG = "published_run", "published_tables", "run_log"

#: Columns of these tables, in their order.
ADDED = {
    RUN: {
        "run_id": "varchar",
        "connector": "varchar",
        "score_date": "date",
        "started_at": "timestamp",
        "published_at": "timestamp",
        "perennial_version": "varchar",
        "dbt_version": "varchar",
        "duckdb_version": "varchar",
        "tables_count": "bigint",
        "rows_count": "bigint",
        "customers_count": "bigint",
        "refused_share": "double",
        "completeness": "double",
        "settings_hash": "varchar",
    },
    TABLES: {
        "table_name": "varchar",
        "rows_count": "bigint",
        "content_hash": "varchar",
        "run_columns": "varchar",
        "run_id": "varchar",
    },
    LOG: {
        "run_id": "varchar",
        "started_at": "timestamp",
        "step": "varchar",
        "kind": "varchar",
        "status": "varchar",
        "rows_count": "bigint",
        "seconds": "double",
        "message": "varchar",
    },
}


@dataclass(frozen=True)
class Table:
    """A table of the published file.

    Attributes
    ----------
    name : str
    description : str
    columns : dict of str
        What is said of each column.
    run_columns : tuple of str
        Columns that tell which run made a row.
    """

    name: str
    description: str = ""
    columns: dict[str, str] = field(default_factory=dict)
    run_columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Manifest:
    """What dbt knows of a project that it built.

    Attributes
    ----------
    run_id : str
        The run that wrote it.
    dbt_version : str
    marts : dict of Table
        By name, in the order of the names.
    added : dict of Table
        What publishing adds, as it is described.
    nodes : dict of str
        Kind of every node that a full build runs, by its id in dbt.
    mart_ids : dict of str
        Id in dbt of each mart.
    """

    run_id: str
    dbt_version: str
    marts: dict[str, Table]
    added: dict[str, Table]
    nodes: dict[str, str]
    mart_ids: dict[str, str]

    @classmethod
    def read(cls, file: Path) -> "Manifest":
        """Read the manifest.json of a target folder.

        Raises
        ------
        Fault
            If it is not there, or no manifest.
        """
        try:
            told = json.loads(file.read_text())
            marts = sorted(
                (node for node in told["nodes"].values() if _is_mart(node)),
                key=lambda node: node["alias"],
            )
            return cls(
                run_id=told["metadata"]["invocation_id"],
                dbt_version=told["metadata"]["dbt_version"],
                marts={node["alias"]: _table(node, "alias") for node in marts},
                added={
                    source["name"]: _table(source, "name")
                    for source in told["sources"].values()
                    if source["schema"] == SCHEMA and source["name"] in ADDED
                },
                nodes={
                    unique_id: node["resource_type"]
                    for unique_id, node in told["nodes"].items()
                    if _is_built(node, told)
                },
                mart_ids={node["alias"]: node["unique_id"] for node in marts},
            )
        except (OSError, ValueError, KeyError) as error:
            raise Fault(
                f"{file} cannot be read ({type(error).__name__}: {error}), so nothing "
                "can be published: run perennial build again."
            ) from None


def _is_mart(node: dict[str, Any]) -> bool:
    return node["resource_type"] == "model" and node["schema"] == SCHEMA


def _is_built(node: dict[str, Any], told: dict[str, Any]) -> bool:
    if node["resource_type"] == "model":
        return node["config"]["materialized"] != "ephemeral"
    if node["resource_type"] == "test":
        # the test of a model that is not enabled stays in the manifest, and never runs
        tested = node.get("attached_node")
        is_there = (
            tested is None or tested in told["nodes"] or tested in told["sources"]
        )
        return is_there and bool(node["depends_on"]["nodes"])
    return node["resource_type"] in ("seed", "snapshot")


def _table(node: dict[str, Any], name: str) -> Table:
    columns = node["columns"]
    return Table(
        name=node[name],
        description=_line(node["description"]),
        columns={one: _line(told["description"]) for one, told in columns.items()},
        run_columns=tuple(
            one
            for one, told in columns.items()
            if ((told.get("config") or {}).get("meta") or {}).get("run_column")
            or (told.get("meta") or {}).get("run_column")
        ),
    )


def _line(text: str) -> str:
    return " ".join(text.split())


@dataclass(frozen=True)
class Digest:
    """What a table holds: so many rows, and a hash of them in whatever order."""

    rows_count: int
    content_hash: str


def digest(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    columns: Iterable[str],
    run_columns: Iterable[str] = (),
) -> Digest:
    """Read a whole table, also the columns that its hash leaves out.

    Parameters
    ----------
    connection : DuckDBPyConnection
    table : str
        Its name as SQL.
    columns, run_columns : iterable of str
        All of its columns, and those left out.
    """
    left_out = set(run_columns)
    kept = ", ".join(quoted(name) for name in columns if name not in left_out)
    rest = ", ".join(quoted(name) for name in columns if name in left_out) or "null"
    rows_count, crossed, summed, _ = connection.execute(
        f"select count(*), bit_xor(hash({kept})),"
        f" sum(cast(hash({kept}) as hugeint)), bit_xor(hash({rest})) from {table}"
    ).fetchone()
    if not rows_count:
        return Digest(0, "empty")
    return Digest(rows_count, f"{crossed:016x}{summed:032x}")


def connect(
    file: Path | str = ":memory:", read_only: bool = False
) -> duckdb.DuckDBPyConnection:
    """Open a database as a build does, with what views over files need."""
    config: dict[str, Any] = {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    if limit := os.environ.get("PERENNIAL_MEMORY_LIMIT"):
        config["memory_limit"] = limit
    connection = duckdb.connect(str(file), read_only=read_only, config=config)
    keyed_hash.register(connection)
    connection.execute("set TimeZone = 'UTC'")
    return connection


def columns_of(
    connection: duckdb.DuckDBPyConnection, database: str, schema: str, table: str
) -> dict[str, str]:
    """Columns of a table or view, each with its type, and ``not null`` where it is."""
    rows = connection.execute(
        "select column_name, data_type"
        " || case when is_nullable then '' else ' not null' end"
        " from duckdb_columns()"
        " where database_name = ? and schema_name = ? and table_name = ?"
        " order by column_index",
        [database, schema, table],
    ).fetchall()
    return dict(rows)


def quoted(name: str) -> str:
    """Write a name as SQL, whatever it holds."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str | Path) -> str:
    """Write a text as SQL, whatever it holds."""
    return "'" + str(text).replace("'", "''") + "'"


def utc_now() -> datetime.datetime:
    """Give the time as tables have it: UTC, without a zone."""
    return datetime.datetime.now(datetime.UTC).replace(tzinfo=None)


def versions(manifest: Manifest) -> dict[str, str]:
    """Versions that a published file tells of."""
    return {
        "perennial_version": importlib.metadata.version("perennial"),
        "dbt_version": manifest.dbt_version,
        "duckdb_version": duckdb.__version__,
    }
