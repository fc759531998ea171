"""A copy of a build whose accepted rows came late, changed, and were told again.

What the demo company delivers has few such rows: only subscriptions have versions. Here
every domain has some, and the models of days and features are run once more over them.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
from conftest import ROOT, Build

#: A number from 0 to less than `sides`, of the id and of what it is drawn for.
CHANCES = """
create macro chance(id, salt, sides) as cast(hash(id || salt) % sides as integer)
"""

#: Of each domain its id, and what its earlier versions said instead.
EARLIER = {
    "orders": (
        "order_id",
        """
        ordered_at - to_days(chance(id, 'day', 3)) as ordered_at,
        cast(amount * (1 + chance(id, 'amount', 2)) as decimal(18, 2)) as amount,
        case
            when chance(id, 'failed', 4) = 0 and kind = 'purchase' then 'failed'
            else status
        end as status,
        case when chance(id, 'category', 2) = 0 then 'other' else category end
            as category
        """,
    ),
    "events": (
        "event_id",
        """
        occurred_at - to_days(chance(id, 'day', 2)) as occurred_at,
        case when chance(id, 'name', 5) = 0 then 'onboarding_completed'
            else event_name end as event_name,
        case when chance(id, 'session', 3) = 0 then event_id else session_id end
            as session_id,
        duration_seconds + 60 as duration_seconds,
        case when chance(id, 'module', 3) = 0 then 'automation' else module end
            as module
        """,
    ),
    "tickets": (
        "ticket_id",
        """
        case when chance(id, 'category', 2) = 0 then category end as category,
        case when chance(id, 'answer', 2) = 0 then first_response_at end
            as first_response_at,
        case when chance(id, 'resolved', 2) = 0 then resolved_at end as resolved_at,
        case when chance(id, 'csat', 2) = 0 then csat end as csat
        """,
    ),
    "touches": (
        "touch_id",
        """
        case when chance(id, 'control', 5) = 0 then not is_control else is_control end
            as is_control,
        case when chance(id, 'open', 2) = 0 then opened_at + to_days(45) end
            as opened_at,
        case when chance(id, 'click', 2) = 0 then clicked_at + to_days(45) end
            as clicked_at,
        case when chance(id, 'offer', 2) = 0 then offer end as offer
        """,
    ),
    "customers": (
        "customer_id",
        """
        signed_up_at - to_days(chance(id, 'day', 40)) as signed_up_at,
        'Atlantis' as country,
        birth_year - 1 as birth_year
        """,
    ),
}

#: One row in five has two versions and one in ten three; one in seven may come late,
#: and one order in fifty was told of before its day.
TOLD_AGAIN = """
create table told_again as
with
numbered as (
    select *, {id} as id from input.input_{entity}
),
placed as (
    select
        *,
        1 + chance(id, 'step', 50) as step,
        case chance(id, 'versions', 10) when 0 then 3 when 1 then 2 when 2 then 2 else 1
        end as versions_count,
        cast(
            known_date
            + case when chance(id, 'late', 7) = 0 then chance(id, 'how late', 40) else 0
            end
            - case
                when '{entity}' = 'orders' and chance(id, 'early', 50) = 0 then 5 else 0
            end as date
        ) as first_known_date
    from numbered
    where known_date is not null
),
versions as (
    select
        *,
        cast(unnest(generate_series(1, versions_count)) as integer) as version_number
    from placed
),
dated as (
    select
        * replace (
            first_known_date + (version_number - 1) * step as known_date,
            case
                when version_number < versions_count
                    then first_known_date + version_number * step
            end as superseded_date,
            loaded_at + to_days((version_number - 1) * step) as loaded_at
        )
    from versions
),
told as (
    select * from dated where version_number = versions_count
    union all by name
    select * replace ({earlier}) from dated where version_number < versions_count
)
select * exclude (id, step, versions_count, first_known_date, version_number)
from told
union all by name
select * from input.input_{entity} where known_date is null;
"""

#: Some customers have a second subscription, and some prices are not told.
SECOND_SUBSCRIPTIONS = """
create table told_again as
select * replace (
    case when chance(subscription_id, 'price', 9) = 0 then null else mrr end as mrr
)
from input.input_subscriptions
union all by name
select * replace (
    subscription_id || ' second' as subscription_id,
    'second' as plan,
    cast(mrr * 2 as decimal(18, 2)) as mrr,
    ended_at + to_days(30) as ended_at,
    contract_ends_at - to_days(20) as contract_ends_at
)
from input.input_subscriptions
where chance(customer_id, 'second', 6) = 0
"""

MODELS = [
    "int_event_days",
    "int_event_day_states",
    "int_named_customers",
    "path:models/intermediate/days",
    "path:models/features",
]


def tell_again(build: Build, home: Path) -> Build:
    """Copy what was built, tell its rows again, and run the features over them."""
    (home / "warehouse").mkdir(parents=True)
    again = Build(home, 0, "", "", build.connector)
    shutil.copy(build.file, again.file)
    with duckdb.connect(str(again.file)) as connection:
        connection.execute(CHANCES)
        for entity in [*EARLIER, "subscriptions"]:
            if entity == "subscriptions":
                connection.execute(SECOND_SUBSCRIPTIONS)
            else:
                key, earlier = EARLIER[entity]
                connection.execute(
                    TOLD_AGAIN.format(entity=entity, id=key, earlier=earlier)
                )
            replace_input(connection, f"input_{entity}")
        connection.execute("drop macro chance")
    return run_features(again)


def replace_input(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    (kind,) = connection.execute(
        "select table_type from information_schema.tables "
        "where table_schema = 'input' and table_name = ?",
        [name],
    ).fetchone()
    connection.execute(f"drop {'view' if kind == 'VIEW' else 'table'} input.{name}")
    connection.execute(f"create table input.{name} as from told_again")
    connection.execute("drop table told_again")


def run_features(build: Build, project: Path = ROOT) -> Build:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("PERENNIAL_")}
    finished = subprocess.run(
        [
            str(Path(sys.executable).parent / "dbt"),
            "--quiet",
            "run",
            "--full-refresh",
            f"--target-path={build.home / 'target'}",
            f"--log-path={build.home / 'logs'}",
            "--select",
            *MODELS,
            "--exclude",
            "feature_statistics",
        ],
        cwd=project,
        env={
            **inherited,
            "PERENNIAL_HOME": str(build.home),
            "PERENNIAL_CONNECTOR": build.connector,
        },
        capture_output=True,
        text=True,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return build
