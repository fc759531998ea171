"""How fast raw events become customer-days, and these the features of some dates.

All but the last day of a company is built step by step, each in a dbt run of its own,
one node after the other; then the last day's files come.
"""

import json
import math
import os
import re
import shutil
import sys
from pathlib import Path

import duckdb
from measuring import (
    MEMORY_LIMIT,
    ROOT,
    Ended,
    company,
    measured,
    median_of_three,
    told,
    watched,
)

DBT = Path(sys.executable).parent / "dbt"
SMALL_MEMORY_LIMIT = "2GB"
LAST_DAY = "2025-12-31"

#: The company that growth is measured against.
SMALLER = {"small": "tiny", "large": "small"}

#: One group-by-customer over the columns that features need. A count around it would
#: let the engine leave the aggregates out.
YARDSTICK = """create temporary table yardstick as
    select
        customer_id, count(*), max(occurred_at), count(event_name), count(session_id),
        sum(duration_seconds), count(module), count(synced_at)
    from read_parquet('{files}', union_by_name = true)
    group by customer_id"""

NO_TESTS = ("--exclude", "resource_type:test", "resource_type:unit_test")

#: The models and tests that look at every event line, as in the part of events.
CHECKS = (
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

DAYS = ("int_event_days", "int_modules", "int_event_day_states", "int_usage_days")
CLOCK = ("int_grid_dates", "int_as_of_dates")
FEATURES = ("int_as_of_days", "feat_*")

#: What is known without looking at a date or an event line again.
THE_REST = (
    "--select",
    "+feature_store",
    *NO_TESTS,
    *("+int_event_files", *DAYS, *FEATURES, "feature_store"),
)

THE_LAST_DAY = (
    "--select",
    "+feature_store",
    "--exclude",
    "resource_type:unit_test",
    "--indirect-selection",
    "cautious",
)


class FeatureBench:
    """A company without its last day, and the home it is built in."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self.whole = company(folder, name)
        self.files = folder / f"cut-{name}"
        self.waiting = folder / f"waiting-{name}"
        self.home = folder / f"home-features-{name}"

    def measure(self) -> dict:
        """Take the steps one after the other; the figures of each by its name."""
        self.cut()
        shutil.rmtree(self.home, ignore_errors=True)
        files = str(self.files / "raw" / "events" / "*.parquet")
        with duckdb.connect() as engine:
            (events,) = engine.execute(f"select count(*) from '{files}'").fetchone()
        steps = {
            "yardstick": median_of_three(YARDSTICK.format(files=files), MEMORY_LIMIT)
        }
        self.build("the lists", "--select", "resource_type:seed", *NO_TESTS)
        steps["checks"] = self.build("the path of events, with its tests", *CHECKS)
        steps["days"] = self.build("customer-days", "--select", *DAYS, *NO_TESTS)
        self.build("the other domains", *THE_REST)
        steps["one"] = self.features_of(1)
        steps["twelve"] = self.features_of(12)
        steps["thirty_six"] = self.features_of(36)
        steps["twelve_small"] = self.features_of(12, SMALL_MEMORY_LIMIT)
        self.features_of(1)
        steps["last_day"] = self.last_day()
        return {
            "told_of": f"Company {self.name}, {events:,} events, "
            f"{self.customers():,} customers; "
            f"memory limit {MEMORY_LIMIT}, one node at a time",
            "events": events,
            "steps": steps,
        }

    def cut(self) -> None:
        """Copy the company without its last day, which waits in another folder."""
        told(f"cutting the last day off {self.name}")
        for folder in (self.files, self.waiting):
            shutil.rmtree(folder, ignore_errors=True)
        # the last month is rewritten, and must not share its bytes with the original
        shutil.copytree(
            self.whole.resolve(),
            self.files,
            ignore=shutil.ignore_patterns("truth"),
            copy_function=copied_or_linked,
        )
        measured(
            "import sys\n"
            "from pathlib import Path\n"
            f"sys.path.insert(0, {str(ROOT / 'tests' / 'python')!r})\n"
            "from test_replay import cut_last_days\n"
            f"cut_last_days(Path({str(self.files / 'raw')!r}), [{LAST_DAY!r}], "
            f"Path({str(self.waiting)!r}))"
        )

    def customers(self) -> int:
        """Customers of the newest date."""
        return self.row(
            "select count(distinct customer_id) from features.feat_customers"
        )[0]

    def row(self, query: str) -> tuple:
        """Ask the working file, in a process that is gone before the next step."""
        file = str(self.home / "warehouse" / "demo.duckdb")
        code = (
            "import duckdb, json\n"
            f"with duckdb.connect({file!r}, read_only=True) as engine:\n"
            f"    print(json.dumps(engine.execute({query!r}).fetchone(), default=str))"
        )
        return tuple(json.loads(watched([sys.executable, "-c", code]).output))

    def features_of(self, dates: int, memory_limit: str = MEMORY_LIMIT) -> dict:
        """Make the features of so many dates at once: ends of months and the newest."""
        settings = {"grid_dates_count": dates - 1}
        self.build("the dates", "--select", *CLOCK, *NO_TESTS, settings=settings)
        found = self.row("select count(*) from intermediate.int_as_of_dates")
        if found != (dates,):
            sys.exit(f"{dates} dates were wanted, and {found[0]} are there")
        return self.build(
            f"features of {dates} dates with {memory_limit}",
            *("--full-refresh", "--select", *FEATURES, *NO_TESTS),
            settings=settings,
            memory_limit=memory_limit,
            may_fail=memory_limit == SMALL_MEMORY_LIMIT,
        )

    def last_day(self) -> dict:
        """Let the last day's files come, and build from the seam to the store."""
        for file in sorted(self.waiting.rglob(f"*_{LAST_DAY}.*")):
            file.rename(self.files / "raw" / file.parent.name / file.name)
        figures = self.build("the last day", *THE_LAST_DAY)
        found = self.row("select score_date from intermediate.int_score_date")
        if found != (LAST_DAY,):
            sys.exit(f"the last day did not come: the score date is {found[0]}")
        return figures

    def build(
        self,
        told_of: str,
        *arguments: str,
        settings: dict | None = None,
        memory_limit: str = MEMORY_LIMIT,
        may_fail: bool = False,
    ) -> dict:
        """Build a part; seconds are those of its nodes, without dbt."""
        told(f"{self.name}: {told_of}")
        ended = run_dbt(self.home, self.files, arguments, settings or {}, memory_limit)
        if ended.exit_code and not may_fail:
            sys.exit(ended.output)
        figures = {
            **ended.figures,
            **seconds_of_nodes(self.home),
            "wall_seconds": ended.figures["seconds"],
            "is_finished": not ended.exit_code,
        }
        told(f"    {figures['seconds']:.1f} s, {figures['memory_mb']:,.0f} MB")
        return figures


def copied_or_linked(source: str, target: str) -> str:
    """Copy what is rewritten, and link all other files where the disk allows it."""
    if "_2025-12" not in Path(source).name:
        try:
            os.link(source, target)
        except OSError:
            pass
        else:
            return target
    return shutil.copy2(source, target)


def run_dbt(
    home: Path, files: Path, arguments: tuple, settings: dict, memory_limit: str
) -> Ended:
    """Run dbt on a company with one date of features, unless `settings` say more."""
    (home / "warehouse").mkdir(parents=True, exist_ok=True)
    settings = {
        # scores of no date but the newest
        "horizons_days": [3650],
        "origin_dates": ["2020-01-01"],
        "grid_dates_count": 0,
        # of few lines of one day, more may be refused
        "refused_rows_threshold": 1,
        **settings,
    }
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PERENNIAL_")}
    return watched(
        [
            str(DBT),
            "--no-use-colors",
            "build",
            *arguments,
            f"--vars={json.dumps(settings)}",
            f"--target-path={home / 'target'}",
            f"--log-path={home / 'logs'}",
        ],
        {
            **kept,
            "PERENNIAL_HOME": str(home),
            "PERENNIAL_CONNECTOR": "demo",
            "PERENNIAL_DEMO_FOLDER": str(files),
            "PERENNIAL_THREADS": "1",
            "PERENNIAL_MEMORY_LIMIT": memory_limit,
        },
    )


def seconds_of_nodes(home: Path) -> dict:
    """Seconds of the last run: of its nodes together, of its models, and of each."""
    results = json.loads((home / "target" / "run_results.json").read_text())["results"]
    nodes = {
        re.sub(r"\.[0-9a-f]{10}$", "", node["unique_id"]).split(".")[-1]: node[
            "execution_time"
        ]
        for node in results
    }
    return {
        "seconds": sum(node["execution_time"] for node in results),
        "model_seconds": sum(
            node["execution_time"]
            for node in results
            if node["unique_id"].startswith("model.")
        ),
        "nodes": sorted(nodes.items(), key=lambda node: -node[1]),
    }


def seconds_in_all(*steps: dict) -> dict:
    """Steps that follow each other, as one."""
    return {
        "seconds": sum(step["seconds"] for step in steps),
        "wall_seconds": sum(step["wall_seconds"] for step in steps),
        "cpu_seconds": sum(step["cpu_seconds"] for step in steps),
        "memory_mb": max(step["memory_mb"] for step in steps),
    }


def table_of_features(figures: dict, smaller: dict) -> list[str]:
    """Render what was measured, and which limits were kept."""
    steps = figures["steps"]
    one, twelve, all_dates = steps["one"], steps["twelve"], steps["thirty_six"]
    from_raw = {
        size: seconds_in_all(*(each[name] for name in ("checks", "days", "one")))
        for size, each in (("this", steps), ("smaller", smaller["steps"]))
    }
    growth = math.log(
        from_raw["this"]["seconds"] / from_raw["smaller"]["seconds"]
    ) / math.log(figures["events"] / smaller["events"])
    highest = max(
        step["memory_mb"] for name, step in steps.items() if name != "twelve_small"
    )

    def ratio(step: dict, to: dict, limit: float) -> tuple[float, float, str]:
        return step["seconds"] / to["seconds"], limit, "{:.1f} x"

    yardstick = steps["yardstick"]
    rows = [
        ("yardstick: one group-by-customer over the raw events", yardstick, None),
        ("raw events checked, with the tests of their path", steps["checks"], None),
        (
            "raw events to customer-days, to the yardstick",
            steps["days"],
            ratio(steps["days"], yardstick, 5),
        ),
        (
            "all features of one date, to the yardstick",
            one,
            ratio(one, yardstick, 4),
        ),
        (
            "raw events to all features of one date, checks included",
            from_raw["this"],
            (from_raw["this"]["seconds"], 30, "{:.1f} s"),
        ),
        ("12 dates at once, to one", twelve, ratio(twelve, one, 8)),
        ("36 dates at once, to 12", all_dates, ratio(all_dates, twelve, 3)),
        (
            f"12 dates at once with {SMALL_MEMORY_LIMIT}, to {MEMORY_LIMIT}",
            steps["twelve_small"],
            ratio(steps["twelve_small"], twelve, math.inf),
        ),
        (
            "a day more: its files, models, tests and features",
            steps["last_day"],
            (steps["last_day"]["seconds"], 15, "{:.1f} s"),
        ),
        (
            "the same, models alone",
            {"seconds": steps["last_day"]["model_seconds"]},
            (steps["last_day"]["model_seconds"], 15, "{:.1f} s"),
        ),
        (
            "most memory of any of these steps",
            {"memory_mb": highest},
            (highest, 6000, "{:,.0f} MB"),
        ),
        (
            f"growth from {smaller['events']:,} to {figures['events']:,} events",
            {},
            (growth, 1.05, "exponent {:.2f}"),
        ),
    ]
    lines = [
        "| step | seconds | with dbt | processor seconds | peak memory, MB | figure "
        "| limit | kept |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    for name, step, judged in rows:
        cells = [
            f"{step[key]:{form}}" if key in step else ""
            for key, form in (
                ("seconds", ".1f"),
                ("wall_seconds", ".1f"),
                ("cpu_seconds", ".1f"),
                ("memory_mb", ",.0f"),
            )
        ]
        cells += told_as(judged, step.get("is_finished", True))
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return [*lines, "", "The dearest nodes, in seconds:", "", *dearest(steps)]


def told_as(judged: tuple | None, is_finished: bool) -> tuple[str, str, str]:
    """A figure, its limit, and whether it is kept."""
    if judged is None:
        return "", "", ""
    figure, limit, form = judged
    if limit == math.inf:
        return form.format(figure), "finishes", "yes" if is_finished else "no"
    kept = "yes" if figure <= limit else "no"
    return form.format(figure), re.sub(r"\.0+(?= |$)", "", form.format(limit)), kept


def dearest(steps: dict) -> list[str]:
    """Name the five dearest nodes of each step that has so many."""
    names = {
        "checks": "raw events checked",
        "days": "customer-days",
        "one": "features of one date",
        "twelve": "of 12",
        "thirty_six": "of 36",
        "last_day": "a day more",
    }
    return [
        f"* {name}: "
        + ", ".join(f"`{node}` {took:.1f}" for node, took in steps[key]["nodes"][:5])
        for key, name in names.items()
    ]
