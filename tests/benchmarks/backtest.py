"""The tables of the backtest of a company with half a million customers.

What candidates said is drawn: eight candidates, and six origins with as many customers
as the demo company of half a million has in scope, two of five on average.
"""

import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
from measuring import MEMORY_LIMIT, ROOT, THREADS, cpu_seconds, told, write_part

CUSTOMERS, ORIGINS = 200_000, 6

CANDIDATES = (
    *("base_rate", "recency_rule", "bg_nbd", "logistic_six"),
    *("logistic", "xgboost", "lightgbm", "mean_of_two"),
)

#: Seconds that the metrics, their intervals and all before them may take.
MOST_SECONDS = 60

#: The models that are measured, with what they are for.
STEPS = {
    "eval_churn_cases": "cases and segments",
    "eval_churn_customers": "cases and segments",
    "eval_churn_ranks": "customers in the order of each score, in each segment",
    "eval_churn_bins": "sums by tenth",
    "eval_churn_metrics": "metrics of every segment",
    "eval_churn_draws": "draws for the intervals of all",
    "churn_backtest_metrics": "the mart",
}

_SEGMENTS = """
    create schema features;
    create schema training;
    create table features.feat_customers as
    select
        'C' || lpad(cast(i as varchar), 7, '0') as customer_id,
        date '2024-03-31' + cast(91 * origin as integer) as as_of_date,
        ['solo', 'team', 'enterprise'][cast(1 + hash(i + 5) % 3 as integer)] as segment,
        ['ads', 'web', 'partner', 'sales'][cast(1 + hash(3 * i) % 4 as integer)]
            as acquisition_channel,
        ['DE', 'FR', 'US', 'GB', 'BR'][cast(1 + hash(7 * i) % 5 as integer)] as country
    from range({customers}) as t (i), range({origins}) as o (origin);
    create table features.feat_subscription as
    select
        customer_id,
        as_of_date,
        ['starter', 'team', 'business'][cast(1 + hash(customer_id) % 3 as integer)]
            as plan,
        cast(hash(customer_id, as_of_date) % 1000 as integer)
            as subscription_tenure_days
    from features.feat_customers;
    create table features.feat_purchases as
    select customer_id, as_of_date, 100 as days_since_first_order
    from features.feat_customers;
    create table training.train_examples as
    select customer_id, as_of_date, true as is_test_date
    from features.feat_customers;
"""

_PREDICTIONS = """
    create schema evaluations;
    create table evaluations.eval_churn_predictions as
    with risks as (
        select
            customer_id,
            as_of_date,
            ln(u / (1 - u)) / 2 - 2.5 as risk,
            hash(customer_id, as_of_date, 'chance') % 1000000 / 1e6
            < 1 / (1 + exp(-risk)) as is_positive
        from (
            select *, (hash(customer_id, as_of_date) % 999998 + 1) / 1e6 as u
            from features.feat_customers
        )
    )
    select
        'in_scope' as population,
        'churn' as task,
        model_name,
        as_of_date,
        cast(90 as bigint) as horizon_days,
        customer_id,
        case model_name
            when 'base_rate' then -2.5
            when 'recency_rule' then cast(risk * 20 as integer) / 20
            else round(risk + hash(customer_id, model_name) % 1000000 / 2e6, 9)
        end as raw_score,
        cast(1 / (1 + exp(-raw_score)) as decimal(18, 6)) as probability,
        is_positive,
        true as is_in_scope
    from risks, (select unnest({candidates}) as model_name)
"""


def measure_backtest(folder: Path) -> None:
    """Measure, and write the part of the page."""
    home = folder / "home-backtest"
    shutil.rmtree(home, ignore_errors=True)
    (home / "warehouse").mkdir(parents=True)
    told(f"drawing what was said of {CUSTOMERS:,} customers on {ORIGINS} origins")
    with duckdb.connect(str(home / "warehouse" / "demo.duckdb")) as connection:
        connection.execute(f"set threads = {THREADS}")
        connection.execute(_SEGMENTS.format(customers=CUSTOMERS, origins=ORIGINS))
        connection.execute(_PREDICTIONS.format(candidates=list(CANDIDATES)))
        ((rows,),) = connection.execute(
            "select count(*) from evaluations.eval_churn_predictions"
        ).fetchall()
    told(f"measuring the backtest of {rows:,} scores")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ended = subprocess.run(
        [
            *(Path(sys.executable).parent / "dbt", "run", "--threads", "1"),
            *("--select", *STEPS),
            *("--target-path", home / "target", "--log-path", home / "logs"),
        ],
        cwd=ROOT,
        env=os.environ
        | {
            "PERENNIAL_HOME": str(home),
            "PERENNIAL_CONNECTOR": "demo",
            "PERENNIAL_THREADS": str(THREADS),
            "PERENNIAL_MEMORY_LIMIT": MEMORY_LIMIT,
        },
        capture_output=True,
        text=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if ended.returncode:
        sys.exit(ended.stdout + ended.stderr)
    results = json.loads((home / "target" / "run_results.json").read_text())["results"]
    seconds = {
        node["unique_id"].split(".")[-1]: node["execution_time"] for node in results
    }
    # one model after the other, so that their seconds add up
    table = table_of_backtest(
        rows, seconds, cpu_seconds(before, after), after.ru_maxrss / 1024
    )
    write_part("backtest", "Drawn scores of eight candidates, 200 draws", table)
    (home / "warehouse" / "demo.duckdb").unlink()


def table_of_backtest(
    rows: int, seconds: dict[str, float], processor: float, memory: float
) -> list[str]:
    """Render what was measured of the backtest."""
    lines = [
        "| step | seconds | limit | processor seconds | peak memory, MB |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for step in dict.fromkeys(STEPS.values()):
        took = sum(seconds[name] for name, what in STEPS.items() if what == step)
        lines.append(f"| {step} | {took:.1f} | | | |")
    lines.append(
        f"| all of it, of {rows:,} scores on {ORIGINS} origins "
        f"| {sum(seconds.values()):.1f} | {MOST_SECONDS} s | {processor:.1f} "
        f"| {memory:,.0f} |"
    )
    return lines
