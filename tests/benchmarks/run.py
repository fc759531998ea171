"""How fast this machine reads events, builds features, fits models and scores.

Writes what it measured into docs/performance.md. `make bench` runs it.
"""

import argparse
import json
import resource
import shutil
import sys
from pathlib import Path

import duckdb
from backtest import measure_backtest
from churn import measure_churn
from features import SMALLER, FeatureBench, table_of_features
from measuring import (
    ROOT,
    THREADS,
    cpu_seconds,
    make_company,
    measured,
    median_of_three,
    size,
    told,
    use_two_cores,
    write_part,
)
from peers import PeerBench, table_of_peers
from value import measure_value

sys.path.insert(0, str(ROOT / "tests" / "python"))

from shop import Shop, install_shop

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
    f"read_csv('FILE', columns={COLUMNS}, auto_detect=false, header=true, "
    "delim=',', quote='\"', escape='\"')"
)

#: What the sizes of the demo company may take, on two quiet cores.
LIMITS = {"small": "60 s", "large": "600 s, 4,000 MB"}

#: The models and tests that look at every event line; none below them is built.
EVENT_PATH = (
    "--select",
    "+int_event_files",
    "+input_events",
    "assert_every_repeated_event_key_is_named",
    "assert_every_accepted_event_is_seen",
    "assert_a_session_does_not_go_back_in_time",
    "assert_a_session_belongs_to_one_customer",
    "--exclude",
    "test_type:unit",
    "--indirect-selection",
    "cautious",
)

#: In this order: the features are built of the company that was made before.
PARTS = ("events", "company", "features", "churn", "backtest", "value", "peers")

STAGING_OF_EVENTS = (
    "--select",
    "+stg_shop__events",
    "--exclude",
    "resource_type:test",
    "resource_type:unit_test",
)


def main() -> None:
    """Measure, and render the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=50_000_000)
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "bench")
    parser.add_argument("--only", choices=PARTS, help="measure this part alone")
    parser.add_argument(
        "--size", choices=SMALLER, default="large", help="company for the features"
    )
    arguments = parser.parse_args()
    folder = arguments.folder.absolute()
    parts = [arguments.only] if arguments.only else PARTS
    use_two_cores()
    if "events" in parts:
        bench = Bench(folder, arguments.rows)
        rows = [*bench.parquet(), *bench.csv()]
        write_part("events", f"{arguments.rows:,} events", table_of_events(rows))
    if "company" in parts:
        told_of = "Seed 7, no shocks"
        write_part("company", told_of, table_of_companies(companies(folder)))
    if "features" in parts:
        smaller = FeatureBench(folder, SMALLER[arguments.size]).measure()
        figures = FeatureBench(folder, arguments.size).measure()
        write_part("features", figures["told_of"], table_of_features(figures, smaller))
    if "churn" in parts:
        measure_churn(folder)
    if "backtest" in parts:
        measure_backtest(folder)
    if "value" in parts:
        measure_value(folder)
    if "peers" in parts:
        rows = PeerBench(folder, arguments.size).measure()
        write_part("peers", "Seed 7, no shocks", table_of_peers(rows))


def companies(folder: Path) -> list[dict]:
    """Generate the demo company in every size, each in a process of its own."""
    # not before: what this process holds counts as memory of those that it starts
    from perennial.company import SIZES

    rows = []
    for name, asked in SIZES.items():
        told(f"generating {name}")
        made = folder / f"company-{name}"
        if made.is_symlink():  # a company that lies elsewhere stays as it is
            made.unlink()
        shutil.rmtree(made, ignore_errors=True)
        figures = make_company(made, asked.customers, asked.months)
        raw = made / "raw"
        (events,) = duckdb.sql(
            f"select count(*) from '{raw}/events/*.parquet'"
        ).fetchone()
        orders = sum(
            file.read_bytes().count(b"\n") - 1 for file in (raw / "orders").iterdir()
        )
        written = sum(file.stat().st_size for file in raw.rglob("*.*"))
        rows.append(
            figures
            | {
                "name": name,
                "customers": asked.customers,
                "months": asked.months,
                "orders": orders,
                "events": events,
                "bytes": written,
                "limit": LIMITS.get(name, ""),
            }
        )
    return rows


class Bench:
    """Files of events, and a dbt project that reads them."""

    def __init__(self, folder: Path, rows: int) -> None:
        self.folder = folder
        self.rows = rows
        self.installed = folder / "project"
        shutil.rmtree(self.installed, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        install_shop(self.installed)

    def parquet(self) -> list[dict]:
        file = self.event_file("parquet")
        scan = median_of_three(f"select {LOOK} from '{file}'")
        first = self.build("parquet", is_new=True)
        again = self.build("parquet")
        day = file.with_name("events_next_day.parquet")
        try:
            write_events(day, "parquet", self.rows, self.rows + self.rows // 730)
            next_day = self.build("parquet")
        finally:
            day.unlink(missing_ok=True)
        return [
            {"step": f"scan of all columns of the Parquet file ({size(file)})", **scan},
            {
                "step": "checked, deduplicated by key and counted",
                **first,
                "ratio": first["seconds"] / scan["seconds"],
                "limit": 10,
            },
            {
                "step": "the same files once more",
                **again,
                "ratio": again["seconds"] / scan["seconds"],
            },
            {
                "step": f"the next day: a file of {self.rows // 730:,} events more",
                **next_day,
                "ratio": next_day["seconds"] / scan["seconds"],
            },
        ]

    def csv(self) -> list[dict]:
        file = self.event_file("csv")
        reader = TYPED_CSV.replace("FILE", str(file))
        typed = median_of_three(f"select {COUNT} from {reader}")
        scanned = measured(
            "from perennial.reading import RawTable, scan_file\n"
            f"scan_file({str(file)!r}, RawTable('shop.events', '', 'csv'))"
        )
        self.build("csv", *STAGING_OF_EVENTS, is_new=True)
        compiled = self.home("csv") / "target/compiled/six_domains/models/staging/shop"
        query = (compiled / "stg_shop__events.sql").read_text()
        read = median_of_three(f"select {COUNT}, count(row_fault) from ({query})")
        both = {
            "seconds": scanned["seconds"] + read["seconds"],
            "cpu_seconds": scanned["cpu_seconds"] + read["cpu_seconds"],
            "memory_mb": max(scanned["memory_mb"], read["memory_mb"]),
        }
        return [
            {"step": f"read_csv with types of the CSV file ({size(file)})", **typed},
            {
                "step": "hashed, checked, cut into cells, typed, faults counted",
                **both,
                "ratio": both["seconds"] / typed["seconds"],
                "limit": 2,
            },
        ]

    def event_file(self, kind: str) -> Path:
        """Write the events once; a later run finds them."""
        file = self.folder / kind / "events" / f"events_{self.rows}.{kind}"
        if not file.exists():
            told(f"writing {self.rows:,} events as {kind}")
            write_events(file, kind, 0, self.rows)
        return file

    def home(self, kind: str) -> Path:
        return self.folder / f"home-{kind}"

    def build(self, kind: str, *arguments: str, is_new: bool = False) -> dict:
        """Build the path of events; seconds are those of its nodes, without dbt."""
        if is_new:
            shutil.rmtree(self.home(kind), ignore_errors=True)
        told(f"building from {kind}")
        shop = Shop(self.installed, self.home(kind), self.folder / kind)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        built = shop.build(
            *(arguments or EVENT_PATH),
            settings={"entities": ["events"]},
            SHOP_FORMAT=kind,
            SHOP_THREADS=str(THREADS),
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if built.exit_code:
            sys.exit(built.output + built.errors)
        results = json.loads((self.home(kind) / "target/run_results.json").read_text())
        return {
            "seconds": sum(node["execution_time"] for node in results["results"]),
            "cpu_seconds": cpu_seconds(before, after),
            "memory_mb": after.ru_maxrss / 1024,
        }


def write_events(file: Path, kind: str, first: int, last: int) -> None:
    """Write events number `first` to `last` by one statement."""
    file.parent.mkdir(parents=True, exist_ok=True)
    form = "format parquet" if kind == "parquet" else "format csv, header true"
    half = file.with_suffix(".half")
    with duckdb.connect() as connection:
        connection.execute(f"set threads = {THREADS}")
        query = EVENTS.format(first=first, last=last)
        connection.execute(f"copy ({query}) to '{half}' ({form})")
    half.rename(file)


def table_of_events(rows: list[dict]) -> list[str]:
    """Render what was measured of reading events."""
    lines = [
        "| step | seconds | processor seconds | peak memory, MB | ratio | limit |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in rows:
        ratio = f"{row['ratio']:.1f} x" if "ratio" in row else ""
        limit = f"{row['limit']} x" if "limit" in row else ""
        lines.append(
            f"| {row['step']} | {row['seconds']:.1f} | {row['cpu_seconds']:.1f} | "
            f"{row['memory_mb']:,.0f} | {ratio} | {limit} |"
        )
    return lines


def table_of_companies(rows: list[dict]) -> list[str]:
    """Render what was measured of the demo company."""
    lines = [
        "| size | customers | months | orders | events | raw files, MB | seconds "
        "| processor seconds | peak memory, MB | limit |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    for row in rows:
        lines.append(
            f"| {row['name']} | {row['customers']:,} | {row['months']} "
            f"| {row['orders']:,} | {row['events']:,} | {row['bytes'] / 1e6:,.0f} "
            f"| {row['seconds']:.1f} | {row['cpu_seconds']:.1f} "
            f"| {row['memory_mb']:,.0f} | {row['limit']} |"
        )
    return lines


if __name__ == "__main__":
    main()
