"""Days that come one after the other leave what one build of all of them would.

The company's last days arrive as they would in practice: a file a day and domain, a
build a day. Then everything is made anew from the same ledger of files, and no row of
features, outcomes or the tables beneath them may differ.
"""

import csv
import io
import json
import re
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest
from conftest import Build, run_build

from perennial import company

#: Some five builds, and more than thirty: run with -m replay.
pytestmark = [pytest.mark.replay, pytest.mark.slow]

#: Of each domain, the column that says when a row came, and the one where it is empty.
ARRIVALS = {
    "customers": ("signed_up_at", "signed_up_at"),
    "orders": ("recorded_at", "ordered_at"),
    "subscriptions": ("changed_at", "changed_at"),
    "events": ("synced_at", "occurred_at"),
    "tickets": ("opened_at", "opened_at"),
    "touches": ("sent_at", "sent_at"),
}

#: What is compared: whatever features and outcomes rest on, and they themselves.
LAYERS = ("input", "intermediate", "features", "outcomes")

#: A row for each run, or what a run had to look at: only the sums say the same.
BY_RUN = {
    "intermediate.int_event_key_counts": "select sum(rows_count), sum(keys_count)"
    " from {}",
    "intermediate.int_repeated_event_keys": "select distinct event_key from {}"
    " order by event_key",
}

SELECTION = (
    *("--select", "+feature_store", "+outcome_churn", "+outcome_value"),
    *("+outcome_revenue", "+outcome_expansion", "feature_statistics"),
    *("--exclude", "resource_type:unit_test"),
    "resource_type:test",
)


def arrival(domain: str, row: dict) -> str:
    """Day on which a row came, or nothing where it cannot be told."""
    first, second = ARRIVALS[domain]
    found = re.match(r"\d{4}-\d\d-\d\d", str(row.get(first) or row.get(second) or ""))
    return found[0] if found else ""


def cut_text(file: Path, domain: str, first_day: str) -> dict[str, list[str]]:
    """Take the lines of the last days out of a file, by day, each with the header."""
    lines = file.read_text(encoding="utf-8-sig", errors="surrogateescape").splitlines(
        keepends=True
    )
    is_csv = file.suffix == ".csv"
    header = [lines[0]] if is_csv else []
    days: dict[str, list[str]] = {}
    kept = list(header)
    for line in lines[len(header) :]:
        try:
            row = (
                next(csv.DictReader(io.StringIO(lines[0] + line)), {})
                if is_csv
                else json.loads(line)
            )
        except (csv.Error, json.JSONDecodeError):
            row = {}
        day = arrival(domain, row)
        if first_day <= day <= "2025-12-31":
            days.setdefault(day, list(header)).append(line)
        else:
            kept.append(line)
    file.write_text("".join(kept), encoding="utf-8", errors="surrogateescape")
    return days


def cut_events(file: Path, first_day: str, days: list[str], target: Path) -> None:
    """Take the events of the last days out of a file: a file for each day."""
    arrived = "strftime(coalesce(synced_at, occurred_at), '%Y-%m-%d')"
    source = f"read_parquet('{file}', file_row_number = true)"
    columns = "* exclude (file_row_number)"
    with duckdb.connect() as engine:
        for day in days:
            query = f"from {source} where {arrived} = '{day}'"
            if engine.execute(f"select count(*) {query}").fetchone()[0]:
                engine.execute(
                    f"copy (select {columns} {query} order by file_row_number) to "
                    f"'{target / f'{file.stem}_{day}.parquet'}' (format parquet)"
                )
        engine.execute(
            f"copy (select {columns} from {source} where {arrived} < '{first_day}' "
            f"or {arrived} > '2025-12-31' or {arrived} is null "
            f"order by file_row_number) to '{file}.new' (format parquet)"
        )
    Path(f"{file}.new").replace(file)


def cut_last_days(raw: Path, days: list[str], waiting: Path) -> None:
    """Move the last days out of the company's files into a folder for each day."""
    for domain in ARRIVALS:
        for file in sorted((raw / domain).glob("*_2025-12*")):
            (waiting / domain).mkdir(parents=True, exist_ok=True)
            if file.suffix == ".parquet":
                cut_events(file, days[0], days, waiting / domain)
                continue
            for day, lines in cut_text(file, domain, days[0]).items():
                (waiting / domain / f"{file.stem}_{day}{file.suffix}").write_text(
                    "".join(lines), encoding="utf-8", errors="surrogateescape"
                )
            if not file.stat().st_size:  # a file without a line is none
                file.unlink()


def by_run(built: Build) -> dict[str, list[tuple]]:
    return {name: built.rows(query.format(name)) for name, query in BY_RUN.items()}


def replay(folder: Path, days_count: int, customers: int, months: int) -> None:
    company.generate(folder / "demo", seed=5, customers=customers, months=months)
    last = date(2025, 12, 31)
    days = [
        (last - timedelta(days=back)).isoformat()
        for back in reversed(range(days_count))
    ]
    waiting = folder / "waiting"
    cut_last_days(folder / "demo" / "raw", days, waiting)

    def build(*options: str) -> Build:
        built = run_build(
            folder,
            connector="demo",
            settings={"refused_rows_threshold": 1},
            environment={"PERENNIAL_DEMO_FOLDER": str(folder / "demo")},
            selection=(*SELECTION, *options),
        )
        assert built.exit_code == 0, built.output + built.errors
        return built

    def statistics(built: Build) -> set[tuple]:
        return set(built.rows("select hash(s) from features.feature_statistics as s"))

    known = statistics(build())
    for day in days:
        for file in sorted(waiting.rglob(f"*_{day}.*")):
            file.rename(folder / "demo" / "raw" / file.parent.name / file.name)
        built = build()
        assert built.row("select score_date from intermediate.int_score_date") == (
            date.fromisoformat(day),
        )
        # what a feature was like in training is written once
        assert known <= (known := statistics(built))

    assert built.row(
        "select count(*) from intermediate.int_as_of_dates where is_daily_date"
    ) == (days_count,)
    by_day = built.digests() | by_run(built)
    rebuilt = build("--full-refresh")
    assert known <= statistics(rebuilt)
    at_once = rebuilt.digests() | by_run(rebuilt)
    compared = [name for name in by_day if name.split(".")[0] in LAYERS]
    assert any(name.startswith("features.feat_") for name in compared)
    differing = [name for name in compared if by_day[name] != at_once[name]]
    assert not differing, differing


def test_three_days_leave_what_one_build_of_all_would(tmp_path):
    """The short form: three days of a company of two hundred."""
    replay(tmp_path, days_count=3, customers=200, months=14)


def test_thirty_days_leave_what_one_build_of_all_would(tmp_path):
    """A month of daily builds of the company of 2,000."""
    replay(tmp_path, days_count=30, customers=2_000, months=36)
