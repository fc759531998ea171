"""The catalogue of features and what is made from it: columns, pages, stages, NULLs."""

import csv
import operator
import re
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from conftest import ROOT, SAMPLE, run_build
from pandas.testing import assert_frame_equal
from reading_sql import CompilerError, Macros

SEEDS = ROOT / "seeds" / "features"
KEYS = {"customer_id", "as_of_date", "feature_set_version"}


def rows_of(seed: str) -> list[dict[str, str]]:
    with (SEEDS / f"{seed}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


CATALOGUE = rows_of("feature_catalogue")
RULES = rows_of("lifecycle_rules")

#: What a column of each kind is stored as.
TYPES = {
    "count": r"BIGINT",
    "amount": r"DECIMAL\(18,2\)|DOUBLE|BIGINT",
    "rate": r"DOUBLE",
    "days": r"BIGINT|DOUBLE",
    "score": r"DOUBLE|BIGINT",
    "flag": r"BOOLEAN",
    "category": r"VARCHAR",
    "date": r"DATE",
}


@pytest.fixture(scope="module", params=["master", "demo"])
def built(request):
    return request.getfixturevalue(request.param)


def test_every_feature_is_in_the_catalogue_and_nothing_else_is(built):
    columns = built.rows(
        "select regexp_replace(table_name, '^feat_', ''), column_name, data_type "
        "from information_schema.columns "
        "where table_schema = 'features' and table_name like 'feat\\_%' escape '\\'"
    )
    built_types = {
        (theme, name): kind for theme, name, kind in columns if name not in KEYS
    }
    said = {(row["theme"], row["feature_name"]): row["kind"] for row in CATALOGUE}
    assert set(built_types) == set(said)
    assert [
        (name, built_types[name], kind)
        for name, kind in said.items()
        if not re.fullmatch(TYPES[kind], built_types[name])
    ] == []


def test_the_store_holds_every_feature_once(built):
    columns = built.rows(
        "select column_name from information_schema.columns "
        "where table_schema = 'features' and table_name = 'feature_store'"
    )
    assert sorted(name for (name,) in columns) == sorted(
        [*KEYS, *(row["feature_name"] for row in CATALOGUE)]
    )


def test_the_store_has_a_row_for_each_customer_and_date(built):
    rows, customers = built.row(
        "select (select count(*) from features.feature_store), "
        "(select count(*) from features.feat_customers)"
    )
    assert rows == customers > 0


def test_a_feature_that_was_not_there_before_is_made_for_every_date(sample, tmp_path):
    """Other SQL is another feature set: its rows are forgotten, the column is added."""
    file = tmp_path / "warehouse" / sample.file.name
    file.parent.mkdir()
    shutil.copy(sample.file, file)
    with duckdb.connect(str(file)) as connection:
        themes = connection.execute(
            "select table_name from information_schema.columns "
            "where table_schema = 'features' and column_name = 'feature_set_version' "
            "and starts_with(table_name, 'feat_')"
        ).fetchall()
        for (theme,) in themes:
            connection.execute(f"update features.{theme} set feature_set_version = ''")
        connection.execute("alter table features.feat_purchases drop order_velocity")
    built = run_build(
        tmp_path,
        settings=SAMPLE,
        selection=[
            "--select",
            "path:models/features",
            "--exclude",
            "resource_type:test",
        ],
    )
    assert built.exit_code == 0, built.output + built.errors
    # a column that was added stands last
    anew, at_once = (
        build.frame(
            "from features.feature_store order by customer_id, as_of_date"
        ).sort_index(axis=1)
        for build in (built, sample)
    )
    assert anew["order_velocity"].any()
    assert_frame_equal(anew, at_once)


def nulls_of(build, names: list[str]) -> dict[str, int]:
    counted = ", ".join(f"count(*) - count({name})" for name in names)
    return dict(
        zip(
            names,
            build.row(f"select {counted} from features.feature_store"),
            strict=True,
        )
    )


def test_a_feature_that_is_never_null_says_no_reason_for_it(demo):
    """The demo company delivers all domains, but not a list of all customers."""
    never = [row["feature_name"] for row in CATALOGUE if not row["null_means"]]
    assert {name: n for name, n in nulls_of(demo, never).items() if n} == {}


def test_of_a_domain_that_is_missing_every_feature_is_null_and_says_why(master):
    coverage = {
        entity: (is_delivered, costs)
        for entity, is_delivered, costs in master.rows(
            "select entity, is_delivered, absence_costs from input.input_coverage"
        )
    }
    missing = [
        row
        for row in CATALOGUE
        if row["entity"] not in {"", "customers"} and not coverage[row["entity"]][0]
    ]
    assert len(missing) > 60
    assert all(coverage[row["entity"]][1] for row in missing)
    (rows,) = master.row("select count(*) from features.feature_store")
    nulls = nulls_of(master, [row["feature_name"] for row in missing])
    assert {name: n for name, n in nulls.items() if n != rows} == {}
    # nor is there anything to tell of who signed up when
    assert nulls_of(master, ["signed_up_date"])["signed_up_date"] == rows


def test_names_tell_units_and_windows():
    for row in CATALOGUE:
        name, window = row["feature_name"], row["window_days"]
        told = re.search(r"_(\d+)d(_before)?$", name)
        if told:
            days = int(told[1]) * (2 if told[2] else 1)
            # of the outcome of a stretch that starts with a day of the customer's own
            assert window == str(days) or name == "is_activated_30d", name
        assert row["description"].endswith("."), name
        assert not row["null_means"] or row["null_means"].endswith("."), name
        if row["kind"] == "date":
            assert row["is_model_input"] == "false", name
        if row["kind"] == "flag":
            assert name.startswith(("is_", "has_", "upsell_")), name
        if row["kind"] in ("count", "amount", "rate", "days", "score"):
            assert row["unit"], name


def test_what_is_said_of_features_is_what_the_catalogue_says():
    pages = [
        "docs/features.md",
        *sorted(str(f) for f in (ROOT / "models/features").glob("feat*.yml")),
    ]
    assert len(pages) > 10
    checked = subprocess.run(
        [Path(sys.executable).parent / "cog", "--check", "-I", "docs", *pages],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr + "run: make render"


OPERATORS = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
}


def stage_by_hand(features: dict) -> str | None:
    for number in sorted({int(rule["rule_number"]) for rule in RULES}):
        rules = [rule for rule in RULES if int(rule["rule_number"]) == number]
        if all(
            features[rule["feature_name"]] is not None
            and OPERATORS[rule["operator"]](
                features[rule["feature_name"]], float(rule["value"])
            )
            for rule in rules
        ):
            return rules[0]["stage"]
    return None


def test_every_customer_is_at_the_stage_that_the_rules_name(built):
    read = sorted({rule["feature_name"] for rule in RULES})
    told = built.rows(
        f"select lifecycle_stage, count(*), {', '.join(read)} "
        f"from features.feature_store group by all"
    )
    stages = {}
    for stage, customers, *values in told:
        assert stage == stage_by_hand(dict(zip(read, values, strict=True)))
        stages[stage] = stages.get(stage, 0) + customers
    assert len(stages) >= 5


THEMES = ["customers", "purchases", "subscription"]
GOOD = {
    "rule_number": 3,
    "stage": "lapsed",
    "feature_name": "days_since_last_order",
    "operator": ">",
    "value": "365.0000",
    "theme": "purchases",
    "kind": "days",
}


def text_of(*rules: dict) -> str:
    return " ".join(Macros().lifecycle_stage(list(rules), THEMES).split())


def test_rules_become_a_case_in_their_order():
    flag = GOOD | {
        "feature_name": "is_subscribed",
        "theme": "subscription",
        "kind": "flag",
        "operator": "=",
        "value": "0",
    }
    later = GOOD | {"rule_number": 10, "stage": "at_risk", "value": "90"}
    assert text_of(later, GOOD, flag) == (
        "case when days_since_last_order > 365.0000 and "
        "cast(is_subscribed as integer) = 0 then 'lapsed' "
        "when days_since_last_order > 90 then 'at_risk' end"
    )
    assert text_of() == "cast(null as varchar)"


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"operator": "<>"}, "compares by <>, which is none of < <= > >= ="),
        (
            {"feature_name": "shoe_size", "theme": None, "kind": None},
            "reads shoe_size, which is no feature of " + ", ".join(THEMES),
        ),
        (
            {"feature_name": "rfm_score", "theme": "rfm", "kind": "score"},
            "reads rfm_score, which is no feature of " + ", ".join(THEMES),
        ),
        (
            {"feature_name": "plan", "theme": "subscription", "kind": "category"},
            "compares plan with a number, and it is a category",
        ),
        ({"value": None}, "compares days_since_last_order with nothing"),
        (
            {"stage": "gone"},
            "names the stage gone, which is none of onboarding, adoption, value, "
            "expansion, at_risk, lapsed",
        ),
    ],
)
def test_a_rule_that_means_nothing_is_refused_in_one_line(wrong, told):
    with pytest.raises(CompilerError) as refused:
        text_of(GOOD | wrong)
    assert str(refused.value) == f"Rule 3 of lifecycle_rules {told}."


def test_a_rule_that_names_two_stages_is_refused():
    with pytest.raises(CompilerError, match="names several stages: lapsed, value"):
        text_of(GOOD, GOOD | {"stage": "value"})
