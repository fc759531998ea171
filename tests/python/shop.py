"""The shop: a dbt project with perennial in it, for builds of all six domains."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import duckdb
from conftest import ROOT, Build

PROJECT = ROOT / "tests" / "six_domains"
DIRTY_FILES = ROOT / "tests" / "dirty_files"
DBT = Path(sys.executable).parent / "dbt"

ENTITIES = ("customers", "orders", "subscriptions", "events", "tickets", "touches")

#: Everything from the files to the input contract, and nothing below it.
INPUT = (
    "--select",
    *("+quarantine", "+excluded_rows", "+input_coverage", "+input_files"),
    "+schema_changes",
    *(f"+input_{entity}" for entity in ENTITIES),
    *("--exclude", "test_type:unit", "--indirect-selection", "cautious"),
)

#: Rows of each domain, `i` from 0 on. Times are in 2024, of 300 customers.
ROWS = {
    "customers": """
        select
            'customer ' || i as customer_id,
            timestamp '2024-01-01 09:00:00' + to_days(cast(i % 40 as integer))
                as signed_up_at,
            case i % 3 when 0 then 'DE' when 1 then 'US' end as country,
            'search' as acquisition_channel,
            'small, but growing' as segment,
            1950 + i % 50 as birth_year,
            'someone' || i || '@example.com' as email
    """,
    "orders": """
        select
            'order ' || i as order_id,
            'customer ' || i % 300 as customer_id,
            timestamp '2024-01-01 10:00:00' + to_days(
                cast(hash(i) % case when i % 3 = 0 then 100 else 400 end as integer)
            ) as ordered_at,
            cast(10 + hash(i) % 1000 / 100 as decimal(18, 2)) as amount,
            'purchase' as kind,
            'books "and" more' as category,
            'EUR' as currency,
            'completed' as status
    """,
    "subscriptions": """
        select
            'subscription ' || i as subscription_id,
            'customer ' || i as customer_id,
            timestamp '2024-01-10 00:00:00' as started_at,
            'basic' as plan,
            cast(20 as decimal(18, 2)) as mrr,
            cast(0 as decimal(18, 2)) as discount_amount,
            case when i % 5 = 0 then timestamp '2024-06-01 00:00:00' end as ended_at,
            i % 2 = 0 as is_voluntary
    """,
    "events": """
        select
            'event ' || i as event_id,
            'customer ' || i // 5 % 300 as customer_id,
            timestamp '2024-01-01 11:00:00'
                + to_hours(cast(hash(i // 5) % 8000 as integer))
                + to_minutes(i % 5) as occurred_at,
            'page_view' as event_name,
            'session ' || i // 5 as session_id,
            cast(hash(i) % 600 as bigint) as duration_seconds,
            'start' as module
    """,
    "tickets": """
        select
            'ticket ' || i as ticket_id,
            'customer ' || i % 300 as customer_id,
            timestamp '2024-03-01 08:00:00' as opened_at,
            'billing' as category,
            timestamp '2024-03-01 09:00:00' as first_response_at,
            case when i % 4 > 0 then timestamp '2024-03-02 08:00:00' end as resolved_at,
            cast(i % 50 / 10 as decimal(5, 2)) as csat
    """,
    "touches": """
        select
            'touch ' || i as touch_id,
            'customer ' || i % 300 as customer_id,
            timestamp '2024-02-01 08:00:00' as sent_at,
            'campaign 1' as campaign_id,
            'e-mail' as channel,
            i % 10 = 0 as is_control,
            case when i % 3 = 0 then timestamp '2024-02-01 09:00:00' end as opened_at,
            'free shipping' as offer
    """,
}

COUNTS = {
    "customers": 300,
    "orders": 2400,
    "subscriptions": 250,
    "events": 3000,
    "tickets": 200,
    "touches": 600,
}

_COPY_OPTIONS = {
    "csv": "format csv, header true, timestampformat '%Y-%m-%d %H:%M:%S'",
    "json_lines": "format json, timestampformat '%Y-%m-%d %H:%M:%S'",
    "parquet": "format parquet",
}


def write_rows(
    folder: Path,
    entity: str,
    first: int = 0,
    last: int | None = None,
    file_format: str = "csv",
    change: str = "*",
) -> Path:
    """Write good rows of a domain into a file that is named after the first of them."""
    last = COUNTS[entity] if last is None else last
    file = folder / entity / f"{entity}_{first:05d}.{file_format}"
    file.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as connection:
        connection.execute(
            f"copy (select {change} from ({ROWS[entity]} "
            f"from range({first}, {last}) as t (i))) "
            f"to '{file}' ({_COPY_OPTIONS[file_format]})"
        )
    return file


def write_all(folder: Path, file_format: str = "csv") -> Path:
    for entity in ENTITIES:
        write_rows(folder, entity, file_format=file_format)
    return folder


@dataclass(frozen=True)
class ShopBuild(Build):
    """One finished run of dbt in the shop's project."""

    @property
    def file(self) -> Path:
        return self.home / "shop.duckdb"


class Shop:
    """A copy of the project with files and a working file of its own.

    Attributes
    ----------
    home : Path
        Holds the working file, and `files` with a folder for each domain.
    """

    def __init__(self, installed: Path, home: Path, files: Path | None = None) -> None:
        self.installed = installed
        self.home = home
        self.files = files or home / "files"
        home.mkdir(parents=True, exist_ok=True)

    def build(self, *arguments: str, settings: dict | None = None, **env) -> ShopBuild:
        return self.dbt("build", *(arguments or INPUT), settings=settings, **env)

    def dbt(self, *arguments: str, settings: dict | None = None, **env) -> ShopBuild:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("PERENNIAL_")}
        finished = subprocess.run(
            [
                DBT,
                "--no-use-colors",
                *arguments,
                f"--vars={json.dumps(settings or {})}",
                f"--target-path={self.home / 'target'}",
                f"--log-path={self.home / 'logs'}",
            ],
            cwd=self.installed,
            env={
                **kept,
                "PERENNIAL_HOME": str(self.home),
                "SHOP_FILES": str(self.files),
                "SHOP_DATABASE": str(self.home / "shop.duckdb"),
                **env,
            },
            capture_output=True,
            text=True,
        )
        return ShopBuild(
            self.home, finished.returncode, finished.stdout, finished.stderr
        )


def install_shop(folder: Path, project: Path = PROJECT) -> Path:
    """Copy the project, and install perennial in it as its user would."""
    skip = shutil.ignore_patterns(
        *("dbt_packages", "target", "logs", "*lock.yml", "*.duckdb")
    )
    shutil.copytree(project, folder, ignore=skip)
    (folder / "packages.yml").write_text(f"packages:\n  - local: {ROOT}\n")
    finished = subprocess.run(
        [DBT, "deps"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return folder
