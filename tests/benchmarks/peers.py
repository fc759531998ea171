"""The same features by other tools, side by side: same data, equal results.

Every tool has an environment of its own, which pip fills, and does a task in a process
of its own. A tool is asked for a larger company until it takes too long or too much.
"""

import os
import shutil
import sys
from pathlib import Path

import duckdb
from features import NO_TESTS, run_dbt, seconds_of_nodes
from measuring import company, installed, last_line, told, watched

MOST_SECONDS = 600
MOST_MEMORY_MB = 16_000
MEMORY_LIMIT = "6GB"
SIZES = ("tiny", "small", "large")
AS_OF_DATE = "2025-12-31"
HERE = Path(__file__).parent

#: What pip installs into the environment of a tool. featuretools knows no newer pandas.
ENVIRONMENTS = {
    "frames": ("pandas", "polars", "pyarrow", "lifetimes"),
    "featuretools": ("featuretools", "pandas<3", "pyarrow"),
}

TOOLS = {
    "summary": ("lifetimes", "pandas", "polars"),
    "windows": ("pandas", "polars", "featuretools"),
}

TASKS = {
    "summary": "purchase summary",
    "windows": "use in 7, 30 and 90 days",
}

#: Our models of a task, and the domain they read.
OURS = {
    "summary": ("orders", "feat_purchases"),
    "windows": ("events", "feat_engagement"),
}

#: The nodes between accepted rows and features; those before them read and check.
OWN_NODES = (
    "int_order_days",
    "int_order_gaps",
    "int_customer_categories",
    "int_event_days",
    "int_modules",
    "int_event_day_states",
    "int_usage_days",
    "int_as_of_days",
    "feat_customers",
    "feat_purchases",
    "feat_engagement",
)

#: Our columns by the names of the task. lifetimes gives 0 where there is no mean.
ANSWERS = {
    "summary": """
        select
            customer_id,
            repeat_order_days_count as frequency,
            days_first_to_last_order as recency,
            days_since_first_order as T,
            coalesce(mean_repeat_order_day_amount, 0) as monetary_value
        from features.feat_purchases
    """,
    "windows": """
        select
            customer_id,
            events_count_7d,
            events_count_30d,
            events_count_90d,
            core_seconds_30d,
            core_seconds_90d
        from features.feat_engagement
    """,
}


class PeerBench:
    """Clean files of each company, and the tools that read them."""

    def __init__(self, folder: Path, largest: str) -> None:
        self.folder = folder / "peers"
        self.companies = folder
        self.sizes = SIZES[: SIZES.index(largest) + 1]
        self.faults: dict[str, str] = {}

    def measure(self) -> list[dict]:
        """Run each task by each tool, from the smallest company to the largest."""
        for name, packages in ENVIRONMENTS.items():
            environment = self.folder / f"environment-{name}"
            self.faults[name] = installed(environment, *packages)
        rows = []
        given_up: dict[tuple, str] = {}
        for size in self.sizes:
            clean = self.clean_files(size)
            for task, tools in TOOLS.items():
                answer, figures = self.ours(size, task, clean)
                rows += [{"task": task, "size": size, **each} for each in figures]
                for tool in tools:
                    row = {"task": task, "size": size, "tool": tool}
                    if (task, tool) in given_up:
                        continue
                    row |= self.theirs(task, tool, clean, answer)
                    if "fault" in row:
                        given_up[(task, tool)] = row["fault"]
                    rows.append(row)
        return rows

    def clean_files(self, size: str) -> Path:
        """Write a company's orders and events as every tool can read them.

        Left out are lines that ours refuses or judges, and others do not: all of what
        is said twice, and what is no paid order.
        """
        clean = self.folder / f"company-{size}"
        if (clean / "company.json").exists():
            return clean
        made = company(self.companies, size)
        told(f"cleaning the files of {size}")
        shutil.rmtree(clean, ignore_errors=True)
        for folder in ("raw/orders", "raw/events"):
            (clean / folder).mkdir(parents=True)
        with duckdb.connect() as engine:
            engine.execute("set preserve_insertion_order = true; set threads = 2")
            engine.execute(
                f"""
                create table orders as
                select * from read_csv(
                    '{made}/raw/orders/*.csv',
                    all_varchar = true, union_by_name = true, header = true,
                    delim = ',', quote = '"', escape = '"',
                    strict_mode = false, ignore_errors = true, null_padding = true
                )
                where
                    type = 'purchase'
                    and payment_status = 'paid'
                    and try_cast(ordered_at as timestamp) is not null
                    and ordered_at < '{AS_OF_DATE}~'
                    and coalesce(recorded_at, '') < '{AS_OF_DATE}~'
                    and try_cast(amount as decimal(18, 2)) > 0
                    and customer_id <> ''
                qualify count(*) over (partition by order_number) = 1
                """
            )
            engine.execute(
                f"copy orders to '{clean}/raw/orders/orders_all.csv' (header true)"
            )
            engine.execute(
                f"""
                copy (
                    select
                        customer_id,
                        cast(ordered_at as timestamp) as ordered_at,
                        cast(amount as double) as amount
                    from orders
                ) to '{clean}/orders.parquet' (format parquet)
                """
            )
            engine.execute(
                f"""
                create table repeated as
                select hash(event_id) as event_key
                from '{made}/raw/events/*.parquet'
                group by 1
                having count(*) > 1
                """
            )
            for file in sorted((made / "raw" / "events").iterdir()):
                engine.execute(
                    f"""
                    copy (
                        select * from '{file}'
                        where
                            hash(event_id) not in (select event_key from repeated)
                            and event_id is not null
                            and customer_id is not null
                            and event_name is not null
                            and occurred_at < date '{AS_OF_DATE}' + 1
                            and coalesce(synced_at, occurred_at)
                            < date '{AS_OF_DATE}' + 1
                            and coalesce(duration_seconds, 0) >= 0
                    ) to '{clean}/raw/events/{file.name}' (format parquet)
                    """
                )
        # a domain without a file stops a build, also where nobody wants it
        for domain in sorted((made / "raw").iterdir()):
            if not (clean / "raw" / domain.name).exists():
                (clean / "raw" / domain.name).mkdir()
                shutil.copy(min(domain.iterdir()), clean / "raw" / domain.name)
        (clean / "events").symlink_to(clean / "raw" / "events")
        shutil.copy(made / "company.json", clean)
        return clean

    def ours(self, size: str, task: str, clean: Path) -> tuple[Path, list[dict]]:
        """Build our models; the answer is what the others have to give too."""
        told(f"{size}: {TASKS[task]} by perennial")
        domain, model = OURS[task]
        home = self.folder / f"home-{size}-{task}"
        shutil.rmtree(home, ignore_errors=True)
        ended = run_dbt(
            home,
            clean,
            ("--select", f"+{model}", *NO_TESTS),
            {"entities": [domain], "score_date": AS_OF_DATE},
            MEMORY_LIMIT,
        )
        if ended.exit_code:
            sys.exit(ended.output)
        answer = home / "answer.parquet"
        file = home / "warehouse" / "demo.duckdb"
        with duckdb.connect(str(file), read_only=True) as engine:
            engine.execute(f"copy ({ANSWERS[task]}) to '{answer}' (format parquet)")
        took = seconds_of_nodes(home)
        own = sum(seconds for node, seconds in took["nodes"] if node in OWN_NODES)
        memory = {"memory_mb": ended.figures["memory_mb"]}
        return answer, [
            {
                "tool": "perennial: files read and checked, days, the whole theme",
                "seconds": took["seconds"],
                "cpu_seconds": ended.figures["cpu_seconds"],
                **memory,
            },
            {"tool": "perennial: days and the whole theme alone", "seconds": own},
        ]

    def theirs(self, task: str, tool: str, clean: Path, answer: Path) -> dict:
        """Let a tool do a task, and compare what it says with ours."""
        told(f"{clean.name}: {TASKS[task]} by {tool}")
        environment = "featuretools" if tool == "featuretools" else "frames"
        if self.faults[environment]:
            return {"fault": f"not installed: {self.faults[environment]}"}
        python = self.folder / f"environment-{environment}" / "bin" / "python"
        theirs = answer.with_name(f"answer-{tool}.parquet")
        theirs.unlink(missing_ok=True)
        ended = watched(
            [
                *(str(python), str(HERE / "peer_tools.py")),
                *(task, tool, str(clean), str(theirs)),
            ],
            {k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
            MOST_SECONDS,
            MOST_MEMORY_MB,
        )
        if ended.stopped_for:
            return {**ended.figures, "fault": f"stopped: {ended.stopped_for}"}
        if ended.exit_code:
            return {"fault": last_line(ended.output)}
        differing = differing_customers(task, answer, theirs)
        if differing:
            sys.exit(f"{tool} says otherwise of {differing:,} customers: {theirs}")
        return {**ended.figures, "seconds": float(ended.output.split()[-1])}


def differing_customers(task: str, ours: Path, theirs: Path) -> int:
    """Count the customers of whom two answers differ, by more than a rounding."""
    with duckdb.connect() as engine:
        told_by = engine.execute(f"select * from '{ours}' limit 0").description
        columns = [name for name, *_ in told_by if name != "customer_id"]
        differs = " or ".join(
            f"abs(coalesce(ours.{name}, 0) - coalesce(theirs.{name}, 0)) "
            f"> 1e-9 * abs(coalesce(ours.{name}, 0))"
            for name in columns
        )
        (count,) = engine.execute(
            f"select count(*) from '{ours}' as ours full join '{theirs}' as theirs "
            f"on ours.customer_id = theirs.customer_id where {differs}"
        ).fetchone()
    return count


def table_of_peers(rows: list[dict]) -> list[str]:
    """Render the tools beside each other."""
    lines = [
        "| task | company | tool | seconds | processor seconds | peak memory, MB |  |",
        "| --- | --- | --- | ---: | ---: | ---: | --- |",
    ]
    for row in sorted(
        rows, key=lambda row: (list(TASKS).index(row["task"]), SIZES.index(row["size"]))
    ):
        cells = [
            f"{row[key]:{form}}" if key in row else ""
            for key, form in (
                ("seconds", ".1f"),
                ("cpu_seconds", ".1f"),
                ("memory_mb", ",.0f"),
            )
        ]
        lines.append(
            f"| {TASKS[row['task']]} | {row['size']} | {row['tool']} "
            f"| {' | '.join(cells)} | {row.get('fault', '')} |"
        )
    return lines
