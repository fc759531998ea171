"""One look at a published file, as a reader takes it."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import duckdb

#: What publishing adds to the marts.
ADDED = ("published_run", "published_tables", "run_log")


@dataclass(frozen=True)
class Look:
    """What a reader found.

    Attributes
    ----------
    run_id : str
        Of the one run that is published.
    content : str
        Hash of all rows of all marts, without columns that tell of the run.
    empty : tuple of str
        Marts without a row.
    """

    run_id: str
    content: str
    empty: tuple[str, ...]


def look(file: Path | str, is_of_one_run: bool = True) -> Look:
    """Read every row that is published.

    Raises
    ------
    ValueError
        If what is there is of several runs, or is not what the run says of itself.
    duckdb.Error
        If the file cannot be read.
    """
    with duckdb.connect(str(file), read_only=True) as connection:
        runs = connection.execute(
            "select run_id, tables_count, rows_count from marts.published_run"
        ).fetchall()
        if len(runs) != 1:
            raise ValueError(f"{len(runs)} runs are published")
        ((run_id, tables_count, rows_count),) = runs
        told = connection.execute(
            "select table_name, rows_count, run_columns, run_id"
            " from marts.published_tables order by all"
        ).fetchall()
        there = connection.execute(
            "select table_name from duckdb_tables() order by all"
        ).fetchall()
        names = [name for (name,) in there if name not in ADDED]
        if names != [name for name, *_ in told] or len(names) != tables_count:
            raise ValueError("other tables are there than were published")
        others = {of_run for *_, of_run in told} - {run_id}
        if is_of_one_run and others:
            raise ValueError(f"tables of {len(others) + 1} runs stand side by side")
        content, empty, rows = hashlib.sha256(), [], 0
        for name, count, left_out, _ in told:
            kept = f"c not in ({', '.join(map(repr, left_out.split(',')))})"
            found = connection.execute(
                "select count(*), bit_xor(hash(t)), sum(cast(hash(t) as hugeint)) from"
                f' (select columns(c -> {kept}) from marts."{name}") as t'
            ).fetchone()
            if found[0] != count:
                raise ValueError(f"{name} has {found[0]} rows, and {count} are told")
            rows += count
            if not count:
                empty.append(name)
            content.update(f"{name} {found}".encode())
        if rows != rows_count:
            raise ValueError(f"{rows} rows are there, and {rows_count} are told")
    return Look(run_id, content.hexdigest(), tuple(empty))
