"""How fast events are read, against a plain scan of the same file by the same engine.

Writes what it measured into docs/performance.md. `make bench` runs it.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path

import duckdb

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "python"))

from shop import Shop, install_shop  # noqa: E402

#: Text ids, half a million customers, two years, sessions of five events on one day.
EVENTS = """
    select
        'event ' || i as event_id,
        'customer ' || hash(i // 5) % 500000 as customer_id,
        timestamp '2023-01-01' + to_days(cast(hash(i // 5 + 7) % 730 as integer))
            + to_seconds(cast(hash(i // 5 + 13) % 80000 + i % 5 * 30 as bigint))
            as occurred_at,
        'name ' || hash(i) % 12 as event_name,
        'session ' || i // 5 as session_id,
        cast(hash(i + 3) % 600 as bigint) as duration_seconds,
        'module ' || hash(i) % 5 as module
    from range({first}, {last}) as t (i)
"""

COLUMNS = {
    "event_id": "VARCHAR",
    "customer_id": "VARCHAR",
    "occurred_at": "TIMESTAMP",
    "event_name": "VARCHAR",
    "session_id": "VARCHAR",
    "duration_seconds": "BIGINT",
    "module": "VARCHAR",
}

#: Every value of every column has to be looked at.
LOOK = ", ".join(f"max({name})" for name in COLUMNS)
COUNT = ", ".join(f"count({name})" for name in COLUMNS)

TYPED_CSV = (
    f"read_csv('{{file}}', columns={COLUMNS}, auto_detect=false, header=true, "
    "delim=',', quote='\"', escape='\"')"
)

MEMORY_LIMIT = "5GB"
THREADS = 2

#: What each limit of the issue is held against.
LIMITS = {"parquet": 10, "csv": 2}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=50_000_000)
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "bench")
    arguments = parser.parse_args()
    folder = arguments.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    files = {kind: event_file(folder, kind, arguments.rows) for kind in LIMITS}
    installed = folder / "project"
    shutil.rmtree(installed, ignore_errors=True)
    install_shop(installed)
    rows = parquet_rows(installed, folder, files["parquet"], arguments.rows)
    rows += csv_rows(installed, folder, files["csv"])
    write_page(rows, arguments.rows)


def event_file(folder: Path, kind: str, rows: int) -> Path:
    """Write the events once; a later run finds them."""
    file = folder / kind / "events" / f"events_{rows}.{kind}"
    if not file.exists():
        told(f"writing {rows:,} events as {kind}")
        write_events(file, kind, 0, rows)
    return file


def write_events(file: Path, kind: str, first: int, last: int) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    form = "format parquet" if kind == "parquet" else "format csv, header true"
    with duckdb.connect() as connection:
        connection.execute(f"set threads = {THREADS}")
        half = file.with_suffix(".half")
        query = EVENTS.format(first=first, last=last)
        connection.execute(f"copy ({query}) to '{half}' ({form})")
        half.rename(file)


def parquet_rows(installed: Path, folder: Path, file: Path, rows: int) -> list[dict]:
    told("Parquet: the yardstick")
    scan = median([measured_query(f"select {LOOK} from '{file}'") for _ in range(3)])
    told("Parquet: checked, deduplicated and counted")
    home = new_home(folder / "home-parquet")
    first = build(installed, home, file.parents[1], "parquet")
    told("Parquet: the next day")
    day = file.with_name("zz_next_day.parquet")
    write_events(day, "parquet", rows, rows + rows // 730)
    try:
        nothing = build(installed, home, None, "parquet", reuse=True)
        second = build(installed, home, file.parents[1], "parquet", reuse=True)
    finally:
        day.unlink()
    del nothing
    return [
        {"step": f"scan of all columns, {size(file)} of Parquet", **scan},
        {
            "step": "events checked, deduplicated by key and counted",
            **first,
            "ratio": first["seconds"] / scan["seconds"],
            "limit": LIMITS["parquet"],
        },
        {
            "step": f"the next day, {rows // 730:,} events more",
            **second,
            "ratio": second["seconds"] / scan["seconds"],
        },
    ]
