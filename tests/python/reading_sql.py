"""The loader's own SQL over one file, rendered without dbt, in milliseconds.

dbt's Jinja is played by the little that the macros of reading.sql ask of it.
"""

import datetime
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import duckdb
import pytz
from conftest import ROOT

from perennial import macros
from perennial.reading import RawTable, careful_records, scan_file


class CompilerError(Exception):
    """What dbt's `exceptions.raise_compiler_error` raises."""


def _raise(message: str) -> None:
    raise CompilerError(message)


class Macros(macros.Macros):
    """Macros of the project with what dbt would tell them."""

    def __init__(self, variables: dict | None = None) -> None:
        variables = {"connector": "shop", **(variables or {})}
        super().__init__(
            ROOT,
            var=lambda name, default=None: variables.get(name, default),
            # no connector of these tests has a macro of its own
            context={},
            execute=True,
            invocation_args_dict={},
            modules=SimpleNamespace(re=re, pytz=pytz, datetime=datetime),
            exceptions=SimpleNamespace(raise_compiler_error=_raise),
            fromjson=json.loads,
            tojson=json.dumps,
            ref=lambda name: SimpleNamespace(include=lambda identifier: "reading"),
        )


class Node(dict):
    """A part of dbt's graph: its fields are keys and attributes."""

    __getattr__ = dict.__getitem__


@dataclass
class Declared:
    """A raw table as its source declares it.

    Attributes
    ----------
    columns : dict
        Type of each column; a column whose type ends with `?` is optional.
    """

    columns: dict[str, str]
    file_format: str = "csv"
    delimiter: str = ","
    time_formats: dict[str, str] = field(default_factory=dict)

    @property
    def table(self) -> RawTable:
        optional = [name for name, kind in self.columns.items() if kind.endswith("?")]
        return RawTable(
            "shop.orders",
            "*",
            self.file_format,
            self.delimiter,
            required=tuple(name for name in self.columns if name not in optional),
            optional=tuple(optional),
        )

    @property
    def column_nodes(self) -> list[Node]:
        return [
            Node(
                name=name,
                data_type=kind.removesuffix("?"),
                config=Node(
                    meta={
                        "time_format": self.time_formats.get(name),
                        "optional": kind.endswith("?"),
                    }
                ),
            )
            for name, kind in self.columns.items()
        ]


def read_records(path: Path, declared: Declared, macros: Macros) -> list[dict]:
    """Rows of one file, in its order, as a staging model gets them.

    Raises
    ------
    FileFault
        If the file as a whole cannot be used.
    """
    facts = scan_file(path, declared.table)
    file = {
        **vars(facts),
        "reading_id": 1,
        "source_file": path.name,
        "file_path": str(path),
        "file_format": declared.file_format,
        "header": json.dumps(facts.header),
        "column_types": json.dumps(facts.column_types),
    }
    node = Node(config=Node(meta={"delimiter": declared.delimiter}))
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute("set timezone = 'UTC'")
        if facts.needs_care:
            _store_careful_records(connection, path, declared.table)
        if declared.file_format == "parquet":
            query = macros.parquet_rows([file], declared.column_nodes)
        else:
            query = macros.text_rows(node, [file], declared.column_nodes, True)
        found = connection.execute(f"from ({query}) order by source_line")
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def _store_careful_records(
    connection: duckdb.DuckDBPyConnection, path: Path, table: RawTable
) -> None:
    connection.execute("create schema reading")
    connection.execute(
        "create table reading.careful_records (reading_id integer, source_line bigint, "
        "source_lines_count bigint, source_text varchar, line_fault varchar)"
    )
    connection.executemany(
        "insert into reading.careful_records values (1, ?, ?, ?, ?)",
        [
            (r.source_line, r.source_lines_count, r.source_text, r.line_fault)
            for r in careful_records(path, table)
        ]
        or [(0, 0, "", "")],
    )
    connection.execute("delete from reading.careful_records where source_line = 0")
