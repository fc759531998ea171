"""Models are chosen, kept, judged and replaced, and a score says which one gave it."""

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from conftest import PERENNIAL, ROOT, Build, run_build
from test_churn_models import SETTINGS, company

from perennial import churn, registry
from perennial.faults import Fault
from perennial.macros import macros_of

pytestmark = pytest.mark.registry

TODAY = pd.Timestamp("2024-06-30")
KEY = {"task": "churn", "horizon_days": 90}
GATE_SETTINGS = pd.Series({"min_auc": 0.8, "min_auc_policy": "warn", "model_seed": 7})
FEATURES = ["customer_id", "as_of_date", *SETTINGS.numeric_features, "plan"]


def a_fit(rows: pd.DataFrame, chosen: str = "logistic", champion=None) -> pd.DataFrame:
    """Fit the chosen candidate on these rows, as a run in which it is due does."""
    dates = sorted(rows["as_of_date"].unique())
    splits = pd.DataFrame(
        [(date, "train") for date in dates] + [(TODAY, "score")],
        columns=["as_of_date", "role"],
    ).assign(**KEY, origin_date=TODAY)
    examples = rows[["customer_id", "as_of_date", "fold", "label"]].assign(**KEY)
    decision = {**KEY, "as_of_date": TODAY, "is_due": True, "champion_name": champion}
    return registry.fit_to_score(
        splits,
        examples,
        rows[FEATURES],
        SETTINGS,
        pd.DataFrame([decision]),
        pd.DataFrame([{**KEY, "model_name": chosen, "is_chosen": True}]),
    )


def as_stored(fit, **more) -> pd.DataFrame:
    """Rows of models_to_judge, or of current_models, from what was fitted."""
    return pd.DataFrame(fit).assign(
        model_id=lambda rows: "churn_90d_v1_" + rows["model_name"],
        complexity=5,
        champion_name=None,
        champion_complexity=5,
        role="champion",
        **more,
    )


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return company(2000, seed=1)


@pytest.fixture(scope="module")
def fitted(rows) -> pd.DataFrame:
    return a_fit(rows)


@pytest.fixture(scope="module")
def degraded(rows) -> pd.DataFrame:
    """The same candidate, fitted on the labels of other customers."""
    shuffled = np.random.default_rng(3).permutation(rows["label"].to_numpy())
    return a_fit(rows.assign(label=shuffled))


def verdicts(gates: pd.DataFrame) -> dict[str, str]:
    return dict(zip(gates["gate"], gates["verdict"], strict=True))


# --- a model is a text ----------------------------------------------------------------


def test_a_fit_again_gives_the_same_bytes(rows, fitted):
    again = a_fit(rows.sample(frac=1, random_state=5))
    assert list(fitted["model_name"]) == ["logistic"]
    assert list(again["document_sha256"]) == list(fitted["document_sha256"])
    assert list(again["model_document"]) == list(fitted["model_document"])


def test_the_candidate_that_scores_is_fitted_anew_beside_the_chosen_one(rows):
    both = a_fit(rows, chosen="logistic_six", champion="logistic")
    assert dict(zip(both["model_name"], both["is_chosen"], strict=True)) == {
        "logistic_six": True,
        "logistic": False,
    }


def test_only_what_may_score_is_fitted_and_comes_out_as_beside_all_others(
    rows, fitted, monkeypatch
):
    statistical = {name for name, one in churn.CANDIDATES.items() if one.is_statistical}
    assert churn.candidates_for({"base_rate"}) == {}
    assert set(churn.candidates_for({"base_rate", "mean_of_two"})) == statistical
    monkeypatch.setattr(churn, "candidates_for", lambda names: churn.CANDIDATES)
    assert list(a_fit(rows)["document_sha256"]) == list(fitted["document_sha256"])
    mean = a_fit(rows, "mean_of_two")["document_sha256"]
    monkeypatch.undo()
    assert list(a_fit(rows, "mean_of_two")["document_sha256"]) == list(mean)


def test_what_is_not_due_is_not_fitted(rows, monkeypatch):
    monkeypatch.setattr(churn, "fit_candidates", lambda *_, **__: pytest.fail("!"))
    nothing = registry.fit_to_score(
        pd.DataFrame(columns=["task", "horizon_days", "origin_date", "role"]),
        rows.assign(**KEY),
        rows,
        SETTINGS,
        pd.DataFrame(
            [{**KEY, "as_of_date": TODAY, "is_due": False, "champion_name": None}]
        ),
        pd.DataFrame([{**KEY, "model_name": "logistic", "is_chosen": True}]),
    )
    assert len(nothing) == 0
    assert {"document_sha256", "is_chosen", "as_of_date"} <= set(nothing.columns)


def test_a_changed_document_is_refused_before_it_is_read(fitted, rows, monkeypatch):
    """Each of 200 places, and not one of them parsed."""
    (model,) = as_stored(fitted).itertuples(index=False)
    read = []
    monkeypatch.setattr(registry.json, "loads", read.append)
    for place in np.linspace(0, len(model.model_document) - 1, 200).astype(int):
        text = model.model_document
        other = "x" if text[place] != "x" else "y"
        changed = model._replace(
            model_document=text[:place] + other + text[place + 1 :]
        )
        with pytest.raises(Fault, match="is not what was registered") as told:
            registry.apply_model(changed, rows)
        assert len(str(told.value).splitlines()) == 1
    assert read == []


def test_without_a_model_everybody_is_told_so():
    population = pd.DataFrame({"customer_id": ["C2", "C1"], "as_of_date": TODAY})
    scores = registry.score_with_models(
        population.assign(**KEY),
        population.assign(mrr=1.0),
        pd.DataFrame(columns=[*KEY, "role"]),
    )
    assert list(scores["customer_id"]) == ["C1", "C2"]
    assert scores["probability"].isna().all()
    assert set(scores["model_source"]) == {"none"}


# --- gates ----------------------------------------------------------------------------


def said_of(rows, fits: dict[str, pd.DataFrame], dates=3) -> tuple:
    """Metrics and predictions of past dates, of fits by the name of a candidate."""
    predictions, metrics = [], []
    for date in range(dates):
        held_out = company(1500, seed=50 + date, dates=1)
        at = {**KEY, "as_of_date": TODAY - pd.Timedelta(days=30 * (date + 4))}
        for name, fit in fits.items():
            (model,) = as_stored(fit).itertuples(index=False)
            probability = registry.apply_model(model, held_out)["probability"]
            happened = held_out["label"].to_numpy(float)
            predictions.append(
                held_out[["customer_id"]].assign(
                    **at,
                    model_name=name,
                    probability=probability,
                    is_positive=held_out["label"],
                )
            )
            share = happened.mean()
            brier = np.mean((probability - happened) ** 2)
            found = {
                "brier_skill": 1 - brier / (share * (1 - share)),
                "expected_calibration_error": 0.01,
                "roc_auc": 0.82,
                "average_precision": -brier,
            }
            metrics += [
                {**at, "model_name": name, "metric": metric, "metric_value": value}
                for metric, value in found.items()
            ]
    return pd.DataFrame(metrics), pd.concat(predictions)


def test_the_first_model_passes_with_its_gates_recorded(rows, fitted):
    metrics, predictions = said_of(rows, {"logistic": fitted})
    learned = rows.assign(**KEY)
    gates = registry.judge_models(
        as_stored(fitted), metrics, predictions, learned, GATE_SETTINGS
    )
    assert verdicts(gates) == {
        "calibration_error": "met",
        "brier_skill": "met",
        "roc_auc": "met",
        "roc_auc_spread": "met",
        "average_precision": "first",
        "brier_score": "first",
        "own_rows_skill": "met",
    }
    assert set(gates["verdict"]) <= set(registry.VERDICTS)


def test_a_degraded_challenger_does_not_pass(rows, fitted, degraded):
    """Fitted on shuffled labels, in the past and today."""
    metrics, predictions = said_of(rows, {"xgboost": fitted, "logistic": degraded})
    challenger = as_stored(degraded).assign(champion_name="xgboost")
    told = verdicts(
        registry.judge_models(
            challenger, metrics, predictions, rows.assign(**KEY), GATE_SETTINGS
        )
    )
    assert told["average_precision"] == "not_met"
    assert told["brier_score"] == "not_met"
    assert told["brier_skill"] == "not_met"


def test_a_good_past_does_not_vouch_for_a_model_that_was_fitted_wrongly_today(
    rows, fitted, degraded
):
    metrics, predictions = said_of(rows, {"logistic": fitted})
    challenger = as_stored(degraded).assign(champion_name="logistic")
    told = verdicts(
        registry.judge_models(
            challenger, metrics, predictions, rows.assign(**KEY), GATE_SETTINGS
        )
    )
    assert [gate for gate, verdict in told.items() if verdict == "not_met"] == [
        "own_rows_skill"
    ]


def test_what_is_more_complex_must_be_better_and_what_is_not_may_be_equal(rows, fitted):
    fits = {"logistic": fitted, "xgboost": fitted}
    metrics, predictions = said_of(rows, fits)
    told = {}
    for complexity in (4, 5, 6):
        challenger = as_stored(fitted).assign(
            champion_name="xgboost", complexity=complexity
        )
        gates = registry.judge_models(
            challenger, metrics, predictions, rows.assign(**KEY), GATE_SETTINGS
        )
        told[complexity] = verdicts(gates)["brier_score"]
    assert told == {4: "met", 5: "met", 6: "not_met"}


@pytest.mark.parametrize(
    ("policy", "verdict"), [("warn", "warned"), ("block", "not_met")]
)
def test_min_auc_warns_or_blocks(rows, fitted, policy, verdict):
    metrics, predictions = said_of(rows, {"logistic": fitted})
    settings = pd.Series({**GATE_SETTINGS, "min_auc": 0.9, "min_auc_policy": policy})
    gates = registry.judge_models(
        as_stored(fitted), metrics, predictions, rows.assign(**KEY), settings
    )
    assert verdicts(gates)["roc_auc"] == verdict


def test_a_difference_is_told_from_chance_by_the_same_customers():
    random = np.random.default_rng(1)
    happened = random.random(2000) < 0.3
    customers = [f"C{i:04d}" for i in range(2000)]
    rows = pd.DataFrame({"customer_id": customers, "is_positive": happened})
    good = rows.assign(probability=np.where(happened, 0.4, 0.25))
    base = rows.assign(probability=0.3)
    difference, low, high = registry.brier_interval(good, base, seed=7)
    assert low < difference < high < 0
    # the order of rows is nothing, the seed is something
    shuffled = good.sample(frac=1, random_state=2)
    assert registry.brier_interval(shuffled, base, seed=7) == (difference, low, high)
    assert registry.brier_interval(good, base, seed=8) != (difference, low, high)
    same = registry.brier_interval(base, base, seed=7)
    assert same == (0, 0, 0)
    # of one customer chance says nothing
    _, low, high = registry.brier_interval(good[:1], base[:1], seed=7)
    assert (low, high) == (-np.inf, np.inf)


def test_every_candidate_has_its_place_in_the_order():
    order = macros_of(ROOT).candidates_in_order()
    assert {"base_rate", *churn.CANDIDATES, "mean_of_two"} <= set(order)
    known = [name for name in order if name in churn.CANDIDATES]
    assert known == list(churn.CANDIDATES)


# --- day by day -----------------------------------------------------------------------

#: The sample log is scored on two days, of which the second is not due for a fit.
DAYS = ("1998-06-20", "1998-06-30")

#: What is built of each day, with all that it needs.
MARTS = ("+churn_scores_daily", "+churn_leaderboard")

#: What a run leaves that another run may not change.
LASTING = (
    *("fits.fit_churn", "registry."),
    *("marts.churn_scores_daily", "marts.churn_leaderboard"),
)


@dataclass
class Days:
    """A company that is scored on one day after the other, in one home."""

    home: Path

    def build(self, day: str, selection: tuple[str, ...], *options: str, **settings):
        wanted = {
            "cdnow_log": "sample",
            "search_trials": 0,
            "horizons_days": [91],
            "origin_dates": ["1997-07-31", "1997-10-31", "1998-01-31", "1998-02-28"],
            "score_date": day,
        }
        built = run_build(
            self.home,
            settings={**wanted, **settings},
            selection=(
                *("--resource-type", "model", "--resource-type", "seed"),
                *("--select", *selection, *options),
            ),
        )
        self.last = built
        return built

    def whole(self, day: str, *options: str, **settings) -> Build:
        return self.build(day, MARTS, *options, **settings)

    def again(self, day: str, *options: str, **settings) -> Build:
        """The same marts, from the decision to fit on: the features are there."""
        selection = tuple(f"retrain_decision+,{mart}" for mart in MARTS)
        return self.build(day, selection, *options, **settings)

    def lasting(self) -> dict[str, tuple]:
        found = self.last.digests()
        return {name: found[name] for name in found if name.startswith(LASTING)}

    def models(self, *arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [PERENNIAL, "models", *arguments, "--connector", "cdnow"],
            cwd=ROOT,
            env={**os.environ, "PERENNIAL_HOME": str(self.home)},
            capture_output=True,
            text=True,
        )

    def copy(self, home: Path) -> "Days":
        shutil.copytree(self.home / "warehouse", home / "warehouse")
        copied = Days(home)
        copied.last = Build(home, 0, "", "")
        return copied


def scores(build: Build, day: str) -> list[tuple]:
    return build.rows(
        "select * from marts.churn_scores_daily where as_of_date = ? order by all", day
    )


@pytest.fixture(scope="module")
def first_day(tmp_path_factory) -> Days:
    days = Days(tmp_path_factory.mktemp("days"))
    built = days.whole(DAYS[0])
    assert built.exit_code == 0, built.output + built.errors
    return days


@pytest.fixture(scope="module")
def second_day(first_day, tmp_path_factory) -> Days:
    days = first_day.copy(tmp_path_factory.mktemp("second"))
    built = days.whole(DAYS[1])
    assert built.exit_code == 0, built.output + built.errors
    return days


@pytest.fixture(scope="module")
def third_day(second_day, tmp_path_factory) -> Days:
    """The second day, once a fit was asked for."""
    days = second_day.copy(tmp_path_factory.mktemp("third"))
    built = days.again(DAYS[1], fit_now=True)
    assert built.exit_code == 0, built.output + built.errors
    return days


def test_the_first_model_scores_everybody_in_scope(first_day):
    built = first_day.last
    assert built.row("select is_due, reason from training.retrain_decision") == (
        True,
        "first_run",
    )
    assert built.row(
        "select model_id, stage, last_note from registry.model_stages"
    ) == ("churn_91d_v1", "champion", "the first model")
    assert {
        gate for (gate,) in built.rows("select gate from registry.promotion_log")
    } == {
        *("average_precision", "brier_score", "brier_skill", "calibration_error"),
        *("decision", "own_rows_skill", "roc_auc", "roc_auc_spread"),
    }
    # in scope on that day, once each, and nobody else
    (unlike,) = built.row(
        "select count(*) from marts.churn_scores_daily as s full join ("
        " from outcomes.outcome_churn where is_in_scope and as_of_date = ?) as o"
        " using (customer_id, as_of_date, horizon_days)"
        " where s.customer_id is null or o.customer_id is null",
        DAYS[0],
    )
    count, statuses = built.row(
        "select count(*), list(distinct score_status) from marts.churn_scores_daily"
    )
    assert (unlike, count > 100, statuses) == (0, True, ["ok"])


def test_the_chosen_one_is_the_best_of_the_dates_for_selection(first_day):
    """The newest origin left out: the choice again, from the metrics."""
    metrics = first_day.last.frame(
        "select * from evaluations.eval_churn where population = 'all'"
    )
    metrics = metrics[metrics["as_of_date"] < metrics["as_of_date"].max()]
    means = metrics.pivot_table("metric_value", index="model_name", columns="metric")
    best = means[means["brier_skill"] > 0]["average_precision"].idxmax()
    assert first_day.last.row(
        "select model_name, selection_origins_count from marts.churn_leaderboard"
        " where is_chosen"
    ) == (best, metrics["as_of_date"].nunique())
    (registered,) = first_day.last.row("select model_name from registry.model_registry")
    assert registered == best


def test_a_second_build_fits_nothing_and_changes_no_row(first_day, tmp_path):
    again = first_day.copy(tmp_path)
    before = again.lasting()
    built = again.again(DAYS[0])
    assert built.exit_code == 0, built.output + built.errors
    assert built.row("select reason from training.retrain_decision") == ("not_due",)
    assert built.row("select count(*) from training.train_due_splits") == (0,)
    assert built.row("select count(*) from registry.fit_challenger") == (0,)
    assert again.lasting() == before
    assert {"registry.predictions_log", "fits.fit_churn"} <= set(before)
    # asked for, the same fit on the same day is no new model
    built = again.again(DAYS[0], fit_now=True)
    assert built.row("select reason from training.retrain_decision") == ("asked",)
    assert built.row("select count(*) from registry.fit_challenger") == (1,)
    assert again.lasting() == before
    # nor is one that a full refresh asks for, and no past score is given again
    built = again.again(DAYS[0], "--full-refresh")
    assert built.exit_code == 0, built.output + built.errors
    assert again.lasting() == before


@pytest.mark.slow
def test_a_day_that_is_not_due_scores_and_does_not_fit(first_day, second_day):
    built = second_day.last
    assert built.row("select reason from training.retrain_decision") == ("not_due",)
    assert built.row("select count(*) from registry.model_registry") == (1,)
    days = built.rows("select distinct as_of_date from marts.churn_scores_daily")
    assert {str(day) for (day,) in days} == set(DAYS)
    # what was published before stays as it was
    assert scores(built, DAYS[0]) == scores(first_day.last, DAYS[0])
    assert {row[-5] for row in scores(built, DAYS[1])} == {"churn_91d_v1"}


@pytest.mark.slow
def test_a_fit_that_is_asked_for_is_a_model_of_its_own(third_day):
    assert third_day.last.rows(
        "select cast(as_of_date as varchar), fit_reason from registry.model_registry"
        " where is_chosen order by version"
    ) == [(DAYS[0], "first_run"), (DAYS[1], "asked")]


@pytest.mark.slow
def test_the_hash_beside_a_score_is_that_of_its_features(third_day):
    built = third_day.last
    assert built.row(
        "select count(*),"
        " count(*) filter (where p.features_sha256 <> sha256(f.features))"
        " from registry.predictions_log as p"
        " inner join registry.prediction_features as f using (customer_id, as_of_date)"
    ) == (*built.row("select count(*) from registry.predictions_log"), 0)


@pytest.mark.slow
def test_a_score_can_be_made_again_from_what_is_kept(third_day):
    """From the document and the features in the log, and nothing else."""
    built = third_day.last
    models = built.frame("select * from registry.model_registry")
    logged = built.frame(
        "select p.*, f.features from registry.predictions_log as p"
        " inner join registry.prediction_features as f using (customer_id, as_of_date)"
    )
    assert set(logged["model_id"]) <= set(models["model_id"])
    for model in models.itertuples(index=False):
        rows = logged[logged["model_id"] == model.model_id]
        seen = pd.DataFrame([json.loads(text) for text in rows["features"]])
        said = registry.apply_model(model, seen)
        assert list(said["margin"]) == list(rows["margin"])
        assert list(said["probability"]) == list(rows["probability"])


@pytest.mark.slow
def test_after_a_rollback_the_scores_are_those_of_that_model(third_day, tmp_path):
    back = third_day.copy(tmp_path)
    promote(back, "churn_91d_v2")
    assert back.again(DAYS[1]).exit_code == 0
    newer = scores(back.last, DAYS[1])
    assert {row[-5] for row in newer} == {"churn_91d_v2"}
    done = back.models("rollback", "churn_91d_v1")
    assert done.returncode == 0, done.stderr
    built = back.again(DAYS[1])
    assert built.exit_code == 0, built.output + built.errors
    older = scores(built, DAYS[1])
    assert {row[-5] for row in older} == {"churn_91d_v1"}
    assert older != newer
    features = built.frame(
        "select * from features.feature_store where as_of_date = "
        f"date '{DAYS[1]}' order by customer_id"
    )
    features = features[features["customer_id"].isin([row[1] for row in older])]
    (model,) = built.frame(
        "select * from registry.model_registry where model_id = 'churn_91d_v1'"
    ).itertuples(index=False)
    said = registry.apply_model(model, features)
    expected = zip(
        features["customer_id"], said["margin"], said["probability"], strict=True
    )
    assert [(row[1], row[5], row[4]) for row in older] == list(expected)
    # what the other day said stays
    assert scores(built, DAYS[0]) == scores(third_day.last, DAYS[0])
    # and back again
    assert back.models("rollback", "churn_91d_v2").returncode == 0
    assert scores(back.again(DAYS[1]), DAYS[1]) == newer


def promote(days: Days, model_id: str) -> None:
    """Have the second model score, whatever its gates said of so small a company."""
    with duckdb.connect(str(days.last.file)) as connection:
        connection.execute(
            "update registry.promotion_log set event = 'promoted'"
            " where event <> 'gate' and model_id = ?",
            [model_id],
        )


@pytest.mark.slow
def test_a_share_of_customers_can_be_given_to_the_challenger(third_day, tmp_path):
    canary = third_day.copy(tmp_path)
    with duckdb.connect(str(canary.last.file)) as connection:
        connection.execute(
            "update registry.promotion_log set event = 'kept_out'"
            " where event <> 'gate' and model_id <> 'churn_91d_v1'"
        )
    whole = canary.again(DAYS[1])
    assert whole.exit_code == 0, whole.output + whole.errors
    assert {row[-5] for row in scores(whole, DAYS[1])} == {"churn_91d_v1"}
    shadow = whole.row(
        "select count(*), count(*) filter (where is_published)"
        " from registry.predictions_log where role = 'challenger'"
        " and as_of_date = ? and prediction_number = "
        "(select max(prediction_number) from registry.predictions_log)",
        DAYS[1],
    )
    customers = len(scores(whole, DAYS[1]))
    assert shadow == (customers, 0)
    half = canary.again(DAYS[1], canary_share=0.5)
    given = [row[-5] for row in scores(half, DAYS[1])]
    assert len(given) == customers
    assert 0.4 < given.count("churn_91d_v1") / customers < 0.6
    assert [row[-5] for row in scores(canary.again(DAYS[1]), DAYS[1])] == (
        ["churn_91d_v1"] * customers
    )


def test_a_tampered_model_stops_the_build_in_one_line(first_day, tmp_path):
    tampered = first_day.copy(tmp_path)
    with duckdb.connect(str(tampered.last.file)) as connection:
        connection.execute(
            "update registry.model_registry"
            " set model_document = replace(model_document, '1', '2')"
        )
    built = tampered.again(DAYS[0])
    assert built.exit_code == 1
    assert "The model churn_91d_v1 is not what was registered" in built.errors
    assert "Traceback" not in built.output + built.errors
    assert len(built.errors.strip().splitlines()) <= 2


@pytest.mark.slow
def test_models_are_listed_and_shown_and_a_wrong_name_is_told_in_one_line(third_day):
    listed = third_day.models("list")
    assert listed.returncode == 0
    assert "churn_91d_v1" in listed.stdout
    shown = third_day.models("show", "churn_91d_v1")
    assert shown.returncode == 0
    for told in ("document_sha256", "## Gates", "own_rows_skill", "the first model"):
        assert told in shown.stdout
    for arguments in (
        ("show", "nobody"),
        ("approve", "churn_91d_v1"),
        ("rollback", "nobody"),
        ("rollback", "'; drop table marts.clv_scores; --"),
    ):
        wrong = third_day.models(*arguments)
        assert wrong.returncode == 2
        assert len(wrong.stderr.strip().splitlines()) == 1


@pytest.mark.slow
def test_a_model_waits_for_a_person_where_the_setting_says_so(first_day, tmp_path):
    waiting = first_day.copy(tmp_path)
    with duckdb.connect(str(waiting.last.file)) as connection:
        for table in ("promotion_log", "model_registry", "predictions_log"):
            connection.execute(f"delete from registry.{table}")
    built = waiting.again(DAYS[0], approval="manual")
    assert built.exit_code == 0, built.output + built.errors
    assert {row[-6] for row in scores(built, DAYS[0])} == {"no_model"}
    assert waiting.models("approve", "churn_91d_v1").returncode == 0
    built = waiting.again(DAYS[0], approval="manual")
    assert scores(built, DAYS[0]) == scores(first_day.last, DAYS[0])


@pytest.mark.slow
@pytest.mark.reasons
def test_a_move_since_the_day_before_is_told_in_parts_that_add_up(third_day, tmp_path):
    """Over two scored days, of everybody who was in scope on both."""
    built = third_day.copy(tmp_path).build(DAYS[1], ("+score_changes",))
    assert built.exit_code == 0, built.output + built.errors
    (count, ok, unlike, worst) = built.row(
        "select count(*), count(*) filter (where change_status = 'ok'),"
        " count(*) filter (where abs(c.margin_change - (today.margin - before.margin))"
        " > 1e-12),"
        " max(abs(margin_change"
        " - (features_change + model_change + calibration_change)))"
        " from marts.score_changes as c"
        " inner join marts.churn_scores_daily as today"
        " using (task, customer_id, horizon_days, as_of_date)"
        " inner join marts.churn_scores_daily as before"
        " on before.customer_id = c.customer_id"
        " and before.horizon_days = c.horizon_days"
        " and before.as_of_date = c.previous_as_of_date"
        f" where c.as_of_date = date '{DAYS[1]}'"
        f" and c.previous_as_of_date = date '{DAYS[0]}'"
    )
    assert (ok, unlike) == (count, 0)
    assert count > 100
    assert worst <= 1e-6
