"""Inside somebody else's dbt project, whose staging model is the connector."""

import os
import subprocess
import sys
from pathlib import Path

import duckdb
from conftest import ROOT, SHORT
from shop import install_shop

PROJECT = """
name: shop
version: 1.0.0
profile: shop
model-paths: [models]
vars: {connector: shop, horizons_days: [60], purchase_model: mbg_nbd}
flags: {send_anonymous_usage_stats: false}
"""

PROFILE = """
shop:
  target: local
  outputs:
    local: {type: duckdb, path: shop.duckdb, threads: 2}
"""

# 300 customers, of whom each third stays away early; 2,400 orders over 500 days
ORDERS = """
with numbers as (
    select i, cast(hash(i) % 1000 as integer) as chance from range(2400) as t (i)
)
select
    'order ' || i as order_id,
    'customer ' || (i % 300) as customer_id,
    timestamp '2024-01-01' + to_days(
        case when i % 3 = 0 then chance // 10 else chance // 2 end
    ) as ordered_at,
    cast(10 + chance / 100 as decimal(18, 2)) as amount,
    'shop' as source_file,
    i as source_line,
    'as delivered' as source_text
from numbers
"""


def dbt(*arguments: str, folder: Path) -> None:
    finished = subprocess.run(
        [Path(sys.executable).parent / "dbt", *arguments],
        cwd=folder,
        env={k: v for k, v in os.environ.items() if not k.startswith("PERENNIAL_")},
        capture_output=True,
        text=True,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr


def test_the_marts_are_built_from_the_adopters_staging_model(tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "dbt_project.yml").write_text(PROJECT)
    (tmp_path / "profiles.yml").write_text(PROFILE)
    (tmp_path / "packages.yml").write_text(f"packages: [{{local: {ROOT}}}]")
    (tmp_path / "models" / "stg_shop__orders.sql").write_text(ORDERS)
    dbt("deps", folder=tmp_path)
    dbt("build", folder=tmp_path)
    with duckdb.connect(str(tmp_path / "shop.duckdb"), read_only=True) as connection:
        orders, customers, scores = connection.execute(
            "select (select count(*) from marts.fct_orders), "
            "(select count(*) from marts.dim_customers), "
            "(select count(*) from marts.clv_scores where expected_value is not null)"
        ).fetchone()
    assert orders == 2400
    # the newest day counts as incomplete, unless the connector says otherwise
    assert 0 <= customers - scores <= 1
    assert customers == 300


def test_a_project_with_models_seeds_and_hooks_of_its_own_is_not_disturbed(tmp_path):
    """Its settings hold, its schemas and hooks stay, and it reads our marts."""
    folder = install_shop(tmp_path / "bakery", ROOT / "tests" / "package_use")
    dbt("build", "--exclude", *SHORT, folder=folder)
    with duckdb.connect(str(folder / "bakery.duckdb"), read_only=True) as connection:

        def row(query: str) -> tuple:
            (found,) = connection.execute(query).fetchall()
            return found

        (own,) = row(
            "select list(table_name order by table_name) from duckdb_tables()"
            " where schema_name = 'main'"
        )
        assert own == [
            "best_customers",
            "run_ended",
            "sales",
            "stg_bakery__customers",
            "stg_bakery__orders",
        ]
        # our hook says nothing in a session that is not ours
        assert row("select may_read_files, is_locked from main.run_ended") == (
            True,
            False,
        )
        sold = row(
            "select count(*) filter (where pence > 0),"
            " count(*) filter (where pence < 0), sum(pence)"
            " from main.sales where card is not null"
        )
        assert sold == row(
            "select count(*) filter (where kind = 'purchase'),"
            " count(*) filter (where kind = 'refund'), sum(amount) * 100"
            " from marts.fct_orders"
        )
        assert row(
            "select exclude_reason, count(*) from input.excluded_rows group by all"
        ) == ("guest", 40)
        assert row("select list(distinct horizon_days) from marts.clv_scores") == (
            [60],
        )
        assert row(
            "select count(*), count(*) filter (where expected_value > 0)"
            " from main.best_customers"
        ) == (10, 10)
        assert row(
            "select list(distinct country), bool_or(is_orphan)"
            " from input.input_customers"
        ) == (["GB"], False)
