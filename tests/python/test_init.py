"""A connector for somebody's own tables: proposed with its doubts, written, built."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from conftest import PERENNIAL, ROOT, SHORT, Build
from shop import INPUT, write_rows
from test_databases import PASSWORD, server  # noqa: F401

from perennial.faults import Fault
from perennial.init import Place, doubts, files, look, propose
from perennial.init.roles import NAMES
from perennial.init.tables import tables_of
from perennial.macros import contract, macros_of

pytestmark = pytest.mark.own_data

REAL = (
    Path(os.environ.get("PERENNIAL_TEST_DATA", ROOT.parent / "shared" / "data"))
    / "online_retail"
    / "online_retail_2010_2011.parquet"
)


@dataclass(frozen=True)
class Clone:
    """A copy of the project, as a newcomer has it, with a home of its own."""

    root: Path

    def run(self, *arguments: str, text: str | None = None, **environment: str):
        kept = {k: v for k, v in os.environ.items() if not k.startswith("PERENNIAL_")}
        return subprocess.run(
            [PERENNIAL, *map(str, arguments)],
            cwd=self.root,
            env=kept | {"COLUMNS": "200"} | environment,
            capture_output=True,
            text=True,
            input=text,
        )

    def init(self, *arguments: str) -> str:
        finished = self.run("init", "own", *arguments, "--yes")
        assert finished.returncode == 0, finished.stdout + finished.stderr
        return finished.stdout

    def build(self, *selection: str, **environment: str) -> Build:
        whole = ("--exclude", "resource_type:unit_test", *SHORT)
        selected = selection or whole
        finished = self.run(
            *("build", "--connector=own", "--"), *selected, **environment
        )
        return Build(
            self.root, finished.returncode, finished.stdout, finished.stderr, "own"
        )

    def built(self, *selection: str, **environment: str) -> Build:
        build = self.build(*selection, **environment)
        assert build.exit_code == 0, build.output + build.errors
        return build

    def files(self) -> dict[str, str]:
        """Files of the project, with what they hold."""
        kept = ("logs", "target", "warehouse")
        return {
            str(path.relative_to(self.root)): hashlib.sha256(
                path.read_bytes()
            ).hexdigest()
            for path in sorted(self.root.rglob("*"))
            if path.is_file() and path.relative_to(self.root).parts[0] not in kept
        }

    def text(self, name: str) -> str:
        return (self.root / "models" / "staging" / "own" / name).read_text()


def make_clone(root: Path) -> Clone:
    root.mkdir(parents=True)
    for name in ("dbt_project.yml", "profiles.yml", ".dbtignore", ".sqlfluff"):
        shutil.copy(ROOT / name, root / name)
    for name in ("models", "python_models", "macros", "seeds", "analyses"):
        skip = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, root / name, ignore=skip)
    for name in ("generic", "lint"):
        shutil.copytree(ROOT / "tests" / name, root / "tests" / name)
    for law in (ROOT / "tests").glob("*.sql"):
        shutil.copy(law, root / "tests" / law.name)
    return Clone(root)


@pytest.fixture
def clone(tmp_path) -> Clone:
    return make_clone(tmp_path / "perennial")


def query(sql: str) -> list[tuple]:
    with duckdb.connect() as connection:
        return connection.execute(sql).fetchall()


def write(file: Path, sql: str, options: str = "format csv, header true") -> Path:
    """Write the rows of a query, `i` counting from 0."""
    file.parent.mkdir(parents=True, exist_ok=True)
    query(f"copy ({sql}) to '{file}' ({options})")
    return file


def lines(file: Path, *rows: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{row}\n" for row in rows))
    return file


def verdicts(build: Build, entity: str = "orders") -> tuple:
    """Lines of a domain: delivered, accepted, excluded, refused."""
    return build.row(
        "select lines_count, accepted_lines_count, excluded_lines_count,"
        " refused_lines_count from input.input_coverage where entity = ?",
        entity,
    )


def lint(clone: Clone) -> None:
    finished = subprocess.run(
        [
            Path(sys.executable).parent / "sqlfluff",
            *("lint", "--disable-progress-bar"),
            *("models/staging/own", "macros/connectors"),
        ],
        cwd=clone.root,
        capture_output=True,
        text=True,
    )
    assert finished.returncode == 0, finished.stdout


# ---- the real shop ------------------------------------------------------------------


@pytest.fixture(scope="module")
def real(tmp_path_factory) -> tuple[Clone, Build, str]:
    if not REAL.exists():
        pytest.skip(f"{REAL} is not there: say where it lies with PERENNIAL_TEST_DATA")
    clone = make_clone(tmp_path_factory.mktemp("real") / "perennial")
    before = clone.files()
    told = clone.init("--orders", str(REAL))
    after = clone.files()
    assert {name: after[name] for name in before} == before
    return clone, clone.built(), told


def test_the_totals_of_a_real_shop_hold_to_the_penny(real):
    """19,959 orders, of which 18,532 of known customers; a refund stays a refund."""
    _, build, _ = real
    found = build.rows(
        "select kind, exclude_reason, count(*), sum(amount)"
        " from staging.stg_own__orders group by all order by all"
    )
    amounts = {(kind, reason): (n, total) for kind, reason, n, total in found}
    assert amounts["purchase", None] == (18_532, Decimal("8911407.90"))
    assert amounts["refund", None] == (3_654, Decimal("-611342.09"))
    purchases = sum(
        n
        for (kind, reason), (n, _) in amounts.items()
        if kind == "purchase" and reason in (None, "guest", "fee")
    )
    assert purchases == 19_959
    refunds = [
        total
        for (kind, reason), (_, total) in amounts.items()
        if kind == "refund" and reason != "adjustment"
    ]
    assert sum(refunds).quantize(Decimal(1)) == -896_812
    assert sum(n for n, _ in amounts.values()) == 25_900
    total = sum(total for _, total in amounts.values())
    (expected,) = query(
        "select cast(round(sum(cast(Price as decimal(18, 3)) * Quantity), 2)"
        f" as decimal(18, 2)) from '{REAL}'"
    )[0]
    assert total.quantize(Decimal("0.1")) == Decimal("9747747.9")
    # each invoice is rounded once, so half-pennies of single lines add up differently
    assert abs(total - expected) <= Decimal("0.05")


def test_what_is_no_order_of_a_customer_is_set_aside_and_counted(real):
    _, build, _ = real
    found = dict(
        build.rows(
            "select exclude_reason, count(*) from input.excluded_rows group by all"
        )
    )
    assert found == {"adjustment": 3, "fee": 59, "guest": 1_550, "zero_invoice": 2_102}
    delivered, accepted, excluded, refused = verdicts(build)
    assert delivered == 541_909 == accepted + excluded + refused
    assert (accepted, refused) == (406_822, 0)


def test_the_marts_hold_the_accepted_orders_and_score_the_customers(real):
    _, build, _ = real
    assert build.rows(
        "select kind, count(*), sum(amount) from marts.fct_orders group by kind"
        " order by kind"
    ) == [
        ("purchase", 18_532, Decimal("8911407.90")),
        ("refund", 3_654, Decimal("-611342.09")),
    ]
    scored, unscored = build.row(
        "select count(*) filter (where expected_value is not null),"
        " count(*) filter (where expected_value is null)"
        " from marts.clv_scores where horizon_days = 90"
    )
    assert scored > 4_300
    assert unscored < 40


def test_an_amount_is_exact_whatever_binary_fractions_make_of_it(real):
    """Of every invoice the sum of its lines in decimals, rounded once."""
    _, build, _ = real
    wrong = build.row(
        f"""
        select count(*) from staging.stg_own__orders as staged
        full join (
            select
                Invoice as order_id,
                round(sum(cast(Price as decimal(18, 3)) * Quantity), 2) as amount,
                min(InvoiceDate) as ordered_at
            from '{REAL}' group by Invoice
        ) as raw on staged.order_id = raw.order_id
        where staged.amount is distinct from raw.amount
            or staged.ordered_at is distinct from raw.ordered_at
        """
    )
    assert wrong == (0,)


@pytest.mark.parametrize(
    "trap",
    [
        "CustomerID is not always there: 24.9%",
        "1,550 invoices name no customer: set aside as guest",
        "begins with C is taken as a refund",
        "begins with A is neither sale nor refund: 3 are set aside",
        "2,102 invoices come to 0",
        "AMAZONFEE, BANK CHARGES",
        "times that name no zone",
        "no backtest can judge it",
        "customers: Who has a row elsewhere",
    ],
)
def test_traps_of_the_real_shop_are_told(real, trap):
    clone, _, told = real
    assert trap in told
    assert trap in clone.text("README.md").replace("**", "")


@pytest.mark.parametrize(
    "trap", ["cancelled within minutes", "Postage", "repeat another", "wholesalers"]
)
def test_traps_that_no_look_can_find_are_told_in_the_readme(real, trap):
    clone, _, _ = real
    assert trap in clone.text("README.md")


def test_the_models_of_invoice_lines_pass_the_linter(real):
    lint(real[0])


def test_every_column_that_init_writes_is_described(real):
    _, build, _ = real
    manifest = build.manifest
    staging = [
        node
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and node["config"]["schema"] == "staging"
    ]
    assert {node["name"] for node in staging} == {
        "base_own__invoices",
        "stg_own__orders",
    }
    for node in staging:
        actual = {
            name
            for (name,) in build.rows(
                "select column_name from information_schema.columns"
                " where table_schema = 'staging' and table_name = ?",
                node["name"],
            )
        }
        assert set(node["columns"]) == actual
        assert all(one["description"].strip() for one in node["columns"].values())
        assert node["description"].strip()
    assert manifest["macros"]["macro.perennial.own__settings"]["description"]


# ---- shapes -------------------------------------------------------------------------


def test_plain_orders_are_renamed_and_their_words_translated(clone, tmp_path):
    """Day first, thousands with commas, words of their own, guests."""
    file = write(
        tmp_path / "sales.csv",
        """
        select
            'S' || i as "Order Number",
            case when i % 50 > 0 then 'c' || i % 30 end as "Customer No",
            strftime(date '2024-01-13' + i::integer, '%d/%m/%Y') as "Order Date",
            case when i = 199 then '12,50' else format('{:,.2f}', 900.5 + i * 10) end
                as "Order Total",
            case when i % 10 = 3 then 'Return' else 'Sale' end as "Type",
            case when i % 20 = 7 then 'DECLINED' when i % 20 = 8 then 'pending'
                else 'Paid' end as "Payment Status",
            'eur' as "Currency"
        from range(200) as t (i)
        """,
    )
    told = clone.init("--orders", file)
    assert "has commas between thousands, which are taken out" in told
    assert "set aside as not_paid" in told
    assert "2.0% of the rows name no customer" in told
    build = clone.built("--select", "+int_score_date", *INPUT[1:])
    assert verdicts(build) == (200, 185, 14, 1)
    assert build.rows(
        "select exclude_reason, count(*) from input.excluded_rows"
        " group by all order by 1"
    ) == [("guest", 4), ("not_paid", 10)]
    assert build.rows(
        "select order_id, customer_id, ordered_at::varchar, amount, kind, currency,"
        " status from input.input_orders where order_id in ('S10', 'S13', 'S7')"
        " order by order_id"
    ) == [
        ("S10", "c10", "2024-01-23 00:00:00", Decimal("1000.50"), "purchase", "EUR",
         "completed"),
        ("S13", "c13", "2024-01-26 00:00:00", Decimal("-1030.50"), "refund", "EUR",
         "completed"),
        ("S7", "c7", "2024-01-20 00:00:00", Decimal("970.50"), "purchase", "EUR",
         "failed"),
    ]  # fmt: skip
    lint(clone)
    # mere days: the newest one is whole
    (score_date,) = build.row("select score_date from intermediate.int_score_date")
    assert str(score_date) == "2024-07-29"


def test_lines_of_invoices_are_added_up_and_an_unreadable_one_refuses_its_invoice(
    clone, tmp_path
):
    good = (
        f"{1000 + i},SKU{i % 7},2,{i % 9 + 1}.25,2024-0{i % 9 + 1}-05 10:00,k{i % 40}"
        for i in range(300)
        for _ in range(3)
    )
    lines(
        tmp_path / "exports" / "lines_2024_01.csv",
        "InvoiceNo,SKU,Qty,UnitPrice,InvoiceDate,ClientId",
        *good,
        # one line of 5000 cannot be read: the whole of it would be too little
        "5000,SKU1,1,9.99,2024-02-01 10:00:00,k1",
        "5000,SKU1,one,9.99,2024-02-01 10:00:00,k1",
        # 5001 goes on in the next file, 5002 names two customers
        "5001,SKU1,1,0.10,2024-02-02 10:01:00,k1",
        "5002,SKU1,1,1.00,2024-02-02 10:00:00,k1",
        "5002,SKU1,1,1.00,2024-02-02 10:00:00,k2",
        # 0.105 twice is 0.21: rounded line by line it would be 0.22
        "5006,SKU1,1,0.105,2024-02-02 10:00:00,k3",
        "5006,SKU1,1,0.105,2024-02-02 10:00:00,k3",
        "CR77,SKU1,-2,1.25,2024-02-03 10:00:00,k1",
        "CR78,SKU1,-1,1.25,2024-02-03 10:00:00,k2",
        "5003,SKU1,1,4.00,2024-02-02 10:00:00,",
        "5004,PLATFORM FEE,1,4.00,2024-02-02 10:00:00,",
        "5005,SKU1,0,4.00,2024-02-02 10:00:00,k3",
        ",SKU1,1,4.00,2024-02-02 10:00:00,k3",
    )
    lines(
        tmp_path / "exports" / "lines_2024_02.csv",
        "InvoiceNo,SKU,Qty,UnitPrice,InvoiceDate,ClientId",
        "5001,SKU2,3,0.10,2024-02-02 10:00:00,k1",
        *(f"{7000 + i},SKU3,1,5.00,2024-03-01 10:00:00,k{i}" for i in range(40)),
    )
    told = clone.init("--orders", tmp_path / "exports" / "lines_*.csv")
    assert "1 invoices name several customers: they are refused" in told
    assert "PLATFORM FEE are taken as fees" in told
    build = clone.built(*INPUT, "--vars", '{"refused_rows_threshold": 0.05}')
    assert verdicts(build) == (954, 945, 4, 5)
    assert build.rows(
        "select reject_reason, sum(source_lines_count) from input.quarantine"
        " group by all order by all"
    ) == [
        ("conflicting_duplicate", 2),
        ("missing_order_id", 1),
        ("unreadable_Qty", 2),
    ]
    assert build.rows(
        "select exclude_reason, source_file, source_lines_count"
        " from input.excluded_rows order by all"
    ) == [
        ("fee", "lines_2024_01.csv", 1),
        ("further_file_of_invoice", "lines_2024_02.csv", 1),
        ("guest", "lines_2024_01.csv", 1),
        ("zero_invoice", "lines_2024_01.csv", 1),
    ]
    assert build.rows(
        "select order_id, amount, kind, ordered_at::varchar from input.input_orders"
        " where order_id in ('1000', '5001', '5006', 'CR77') order by order_id"
    ) == [
        ("1000", Decimal("7.50"), "purchase", "2024-01-05 10:00:00"),
        ("5001", Decimal("0.40"), "purchase", "2024-02-02 10:00:00"),
        ("5006", Decimal("0.21"), "purchase", "2024-02-02 10:00:00"),
        ("CR77", Decimal("-2.50"), "refund", "2024-02-03 10:00:00"),
    ]
    # a later file is read alone, and the invoices of the others stay
    lines(
        tmp_path / "exports" / "lines_2024_03.csv",
        "InvoiceNo,SKU,Qty,UnitPrice,InvoiceDate,ClientId",
        "8000,SKU3,2,5.00,2024-04-01 10:00:00,k1",
    )
    build = clone.built(*INPUT, "--vars", '{"refused_rows_threshold": 0.05}')
    assert verdicts(build) == (955, 946, 4, 5)
    assert build.rows(
        "select distinct reading_id from staging.base_own__invoices order by 1"
    ) == [(1,), (2,), (3,)]


@pytest.mark.slow
def test_a_folder_of_subscriptions_and_usage_is_told_apart_by_its_names(
    clone, tmp_path
):
    folder = tmp_path / "exports"
    for entity in ("customers", "subscriptions", "events", "tickets", "touches"):
        moved = write_rows(tmp_path / "made", entity, file_format="csv")
        folder.mkdir(exist_ok=True)
        shutil.move(moved, folder / f"{entity}.csv")
    (folder / "notes.csv").write_text("a,b\n1,2\n")
    told = clone.init("--from", folder)
    assert "notes: no domain is called so, and it is not used" in told
    assert "250 customers subscribed, and 50 periods ended" in told
    assert "without orders no value is expected" in told
    build = clone.built(*INPUT)
    assert verdicts(build, "subscriptions") == (250, 250, 0, 0)
    assert verdicts(build, "events") == (3000, 3000, 0, 0)
    assert verdicts(build, "customers") == (300, 300, 0, 0)
    assert verdicts(build, "tickets") == (200, 200, 0, 0)
    assert verdicts(build, "touches") == (600, 600, 0, 0)
    assert build.row(
        "select is_delivered from input.input_coverage where entity = 'orders'"
    ) == (False,)
    assert build.row(
        "select plan, mrr, ended_at::varchar from input.input_subscriptions"
        " where subscription_id = 'subscription 5'"
    ) == ("basic", Decimal("20.00"), "2024-06-01 00:00:00")


def test_subscription_periods_alone_are_enough(clone, tmp_path):
    file = write(
        tmp_path / "contracts.jsonl",
        """
        select
            i as id, 'a' || i as account_id, timestamp '2024-01-01' + to_days(
                cast(i as integer)) as start_date, 'pro' as plan_name,
            19.90 as monthly_price,
            case when i % 4 = 0 then timestamp '2024-08-01' end as canceled_at
        from range(80) as t (i)
        """,
        "format json",
    )
    told = clone.init("--subscriptions", file)
    assert "fewer than 50 periods ended" in told
    build = clone.built(*INPUT)
    assert verdicts(build, "subscriptions") == (80, 80, 0, 0)
    assert build.row(
        "select count(ended_at), min(mrr), max(customer_id)"
        " from input.input_subscriptions"
    ) == (20, Decimal("19.90"), "a9")


def test_other_settings_than_dbt_has_parsed_are_parsed_anew(clone, tmp_path):
    """Who starts again with more domains is not told of refs that dbt did not see."""
    files = tmp_path / "files"
    for entity in ("orders", "touches"):
        write_rows(files, entity)
    selected = ("--select", "+int_delivered_orders", "+int_delivered_touches")
    run = (*selected, "--exclude", "resource_type:test", "resource_type:unit_test")
    clone.init("--orders", files / "orders")
    clone.built(*run)
    for made in ("models/staging/own", "macros/connectors"):
        shutil.rmtree(clone.root / made)
    clone.init("--orders", files / "orders", "--touches", files / "touches")
    build = clone.built(*run)
    assert build.row("select count(*) > 0 from staging.stg_own__touches") == (True,)


@pytest.mark.slow
def test_an_export_of_a_payment_service_has_cents_and_seconds_since_1970(
    clone, tmp_path
):
    folder = tmp_path / "stripe"
    second = 1_704_103_200  # 2024-01-01 10:00:00 UTC
    write(
        folder / "customers.csv",
        f"select 'cus_' || i as id, 'p' || i || '@example.com' as email,"
        f" {second} + i as created from range(40) as t (i)",
    )
    write(
        folder / "charges.csv",
        f"select 'ch_' || i as id, 'cus_' || i % 40 as customer, 1999 as amount,"
        f" 'usd' as currency, {second} + i * 86400 as created,"
        " case when i % 25 = 4 then 'failed' else 'succeeded' end as status"
        " from range(300) as t (i)",
    )
    write(
        folder / "invoices.csv",
        f"select 'in_' || i as id, 'cus_1' as customer, 1 as total, {second} as created"
        " from range(30) as t (i)",
    )
    write(
        folder / "subscriptions.csv",
        f"select 'sub_' || i as id, 'cus_' || i as customer, {second} as start_date,"
        " 1999 as plan_amount, 'active' as status,"
        f" case when i % 2 = 0 then {second} + 864000 end as ended_at"
        " from range(40) as t (i)",
    )
    told = clone.init("--from", folder)
    assert "amount is read as hundredths (cents): 1999 is 19.99" in told
    assert "created is read as seconds since 1970" in told
    assert "invoices is not used: orders come from charges" in told
    lint(clone)
    build = clone.built(*INPUT)
    assert build.row(
        "select amount, ordered_at::varchar, currency, status from input.input_orders"
        " where order_id = 'ch_4'"
    ) == (Decimal("19.99"), "2024-01-05 10:00:00", "USD", "failed")
    assert build.row(
        "select mrr, started_at::varchar, ended_at::varchar from"
        " input.input_subscriptions where subscription_id = 'sub_2'"
    ) == (Decimal("19.99"), "2024-01-01 10:00:00", "2024-01-11 10:00:00")
    assert build.row(
        "select count(*), min(signed_up_at)::varchar from input.input_customers"
    ) == (40, "2024-01-01 10:00:00")


def test_tables_of_a_duckdb_file_are_attached_for_the_build(clone, tmp_path):
    file = tmp_path / "attic.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute("create schema sales")
        connection.execute(
            "create table sales.orders as select i as order_id, i % 40 as customer_id,"
            " timestamptz '2024-01-01 10:00:00+00' + to_days(cast(i as integer))"
            " as ordered_at, cast(9.5 as decimal(18, 2)) as amount"
            " from range(200) as t (i)"
        )
    told = clone.init("--orders", f"{file}#sales.orders")
    (attach,) = [line for line in told.splitlines() if "PERENNIAL_ATTACH" in line]
    value = attach.split("=", 1)[1].strip("'")
    build = clone.built(*INPUT, PERENNIAL_ATTACH=value)
    assert verdicts(build) == (200, 200, 0, 0)
    refused = clone.build(*INPUT)
    assert refused.exit_code != 0
    assert "own_raw" in refused.output + refused.errors


def test_a_table_of_postgresql_is_attached_and_its_password_written_nowhere(
    clone,
    server,  # noqa: F811
):
    server.execute(
        "create table own_orders as select i as order_id, i % 40 as customer_id,"
        " timestamptz '2024-01-01 10:00:00+00' + i * interval '1 day' as ordered_at,"
        " cast(9.5 as numeric(18, 2)) as amount from generate_series(0, 199) as i",
        "shop",
    )
    address = f"postgresql://owner@/shop?host={server.folder}"
    finished = clone.run(
        *("init", "own", "--orders", f"{address}#own_orders", "--yes"),
        PGPASSWORD=PASSWORD,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    (attach,) = [x for x in finished.stdout.splitlines() if "PERENNIAL_ATTACH" in x]
    value = attach.split("=", 1)[1].strip("'")
    build = clone.built(*INPUT, PERENNIAL_ATTACH=value, PGPASSWORD=PASSWORD)
    assert verdicts(build) == (200, 200, 0, 0)
    assert build.row("select sum(amount) from input.input_orders") == (Decimal(1900),)
    for name in clone.files():
        assert PASSWORD.encode() not in (clone.root / name).read_bytes()


def test_a_password_in_an_address_is_shown_nowhere():
    address = "postgresql://reader:secret@host:5432/shop#sales.orders"
    place = Place.find(address)
    assert place.told == "postgresql://reader@host:5432/shop#sales.orders"
    assert (place.schema, place.table) == ("sales", "orders")


@pytest.mark.parametrize("ask", [tables_of, lambda text: look({"orders": text})])
def test_a_server_that_does_not_answer_is_told_without_the_password(server, ask):  # noqa: F811
    address = "postgresql://reader:secret@localhost:1/shop"
    with pytest.raises(Fault, match=r"reader@localhost:1/shop.*refused") as told:
        ask(address if ask is tables_of else Place.find(f"{address}#orders"))
    assert "secret" not in str(told.value)


# ---- doubts -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "row", "doubt"),
    [
        (
            "order_id,customer_id,created_at,order_date,amount",
            "{i},c{c},2024-01-{d:02d},2024-01-{d:02d},9.50",
            "ordered_at is order_date (0.99), and could be created_at (0.87)",
        ),
        (
            "order_id,customer_id,order_date,amount",
            "{i},{half},2024-01-{d:02d},9.50",
            "customer_id is half empty: 50.0% of the rows have no customer_id",
        ),
        (
            "order_id,customer_id,order_date,amount",
            '{i},c{c},2024-01-{d:02d},"1,234.50"',
            "amount has commas between thousands, which are taken out, as in '1,234",
        ),
        (
            "order_id,customer_id,order_date,amount",
            '{i},c{c},2024-01-{d:02d},"1.234,50"',
            "amount has a decimal comma, which is read as a point, as in '1.234,50'",
        ),
        (
            "order_id,customer_id,order_date,amount",
            "{i},c{c},2024-01-{d:02d},€12.50",
            "amount has a currency sign, which is taken out, as in '€12.50'",
        ),
        (
            "order_id,customer_id,order_date,amount",
            '{i},c{c},2024-01-{d:02d},"12,50 €"',
            "amount has a currency sign, which is taken out, and a decimal comma",
        ),
        (
            "order_id,customer_id,order_date,amount",
            '{i},c{c},2024-01-{d:02d},"1,234"',
            "between thousands or before decimals",
        ),
        (
            "order_id,customer_id,order_date,amount",
            "{i},c{c},{bad},9.50",
            "5.0% of the values of order_date are no time: their rows will be refused",
        ),
        (
            "order_id,customer_id,order_date,amount",
            "{i},c{c},{d:02d}/03/2024,9.50",
            "order_date reads as %d/%m/%Y and as %m/%d/%Y alike",
        ),
        (
            "order_id,customer_id,order_date,total_cents",
            "{i},c{c},2024-01-{d:02d},1250",
            "total_cents is read as hundredths (cents): 1250 is 12.50",
        ),
        (
            "order_id,customer_id,order_date,amount",
            "{i},c{c},2024-01-{d:02d},1250",
            "amount holds whole numbers alone: if they are cents, say so",
        ),
        (
            "order_id,customer_id,order_date,amount",
            "{i},c{c},170{i:07d},9.50",
            "order_date is read as seconds since 1970, in UTC",
        ),
        (
            "order_id,customer_id,order_date,amount",
            "{i},c{c},2024-01-{d:02d},9.505",
            "amount has up to 3 digits after the point: they are rounded to 2",
        ),
        (
            "order_id,customer_id,when_bought,amount",
            "{i},c{c},2024-01-{d:02d},9.50",
            "when_bought is taken as ordered_at by what it holds alone",
        ),
        (
            "order_id,customer_id,order_date,amount,type",
            "{i},c{c},2024-01-{d:02d},9.50,online",
            "type is not used: it does not tell purchases from refunds (online)",
        ),
        (
            "order_id,customer_id,order_date,amount,status",
            "{i},c{c},2024-01-{d:02d},9.50,{status}",
            "status says mystery, which is neither completed nor failed",
        ),
        (
            "order_id,customer_id,order_date,amount,currency",
            "{i},c{c},2024-01-{d:02d},9.50,{money}",
            "amounts are in 2 currencies (EUR, USD) and add up as if they were one",
        ),
        (
            "order_id,customer_id,order_date,amount",
            "{i},{c}.0,2024-01-{d:02d},9.50",
            "customer_id holds ids that end in .0",
        ),
        (
            "order_id,customer_id,order_date,amount",
            "{twice},c{c},2024-01-{d:02d},9.50",
            "order_id comes again in 1 rows",
        ),
        (
            "customer_id,order_date,amount",
            "c{c},2024-01-{d:02d},9.50",
            "there is no order_id: each row is named after its file and line",
        ),
        (
            "order_id,customer_id,order_date,amount",
            "{i},c{c},2024-01-{d:02d},{signed}",
            "amount is below 0 in 10.00% of the rows: they are taken as refunds",
        ),
        (
            "order_id,customer_id,order_date,amount,amount_refunded",
            "{i},c{c},2024-01-{d:02d},9.50,0.00",
            "amount_refunded is not subtracted: nothing says when it was paid back",
        ),
        (
            "order_id,customer_id,order_date,amount",
            "{i},{i},2024-01-{d:02d},9.50",
            "fewer than 50 customers came back: no model is fitted",
        ),
        (
            "order_id,customer_id,order_date,amount",
            "{i},{i},2024-01-{d:02d},9.50",
            "90 days ahead: the history is shorter than that",
        ),
        (
            "order_id,customer_id,order_date,amount,shipped_at,status",
            "{i},c{c},2024-01-{d:02d},9.50,never,refunded",
            "orders whose status is refunded are set aside as paid_back",
        ),
    ],
)
def test_a_doubt_is_told(tmp_path, header, row, doubt):
    rows = [
        row.format(
            i=i,
            c=i % 7,
            d=i % 12 + 1,
            half=f"c{i % 7}" if i % 2 else "",
            bad="soon" if i % 20 == 3 else "2024-01-05",
            status="mystery" if i % 4 == 0 else ("paid" if i % 4 < 3 else "failed"),
            money="USD" if i % 3 == 0 else "EUR",
            signed="-9.50" if i % 10 == 0 else "9.50",
            twice=max(i, 1),
        )
        for i in range(100)
    ]
    file = lines(tmp_path / "orders.csv", header, *rows)
    tables = look({"orders": Place.find(str(file))})
    proposal = propose("own", ROOT, tables, [], "UTC")
    told = [
        *(one for found in doubts(proposal).values() for one in found),
        *proposal.history,
    ]
    assert [one for one in told if doubt in one], told


@pytest.mark.parametrize(
    ("header", "row", "doubt"),
    [
        (
            "subscription_id,customer_id,started_at,price",
            "{i},c{i},2024-01-05,120.00",
            "price is taken as the price of a month: divide by 12",
        ),
        (
            "subscription_id,customer_id,started_at,mrr,status",
            "{i},c{i},2024-01-05,10.00,trialing",
            "rows whose status is trialing count as subscriptions",
        ),
        (
            "subscription_id,customer_id,started_at,mrr,{{{{ target }}}}",
            "{i},c{i},2024-01-05,10.00,x",
            "no model can have a column of that name",
        ),
    ],
)
def test_a_doubt_about_subscriptions_is_told(tmp_path, header, row, doubt):
    rows = [row.format(i=i) for i in range(60)]
    file = lines(tmp_path / "subscriptions.csv", header.format(), *rows)
    tables = look({"subscriptions": Place.find(str(file))})
    told = doubts(propose("own", ROOT, tables, [], "UTC"))["subscriptions"]
    assert [one for one in told if doubt in one], told


def test_what_a_table_holds_is_never_run_by_dbt(clone, tmp_path):
    """A product or a value may hold what dbt takes for a template."""
    code = "{{ exceptions.raise_compiler_error('run') }} FEE"
    file = lines(
        tmp_path / "lines.csv",
        "invoice,sku,qty,price,invoice_date,customer_id,{% docs own %}",
        *(
            f'{i // 3},{code if i % 3 else "PORTAL FEE"},1,"2,5{i % 10}",2024-01-05,c1,'
            "{% docs own %}"
            for i in range(90)
        ),
    )
    told = clone.init("--orders", file)
    assert "PORTAL FEE are taken as fees" in told
    build = clone.built(*INPUT)
    assert verdicts(build) == (90, 90, 0, 0)


def test_a_certain_table_is_proposed_without_a_doubt_of_its_columns(tmp_path):
    """Else doubts would be no news."""
    file = lines(
        tmp_path / "orders.csv",
        "order_id,customer_id,ordered_at,amount,kind,status",
        *(
            f"{i},c{i % 9},2024-01-{i % 28 + 1:02d} 10:00:00+00,9.5{i % 10},"
            f"{'refund' if i % 30 == 7 else 'purchase'},completed"
            for i in range(200)
        ),
    )
    proposal = propose("own", ROOT, look({"orders": Place.find(str(file))}), [], "UTC")
    assert doubts(proposal) == {}


@pytest.mark.parametrize(
    ("usual", "odd", "expected"),
    [
        ("1,234.50", "12,50", "NULL"),
        ("1,234.50", "1,234,567.89", "1234567.89"),
        ("1.234,50", "1.234.567,89", "1234567.89"),
        ("1.234,50", "-7,5", "-7.50"),
        ("€1,234.50", "€12,50", "NULL"),
        ("€1,234.50", "- € 12.50", "-12.50"),
        ("1.234,50 €", "12,50 €", "12.50"),
    ],
)
def test_no_amount_becomes_a_hundred_times_as_much(tmp_path, usual, odd, expected):
    """What has another form than the rest is refused, or read right."""
    file = lines(
        tmp_path / "orders.csv",
        "order_id,customer_id,order_date,amount",
        *(f'{i},c1,2024-01-05,"{usual}"' for i in range(50)),
        f'50,c1,2024-01-05,"{odd}"',
    )
    proposal = propose("own", ROOT, look({"orders": Place.find(str(file))}), [], "UTC")
    model = files(proposal)[Path("models/staging/own/stg_own__orders.sql")]
    (macro,) = re.findall(r"\{\{ parsed_money.*\}\}", model)
    expression = macros_of(ROOT).rendered(macro)
    ((found,),) = query(
        f"select coalesce(({expression})::varchar, 'NULL')"
        f" from (select '{odd}' as amount)"
    )
    assert found == expected


def test_every_column_of_the_contract_has_names_that_it_goes_by():
    for entity, agreed in contract(ROOT).items():
        assert set(NAMES[entity]) == set(agreed["columns"])
        assert all(NAMES[entity].values())


@pytest.mark.parametrize("entity", contract(ROOT))
def test_times_without_a_zone_are_told_of_every_domain(tmp_path, entity):
    time = contract(ROOT)[entity]["time"]
    file = lines(tmp_path / "rows.csv", f"id,{time}", "1,2024-01-05 10:00:00")
    proposal = propose("own", ROOT, look({entity: Place.find(str(file))}), [], "UTC")
    assert any("times that name no zone" in doubt for doubt in proposal.doubts)


# ---- changing, refusing, printing ---------------------------------------------------

GOOD = ("order_id,customer_id,order_date,gross,net", "1,c1,2024-01-05,12.50,10.00")


def test_a_person_may_change_a_role(clone, tmp_path):
    file = lines(tmp_path / "orders.csv", *GOOD, "2,c2,2024-01-06,1.50,1.00")
    finished = clone.run(
        *("init", "own", "--orders", file),
        text="orders.amount=nothing\norders.amount=net\n\n",
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "the table has no column 'nothing'" in finished.stdout
    assert "net as amount" in clone.text("stg_own__orders.sql")
    assert "| orders | amount | `net` | by hand |" in clone.text("README.md")


def test_a_script_may_set_a_role_and_leave_one_out(clone, tmp_path):
    file = lines(
        tmp_path / "orders.csv",
        "order_id,customer_id,order_date,total,status",
        "1,c1,2024-01-05,1250,paid",
        "2,c1,2024-01-06,1250,paid",
    )
    clone.init(
        "--orders", file, "--role", "orders.amount=total:cents", "--role",
        "orders.status=",
    )  # fmt: skip
    model = clone.text("stg_own__orders.sql")
    assert (
        "cast(total * 0.01 as decimal(18, 2))\n            as converted_amount" in model
    )
    assert "status" not in model


def test_a_dry_run_prints_the_files_and_writes_none(clone, tmp_path):
    file = lines(tmp_path / "orders.csv", *GOOD)
    before = clone.files()
    finished = clone.run(
        *("init", "own", "--orders", file, "--dry-run", "--role", "orders.amount=net")
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "--- models/staging/own/stg_own__orders.sql" in finished.stdout
    assert "net as amount" in finished.stdout
    assert clone.files() == before


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("demo", "--orders", "ORDERS"), "is there already"),
        (("No Name", "--orders", "ORDERS"), "cannot be a connector's name"),
        (("marts", "--orders", "ORDERS"), "a name of perennial's own"),
        (("own",), "Name a raw table"),
        (("own", "--orders", "nothing.csv"), "nothing.csv: no file is there"),
        (("own", "--orders", "README.md"), "a raw file ends in .csv"),
        (("own", "--orders", "ORDERS", "--time-zone", "Berlin"), "no time zone"),
        (("own", "--orders", "ORDERS", "--role", "amount"), "sets no role"),
        (("own", "--orders", "ORDERS", "--role", "orders.x=net"), "no role x"),
        (("own", "--orders", "ORDERS", "--role", "events.x=net"), "no table of events"),
        (
            ("own", "--orders", "ORDERS", "--role", "orders.ordered_at=net"),
            "0% of its values are a time",
        ),
        (("own", "--orders", "UNDATED"), "orders: no column is ordered_at"),
        (("own", "--orders", "UNDATED"), "Set it with --role orders.ordered_at=COLUMN"),
        (("own", "--orders", "ORDERS"), "amount could be gross or net"),
        (("own", "--orders", "EMPTY"), "holds no row"),
        (("own", "--from", "FOLDER"), "nothing that is called like a domain"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line_and_writes_nothing(
    clone, tmp_path, arguments, told
):
    made = {
        "ORDERS": lines(tmp_path / "orders.csv", *GOOD),
        "UNDATED": lines(
            tmp_path / "undated.csv", "order_id,customer_id,amount", "1,c1,2.50"
        ),
        "EMPTY": lines(
            tmp_path / "empty.csv", "order_id,customer_id,order_date,amount"
        ),
        "FOLDER": lines(tmp_path / "folder" / "things.csv", "a,b", "1,2").parent,
    }
    (clone.root / "README.md").write_text("no data")
    before = clone.files()
    finished = clone.run(
        "init", *(str(made.get(one, one)) for one in arguments), "--yes"
    )
    assert finished.returncode != 0
    assert told in finished.stderr
    assert len(finished.stderr.splitlines()) <= 2
    assert "Traceback" not in finished.stderr
    assert clone.files() == before


def test_what_is_there_is_never_overwritten(clone, tmp_path):
    file = lines(tmp_path / "orders.csv", *GOOD)
    clone.init("--orders", file, "--role", "orders.amount=net")
    before = clone.files()
    again = clone.run(
        *("init", "own", "--orders", file, "--role", "orders.amount=gross", "--yes")
    )
    assert again.returncode == 2
    assert "nothing in it is overwritten" in again.stderr
    assert clone.files() == before


# ---- doctor -------------------------------------------------------------------------


def test_the_doctor_tells_what_became_of_the_real_data(real):
    clone, _, _ = real
    finished = clone.run("doctor", "data")
    assert finished.returncode == 0, finished.stderr
    page = " ".join(finished.stdout.split())
    assert page.startswith("own: ")
    assert "orders 541,909 406,822 135,087 0" in page
    assert "set aside orders guest 132,910" in page
    assert "orders 2010-12-01 2011-12-09 305 11 0" in page
    assert "nothing for 11 days after 2010-12-23" in page
    assert "4,371 customers, scored as of 2011-12-08" in page
    assert "customers Who has a row elsewhere" in page


def test_the_doctor_tells_refused_late_and_doubled_rows(demo):
    finished = subprocess.run(
        [PERENNIAL, "doctor", "data"],
        cwd=ROOT,
        env=os.environ | {"PERENNIAL_HOME": str(demo.home), "COLUMNS": "200"},
        capture_output=True,
        text=True,
    )
    page = " ".join(finished.stdout.split())
    for entity, *counts in demo.rows(
        "select entity, lines_count, accepted_lines_count, excluded_lines_count,"
        " refused_lines_count from input.input_coverage"
    ):
        assert " ".join([entity, *(f"{one:,}" for one in counts)]) in page
    (late,) = demo.row(
        "select count(*) from input.input_orders"
        " where known_date > cast(ordered_at as date)"
    )
    assert late > 0
    assert f"{late:,} rows of orders became known late" in page
    for reason, count in demo.rows(
        "select reject_reason, sum(source_lines_count) from input.quarantine"
        " where entity = 'events' group by all"
    ):
        assert f"refused events {reason} {count:,}" in page
    (copies,) = demo.row(
        "select count(*) from input.excluded_rows"
        " where entity = 'orders' and exclude_reason = 'exact_duplicate'"
    )
    assert f"set aside orders exact_duplicate {copies}" in page
    for kind, word in (("ordered", "orders"), ("used", "use")):
        window, gap = demo.row(
            "select window_days, gap_q90_days from marts.churn_definition "
            "where activity_kind = ? and is_suggested",
            kind,
        )
        assert (
            f"- {word}: {window} days, for nine of ten gaps between two days of {word} "
            f"are at most {gap} days"
        ) in page


def test_the_doctor_suggests_nothing_where_the_build_came_to_no_mart(demo, tmp_path):
    """A build that the data stopped is when one asks the doctor."""
    warehouse = tmp_path / "warehouse"
    warehouse.mkdir()
    shutil.copy(demo.file, warehouse)
    with duckdb.connect(str(warehouse / demo.file.name)) as connection:
        connection.execute("drop table marts.churn_definition")
    finished = subprocess.run(
        [PERENNIAL, "doctor", "data"],
        cwd=ROOT,
        env=os.environ | {"PERENNIAL_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert finished.returncode == 0, finished.stderr
    assert "How long a silence" not in finished.stdout
    assert "Look at" in finished.stdout


def test_the_doctor_shows_what_was_built_last_unless_told(tmp_path, demo, sample):
    """After `make build CONNECTOR=x` the environment says nothing of x."""
    warehouse = tmp_path / "home" / "warehouse"
    warehouse.mkdir(parents=True)

    def told(**environment) -> str:
        finished = subprocess.run(
            [PERENNIAL, "doctor", "data"],
            cwd=ROOT,
            env=os.environ | {"PERENNIAL_HOME": str(tmp_path / "home")} | environment,
            capture_output=True,
            text=True,
        )
        return finished.stdout or finished.stderr

    assert "Nothing was built in" in told()
    for number, build in enumerate((demo, sample)):
        shutil.copy(build.file, warehouse / build.file.name)
        os.utime(warehouse / build.file.name, (0, 1_700_000_000 + number))
    shutil.copy(sample.file, warehouse / "stranger.duckdb")
    assert told().startswith("cdnow: ")
    assert told(PERENNIAL_CONNECTOR="demo").startswith("demo: ")
    os.utime(warehouse / "demo.duckdb", (0, 1_800_000_000))
    assert told().startswith("demo: ")
