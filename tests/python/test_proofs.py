"""Proofs that no feature sees the future, each seen to turn red by its plant."""

import dataclasses
import datetime
import re
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from conftest import ROOT, Build
from scipy import stats
from sklearn.metrics import roc_auc_score
from test_churn_models import SETTINGS, company
from test_command_line import refused, run
from test_init import make_clone, write

from perennial import churn, cli
from perennial.faults import Fault
from perennial.project import Project
from perennial.proofs import Result, changes, learning, static
from perennial.proofs.comparing import compare, tables_of
from perennial.proofs.leaks import PLANTS, Planted, plant_leaks, planted_text
from perennial.proofs.page import cells, write_table
from perennial.proofs.proving import NAMES, Proofs
from perennial.proofs.workshop import workshop

pytestmark = pytest.mark.proofs

DAY = datetime.date(2025, 1, 2)


def project_of(build: Build) -> Project:
    return Project(ROOT, build.home, build.connector)


def write_file(file: Path, rows: str) -> Path:
    with duckdb.connect(str(file)) as engine:
        engine.execute("create schema features")
        engine.execute(
            "create table features.feat_one (customer_id varchar, as_of_date date, "
            f"amount decimal(9, 2), plan varchar); insert into features.feat_one {rows}"
        )
    return file


BOTH = "values ('a', date '2025-01-01', 1, 'x'), ('b', date '2025-01-01', 2, null)"


def compared(tmp_path, built: str, proved: str):
    return compare(
        write_file(tmp_path / "built.duckdb", built),
        write_file(tmp_path / "proved.duckdb", proved),
        ["features.feat_one"],
        "as_of_date",
    )


def test_files_with_the_same_rows_in_another_order_are_equal(tmp_path):
    found = compared(tmp_path, BOTH, f"from ({BOTH}) order by 1 desc")
    assert found.differences == ()
    assert found.rows_count == 2
    assert found.columns == {"features.feat_one.amount", "features.feat_one.plan"}


def test_a_column_that_differs_is_named_with_a_row_and_both_values(tmp_path):
    found = compared(tmp_path, BOTH, BOTH.replace("2, null", "2, 'y'"))
    (difference,) = found.differences
    assert str(difference) == (
        "features.feat_one.plan differs in 1 rows; b, 2025-01-01: NULL as built, "
        "y as proved"
    )


def test_values_that_change_places_are_not_equal(tmp_path):
    swapped = BOTH.replace("1, 'x'", "2, 'x'").replace("2, null", "1, null")
    found = compared(tmp_path, BOTH, swapped)
    assert [d.column for d in found.differences] == ["amount"]
    assert found.differences[0].rows_count == 2


def test_a_row_that_is_in_one_alone_is_named(tmp_path):
    found = compared(tmp_path, BOTH, f"from ({BOTH}) limit 1")
    assert found.differences[0].column == "(row)"
    assert found.differences[0].key == "b, 2025-01-01"
    assert found.differences[0].built == "a row"


def test_only_dates_that_both_have_are_compared(tmp_path):
    later = BOTH.replace("('b', date '2025-01-01'", "('b', date '2025-01-03'")
    found = compared(tmp_path, BOTH, later)
    assert found.dates == {datetime.date(2025, 1, 1)}
    assert [d.column for d in found.differences] == ["(row)"]


def changed(
    change,
    rows: str,
    columns: str = "subscription_id, ended_at is null, cancel_reason",
) -> list[tuple]:
    """Apply a change to a few rows of which only times and two facts are told."""
    with duckdb.connect() as engine:
        engine.execute(
            "create table seam (subscription_id varchar, customer_id varchar, "
            "started_at timestamp, ended_at timestamp, cancel_reason varchar, "
            "is_voluntary boolean, loaded_at timestamp, reading_id integer, "
            "file_path varchar, source_file varchar, source_line bigint, "
            "source_lines_count bigint, row_fault varchar, exclude_reason varchar)"
        )
        engine.execute(
            "insert into seam select *, 'path', 'file', row_number() over (), 1, null, "
            f"null from (values {rows})"
        )
        engine.execute(
            "create table files as select * from (values (1, cast(null as date)), "
            "(2, date '2025-01-01'), (3, date '2025-01-02')) "
            "as files (reading_id, last_scored_date)"
        )
        domain = changes.Domain(
            "subscriptions",
            "subscription_id",
            "started_at",
            {"is_voluntary": "boolean", "cancel_reason": "varchar"},
            seam="seam",
            files="files",
            zone="Europe/Berlin",
            readings=(11, 12),
        )
        return engine.execute(
            f"select {columns} from ({change(domain, DAY)}) order by all"
        ).fetchall()


def row(name, started, ended=None, loaded=None, reading=1) -> str:
    times = [f"'{time}'" if time else "null" for time in (started, ended, loaded)]
    reason = "'dear'" if ended else "null"
    return (
        f"('{name}', 'c', {times[0]}, {times[1]}, {reason}, "
        f"{'true' if ended else 'null'}, {times[2]}, {reading})"
    )


def test_truncation_takes_away_what_happened_or_was_known_after_the_date():
    """Midnight in Berlin is an hour before that of UTC."""
    rows = [
        row("a kept", "2025-01-02 22:59:59"),
        row("b later", "2025-01-02 23:00:00"),
        row("c kept", "2025-01-01 12:00", loaded="2025-01-02 22:59:59"),
        row("d loaded later", "2025-01-01 12:00", loaded="2025-01-02 23:00:00"),
        row("e kept", "2024-12-01 12:00", reading=2),
        row("f read after the score", "2024-12-01 12:00", reading=3),
        row("g kept, no day is told", None),
    ]
    left = [name for name, *_ in changed(changes.truncated, ",".join(rows))]
    assert left == ["a kept", "c kept", "e kept", "g kept, no day is told"]


def test_truncation_empties_what_was_filled_in_after_the_date():
    rows = [
        row("a ended on the day", "2024-12-01", ended="2025-01-02 22:59:59"),
        row("b ended later", "2024-12-01", ended="2025-01-02 23:00:00"),
    ]
    assert changed(changes.truncated, ",".join(rows)) == [
        ("a ended on the day", False, "dear"),
        ("b ended later", True, None),
    ]


def test_poison_turns_what_comes_later_round_and_keeps_the_past():
    rows = [
        row("a ended by then", "2024-12-01", ended="2025-01-02 12:00"),
        row("b ended later", "2024-12-01", ended="2025-01-03 12:00"),
        row("c goes on", "2024-12-01"),
        row("d begins later", "2025-01-03 12:00"),
    ]
    told = changed(
        changes.poisoned,
        ",".join(rows),
        "subscription_id, coalesce(ended_at > date '2025-01-03', false), "
        "cancel_reason, started_at > date '2025-01-03'",
    )
    assert told[:4] == [
        ("a ended by then", False, "dear", False),
        ("b ended later", False, None, False),
        ("c goes on", True, "poison", False),
        ("d begins later", True, "poison", True),
    ]
    assert len(told) == 4 + changes.FUTURE_CUSTOMERS
    assert all(is_later for *_, is_later in told[4:])


def test_what_is_told_late_happened_by_the_date_and_was_not_known_by_then():
    rows = [row(f"s{number}", "2024-12-01") for number in range(200)]
    told = changed(
        changes.told_late,
        ",".join(rows),
        "subscription_id, started_at, loaded_at, reading_id, cancel_reason",
    )
    added = [one for one in told if one[4] == "poison"]
    assert len(told) == 200 + len(added)
    assert 50 < len(added) < 110
    for name, started, loaded, reading, _ in added:
        assert started.date() < DAY
        # a version says when it came, another key so, or its file does
        assert (loaded is None) == (reading == 12), name
        assert loaded is None or loaded.date() > DAY
    assert {reading for *_, reading, _ in added} == {11, 12}
    versions = [name for name, *_ in added if not name.endswith(" told late")]
    assert 0 < len(versions) < len(added)


def test_a_table_is_written_between_its_marks_alone(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- demo: begin -->\nold\n<!-- demo: end -->\nafter\n")
    write_table(page, "demo", ["| new |"])
    text = page.read_text()
    assert text.startswith("before\n<!-- demo: begin -->\nperennial ")
    assert text.endswith("\n| new |\n<!-- demo: end -->\nafter\n")
    write_table(page, "other", ["| nothing |"])
    assert page.read_text() == text


def node(code: str, schema: str = "features", above: tuple = (), **marks) -> dict:
    return {
        "name": "one",
        "resource_type": "model",
        "raw_code": code,
        "config": {"schema": schema, "meta": marks},
        "columns": {"ended_at": {"config": {"meta": {"mutable": True}}}},
        "depends_on": {"nodes": list(above)},
    }


@pytest.mark.parametrize(
    ("code", "rule"),
    [
        ("select current_date", "wall clock"),
        ("select 1 where day <= dates.as_of_date", "comparison with as_of_date"),
        ("{{ previous('model_registry', {}) }}", "back edge"),
        ("select ended_at", "mutable column"),
    ],
)
def test_a_rule_finds_what_it_forbids_and_no_other_does(code, rule):
    found = {name: apply({"one": node(code)}) for name, apply in static.RULES.items()}
    assert [name for name, told in found.items() if told] == [rule]
    commented = {"one": node(f"-- {code}\nselect 1")}
    assert static.RULES[rule](commented) == []


def test_a_feature_may_not_rest_on_what_looks_ahead_however_far_above():
    models = {
        "top": node("select 1", "intermediate", looks_ahead=True),
        "middle": node("select 1", "intermediate", above=("top",)),
        "feature": node("select 1", above=("middle", "seed")),
    }
    assert static.looks_ahead(models) == ["one rests on one, which looks ahead"]
    models["top"]["config"]["meta"] = {}
    assert static.looks_ahead(models) == []
    models["top"]["config"]["schema"] = "outcomes"
    assert static.looks_ahead(models) != []


@pytest.fixture(scope="module")
def company_frames() -> tuple[pd.DataFrame, ...]:
    """One origin that learns from two dates, of which the last one is the test date."""
    rows = company(400, seed=1, dates=3)
    dates = sorted(rows["as_of_date"].unique())
    splits = pd.DataFrame(
        {
            "task": "churn",
            "horizon_days": 90,
            "origin_date": dates[-1],
            "as_of_date": dates,
            "role": ["train", "train", "test"],
        }
    )
    examples = rows[["customer_id", "as_of_date", "fold", "label"]]
    features = rows.drop(columns=["fold", "label"])
    return splits, examples.assign(task="churn", horizon_days=90), features


def test_models_learn_from_training_rows_alone(company_frames, monkeypatch):
    models, findings = learning.other_rows(*company_frames, SETTINGS)
    assert len(models) >= 4
    assert findings == []

    honest = churn.training_rows

    def filled_in(examples, features):
        return honest(examples, features.fillna(features.median(numeric_only=True)))

    monkeypatch.setattr(churn, "training_rows", filled_in)
    _, findings = learning.other_rows(*company_frames, SETTINGS)
    assert "logistic learned from rows that are not for training" in findings


def test_nobody_is_calibrated_by_what_was_learned_of_them(company_frames, monkeypatch):
    rows = churn.training_rows(*company_frames[1:])
    models = ["recency_rule", "logistic", "xgboost"]
    assert learning.own_rows(rows, models, SETTINGS) == []

    def with_own_fold(candidate, rows, settings):
        return churn.margins(candidate.fit(rows, settings), rows)

    monkeypatch.setattr(churn, "unseen_margins", with_own_fold)
    assert learning.own_rows(rows, models[1:], SETTINGS) == [
        f"{name} is calibrated on customers whom it had learned from"
        for name in models[1:]
    ]


def test_of_one_date_what_comes_later_changes_no_feature(demo):
    """The short form of the first proof."""
    with workshop(project_of(demo)) as place:
        date = place.dates(1)[-1]
        assert date < demo.row("select score_date from intermediate.int_score_date")[0]
        copy = place.copy(
            "truncated",
            changes.truncated,
            date,
            is_scored_then=True,
            targets=("feature_store",),
        )
        themes = tables_of(copy, "features", "customer_id", "as_of_date")
        assert len(themes) > 10
        found = compare(place.built, copy, themes, "as_of_date")
        assert date in found.dates
        assert found.rows_count > 1000
        assert found.differences == ()
        folder = place.folder
    assert not folder.exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["demo", "master"])
def test_every_proof_holds(name, request):
    build = request.getfixturevalue(name)
    with workshop(project_of(build)) as place:
        proofs = Proofs(place, place.dates(3))
        for proof in ("truncation", "poison", "late", "parity", "determinism"):
            result = getattr(proofs, proof)()
            assert result.findings == [], proof
            assert result.rows_count > 10_000
        learned = proofs.learning()
        assert learned.findings == []
        assert learned.rows_count > 1000


@pytest.mark.slow
def test_every_proof_holds_on_tables_of_ones_own(tmp_path):
    """Orders alone: of the other domains there is nothing to change."""
    clone = make_clone(tmp_path / "perennial")
    orders = write(
        tmp_path / "orders.csv",
        """
        select
            'o' || i as order_id,
            'c' || hash(i, 'customer') % 400 as customer_id,
            timestamp '2022-01-03 09:00' + i::integer * interval 4 hour as ordered_at,
            cast(hash(i, 'amount') % 9000 as integer) / 100 as amount
        from range(6000) as t (i)
        """,
    )
    clone.init("--orders", orders)
    clone.built("--exclude", "resource_type:unit_test")
    proved = clone.run("prove", "all", "--connector=own")
    assert proved.returncode == 0, proved.stdout + proved.stderr
    told = re.findall(r"^(\w+) +own .*holds? +\d+ *$", proved.stdout, re.MULTILINE)
    assert tuple(told) == NAMES
    assert not list((clone.root).glob("proofs-*"))


@pytest.mark.parametrize(
    ("stopped", "told"),
    [
        (KeyboardInterrupt(), KeyboardInterrupt),
        (OSError("No space left on device"), Fault),
        (duckdb.IOException("Could not write\nto disk"), Fault),
    ],
)
def test_whatever_stops_a_proof_leaves_no_folder(demo, stopped, told):
    with pytest.raises(told) as raised, workshop(project_of(demo)) as place:
        folder = place.folder
        assert folder.exists()
        raise stopped
    assert not folder.exists()
    assert "\n" not in str(raised.value)


def test_without_a_working_file_a_proof_says_what_to_do(tmp_path):
    refused(run("prove", "truncation", home=tmp_path), 1, "run perennial build")
    refused(run("prove", "nonsense", home=tmp_path), 2, "No such command")


def test_a_feature_alone_is_judged_as_the_library_would(demo):
    """Area under the curve, correlation of ranks and mutual information."""
    audited = demo.rows(
        "select horizon_days, as_of_date, feature_name, auc, missing_auc, "
        "rank_correlation, null_rate, separation from marts.leak_audit "
        "where verdict <> 'too_few_customers' and valued_count >= 30 "
        "and auc is not null "
        "order by hash(horizon_days, as_of_date, feature_name) limit 12"
    )
    assert len(audited) == 12
    for horizon, date, name, *figures in audited:
        auc, missing_auc, correlation, nulls, separation = figures
        frame = demo.frame(
            f"select cast({name} as double) as value, "
            "cast(is_churned as int) as churned "
            "from features.feature_store inner join outcomes.outcome_churn "
            "using (customer_id, as_of_date) "
            f"where as_of_date = date '{date}' and horizon_days = {horizon} "
            "and is_in_scope and is_churned is not null"
        )
        known = frame.dropna()
        assert nulls == pytest.approx(1 - len(known) / len(frame), abs=1e-6)
        if known["churned"].nunique() == 2:
            assert auc == pytest.approx(
                roc_auc_score(known["churned"], known["value"]), abs=1e-6
            )
        if known["value"].min() < known["value"].max():
            expected = stats.spearmanr(known["value"], known["churned"])[0]
            assert correlation == pytest.approx(expected, abs=1e-6)
        assert missing_auc == pytest.approx(
            roc_auc_score(frame["churned"], frame["value"].isna()), abs=1e-6
        )
        assert separation >= max(auc or 0, missing_auc)


def test_the_page_names_each_unit_test_of_an_edge(demo):
    edges = {
        test["name"]
        for test in demo.manifest["unit_tests"].values()
        if "boundary" in test["config"]["tags"]
    }
    page = (ROOT / "docs" / "proofs.md").read_text()
    part = page.split("## The edges")[1].split("\n## ")[0]
    assert set(re.findall(r"`([a-z_]{20,})`", part)) == edges
    assert len(edges) > 30


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.name)
def test_a_leak_can_still_be_planted(plant):
    assert planted_text(ROOT, plant) != (ROOT / plant.file).read_text()


def test_a_leak_whose_text_is_gone_is_told():
    gone = dataclasses.replace(PLANTS[0], text="no such text")
    with pytest.raises(Fault, match="cannot be planted any more"):
        planted_text(ROOT, gone)


def test_a_plant_holds_where_precisely_what_is_meant_turns_red():
    plant = dataclasses.replace(PLANTS[0], meant="late", also={"poison": "a reason"})
    red = {"late": "a finding", "poison": "another"}
    assert Planted(plant, red).holds
    missing = Planted(plant, {"late": "a finding"})
    assert (missing.holds, missing.told) == (False, "late; still green: poison")
    too_many = Planted(plant, red | {"laws": "one more"})
    assert not too_many.holds
    assert too_many.told.endswith("not meant: laws")
    assert Planted(None, {}).holds
    assert not Planted(None, red).holds


@pytest.mark.slow
def test_every_plant_turns_red_what_it_is_meant_to(demo):
    wrong = [
        (planted.name, planted.told)
        for planted in plant_leaks(project_of(demo), PLANTS, tell=print)
        if not planted.holds
    ]
    assert wrong == []


def test_a_proof_that_fails_ends_with_exit_code_1():
    holds = Result("late", "demo", [DAY], 3, 4000, 5.4)
    assert cells(holds) == ("late", "demo", "2025-01-02", "3", "4,000", "holds", "5")
    fails = Result("poison", "demo", findings=["a difference"])
    assert cells(fails)[5] == "1 found"
    cli._end_proofs([holds])
    with pytest.raises(Fault, match="does not hold: poison") as raised:
        cli._end_proofs([holds, fails])
    assert raised.value.exit_code == 1
