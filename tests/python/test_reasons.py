"""Why a score is what it is: contributions that are exact, and add up, in words."""

import dataclasses
import itertools
import json
import math
import os
import subprocess

import lightgbm
import numpy as np
import pandas as pd
import pytest
from conftest import PERENNIAL, ROOT, Build
from test_churn_models import NUMERIC, SETTINGS, company

from perennial import (
    calibration,
    churn,
    explaining,
    reasons,
    registry,
    shapley,
)
from perennial.company import causes
from perennial.faults import Fault
from perennial.project import Project

pytestmark = pytest.mark.reasons

TODAY = pd.Timestamp("2024-01-31")


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """Customers, some of whom never bought, and of some a plan is not known."""
    rows = company(1200, seed=1, dates=1)
    never = [name for name in NUMERIC if "order" in name]
    rows.loc[rows.index % 10 == 0, never] = np.nan
    rows.loc[rows.index % 7 == 0, "plan"] = None
    return rows


@pytest.fixture(scope="module")
def documents(rows) -> dict[str, dict]:
    """Of each candidate what it learned, as it is read back."""
    fitted = churn.fit_all(rows, SETTINGS)
    assert [one.status for one in fitted] == ["ok"] * len(fitted)
    return {one.model_name: json.loads(json.dumps(one.document)) for one in fitted}


# --- contributions --------------------------------------------------------------------


def test_contributions_add_up_to_the_margin_of_every_candidate(rows, documents):
    for name, document in documents.items():
        found = reasons.contributions(document, rows)
        margins = churn.margins(document, rows)
        assert list(np.isnan(margins)) == list(np.isnan(found.margins)), name
        np.testing.assert_allclose(found.margins, margins, rtol=0, atol=1e-4)
        if name not in ("xgboost", "mean_of_two"):  # its numbers have 32 bits
            np.testing.assert_allclose(found.margins, margins, rtol=0, atol=1e-7)
    assert {"xgboost", "lightgbm", "logistic", "mean_of_two"} <= set(documents)


def xgboost_nodes(document: dict) -> list[dict]:
    """Trees as nested nodes: value and cover of leaves, else feature and branches."""

    def node(tree: dict, place: int) -> dict:
        cover, left = tree["sum_hessian"][place], tree["left_children"][place]
        if left < 0:
            return {"cover": cover, "value": tree["split_conditions"][place]}
        right = tree["right_children"][place]
        threshold = np.float32(tree["split_conditions"][place])
        return {
            "cover": cover,
            "feature": tree["split_indices"][place],
            "goes_left": lambda x: x < threshold,
            "null_left": bool(tree["default_left"][place]),
            "branches": (node(tree, left), node(tree, right)),
        }

    trees = document["trees"]["learner"]["gradient_booster"]["model"]["trees"]
    return [node(tree, 0) for tree in trees]


def lightgbm_nodes(document: dict) -> list[dict]:
    def node(told: dict) -> dict:
        if "leaf_value" in told:
            return {"cover": told.get("leaf_count", 1), "value": told["leaf_value"]}
        threshold = told["threshold"]
        return {
            "cover": told["internal_count"],
            "feature": told["split_feature"],
            "goes_left": lambda x: x <= threshold,
            "null_left": told["missing_type"] == "NaN" and told["default_left"],
            "branches": (node(told["left_child"]), node(told["right_child"])),
        }

    trees = lightgbm.Booster(model_str=document["text"]).dump_model()["tree_info"]
    return [node(tree["tree_structure"]) for tree in trees]


def expected_value(node: dict, x: np.ndarray, known: frozenset) -> float:
    """Mean over the branches that features of which nothing is known could take."""
    if "value" in node:
        return node["value"]
    if node["feature"] in known:
        value = x[node["feature"]]
        is_left = node["null_left"] if np.isnan(value) else node["goes_left"](value)
        return expected_value(node["branches"][not is_left], x, known)
    return sum(
        branch["cover"] * expected_value(branch, x, known)
        for branch in node["branches"]
    ) / sum(branch["cover"] for branch in node["branches"])


def shapley_values(trees: list[dict], x: np.ndarray) -> np.ndarray:
    """Every subset of the features, from the definition of Shapley (1953)."""
    count = len(x)
    value = {
        subset: sum(expected_value(tree, x, frozenset(subset)) for tree in trees)
        for size in range(count + 1)
        for subset in itertools.combinations(range(count), size)
    }
    found = np.zeros(count)
    for feature in range(count):
        for subset in value:
            if feature in subset:
                continue
            size = len(subset)
            weight = math.factorial(size) * math.factorial(count - size - 1)
            more = tuple(sorted((*subset, feature)))
            found[feature] += weight * (value[more] - value[subset])
    return found / math.factorial(count)


@pytest.mark.parametrize(
    ("name", "nodes"), [("xgboost", xgboost_nodes), ("lightgbm", lightgbm_nodes)]
)
def test_contributions_of_trees_are_the_shapley_values(rows, name, nodes):
    """All subsets of four features, of which some are NULL, and a category."""
    few = dataclasses.replace(
        SETTINGS, numeric_features=("mrr", "days_since_last_use"), categories=("plan",)
    )
    family = churn.FAMILIES[name]
    document = churn.fit_family(family, rows, few, {**family.fixed, "trees": 8})
    document = json.loads(json.dumps(document))
    asked = rows.iloc[:25]
    found = reasons.contributions(document, asked)
    matrix = family.matrix(document["encoder"], asked).astype(float)
    trees = nodes(document)
    for place, x in enumerate(matrix):
        by_column = shapley_values(trees, x)
        # mrr, days_since_last_use, and the columns of the plan
        expected = {
            "mrr": by_column[0],
            "days_since_last_use": by_column[1],
            "plan": by_column[2:].sum(),
        }
        told = dict(zip(found.names, found.matrix[place], strict=True))
        assert told == pytest.approx(expected, abs=1e-5)
    assert np.abs(found.matrix).max() > 0.1


@pytest.mark.parametrize("nulls", [0.0, 0.3])
def test_contributions_of_many_rows_are_those_that_the_library_gives(rows, nulls):
    """Deep trees, rows with NULL where training had none, and other way round."""
    random = np.random.default_rng(5)
    learned = random.normal(size=(3000, 6)).round(1)
    happened = learned[:, 0] * learned[:, 1] + learned[:, 2] > 0.3
    learned[random.random(learned.shape) < nulls] = np.nan
    asked = random.normal(size=(400, 6)).round(1)
    asked[random.random(asked.shape) < 0.2] = np.nan
    told = {"objective": "binary", "num_leaves": 31, "min_data_in_leaf": 5}
    told |= {"verbosity": -1, "num_threads": 1}
    trees = lightgbm.train(told, lightgbm.Dataset(learned, label=happened), 20)
    values, base = shapley.of_leaf_wise_trees(trees.dump_model()["tree_info"], asked)
    expected = trees.predict(asked, pred_contrib=True)
    np.testing.assert_allclose(values, expected[:, :-1], rtol=0, atol=1e-9)
    np.testing.assert_allclose(base, expected[:, -1], rtol=0, atol=1e-9)
    assert np.abs(values).max() > 0.5


def test_it_does_not_matter_which_of_the_two_explains(rows, documents, monkeypatch):
    few = reasons.contributions(documents["lightgbm"], rows)
    monkeypatch.setattr(reasons, "MANY_ROWS", 1)
    many = reasons.contributions(documents["lightgbm"], rows)
    assert few.names == many.names
    np.testing.assert_allclose(few.matrix, many.matrix, rtol=0, atol=2e-9)
    np.testing.assert_allclose(few.base, many.base, rtol=0, atol=2e-9)


def test_a_customer_like_the_mean_of_training_has_no_reasons(rows, documents):
    """The base of a weighted sum is its mean over the training rows."""
    for name in ("logistic", "logistic_six"):
        found = reasons.contributions(documents[name], rows)
        assert np.abs(found.matrix.mean(axis=0)).max() < 1e-8
        assert found.base[0] == pytest.approx(
            churn.margins(documents[name], rows).mean(), abs=1e-8
        )
        assert np.abs(found.matrix).max() > 0.1


def test_a_category_and_a_null_count_with_their_feature(rows, documents):
    found = reasons.contributions(documents["logistic"], rows)
    assert "plan" in found.names
    assert [name for name in found.names if "=" in name or "_is_null" in name] == []
    assert found.names == sorted(set(found.names))
    # of those without a plan as well, and not the same for all
    plan = pd.Series(found.matrix[:, found.names.index("plan")])
    assert plan.groupby(rows["plan"].fillna("none")).nunique().to_dict() == {
        "none": 1,
        "solo": 1,
        "team": 1,
    }
    assert plan.nunique() == 3


def test_a_mean_contributes_the_mean_of_its_members(rows, documents):
    document = documents["mean_of_two"]
    found = reasons.contributions(document, rows)
    first, second = (
        pd.DataFrame(one.matrix, columns=one.names)
        for one in (reasons.contributions(part, rows) for part in document["members"])
    )
    expected = first.add(second, fill_value=0) / 2
    assert found.names == list(expected.columns)
    np.testing.assert_allclose(found.matrix, expected, rtol=0, atol=1e-8)


def test_the_rhythm_of_purchases_is_one_reason_and_the_base_rate_has_none(
    rows, documents
):
    for name in ("bg_nbd", "recency_rule"):
        found = reasons.contributions(documents[name], rows)
        assert found.names == [reasons.PURCHASE_RHYTHM]
    mixed = {
        "kind": "mean",
        "members": [documents["bg_nbd"], documents["logistic"]],
        "base_margin": documents["logistic"]["base_margin"],
    }
    found = reasons.contributions(mixed, rows)
    assert reasons.PURCHASE_RHYTHM in found.names
    bought = rows["days_since_first_order"].notna().to_numpy()
    assert list(np.isnan(found.margins)) == list(~bought)
    assert reasons.contributions(documents["base_rate"], rows).names == []


# --- in words -------------------------------------------------------------------------

CATALOGUE = pd.DataFrame(
    [
        ("mrr", "amount", "money", "No price.", "Revenue: all of it."),
        ("days_since_last_use", "days", "days", None, "Days since the last use."),
        ("share", "rate", "share", None, "Share of something; 1 is all."),
        ("time", "amount", "seconds", None, "Time spent."),
        ("flag", "flag", None, None, "Whether it is so."),
        ("plan", "category", None, "No plan.", "Plan of the customer."),
    ],
    columns=["feature_name", "kind", "unit", "null_means", "description"],
)


def as_models(documents: dict[str, dict]) -> pd.DataFrame:
    texts = {name: json.dumps(document) for name, document in documents.items()}
    return pd.DataFrame(
        {
            "model_id": list(texts),
            "model_document": list(texts.values()),
            "document_sha256": [registry.document_hash(t) for t in texts.values()],
        }
    )


def as_asked(rows: pd.DataFrame, model_id: str) -> pd.DataFrame:
    asked = rows[["customer_id", "as_of_date"]].assign(model_id=model_id)
    return asked.assign(task="churn", horizon_days=90, features_sha256="seen")


def explained(rows, documents, name: str) -> pd.DataFrame:
    models = as_models({name: documents[name]})
    seen = rows.assign(features_sha256="seen")
    usual = reasons.importance(as_asked(rows, name), seen, models)
    return reasons.explain(as_asked(rows, name), seen, models, CATALOGUE, usual)


def test_told_reasons_add_up_to_the_raw_score(rows, documents):
    for name, document in documents.items():
        told = explained(rows, documents, name)
        sums = told.groupby("customer_id")["contribution"].sum()
        raw = pd.Series(churn.margins(document, rows), index=rows["customer_id"])
        np.testing.assert_allclose(sums, raw.dropna().loc[sums.index], atol=1e-4)
        # nothing is made up about those of whom the model says nothing
        assert len(sums) == raw.notna().sum()
        assert told.groupby("customer_id").size().max() <= reasons.TOLD_FEATURES + 2


def test_the_strongest_come_first_and_equals_by_name():
    found = reasons.Contributions(
        ["days_since_last_use", "flag", "mrr", "share"],
        np.array([[0.2, -0.5, 0.5, 0.0]]),
        np.array([-1.0]),
    )
    numeric = [{"name": name} for name in found.names]
    document = {"kind": "weights", "encoder": {"numeric": numeric, "categories": []}}
    rows = as_asked(pd.DataFrame({"customer_id": ["C1"], "as_of_date": [TODAY]}), "m")
    rows = rows.assign(days_since_last_use=4, flag=1, mrr=None, share=0.5)
    words = reasons._Words(CATALOGUE, pd.DataFrame())
    told = reasons._told(rows, found, words, document)
    assert told[["feature_name", "feature_rank", "contribution", "value"]].to_numpy(
        object, na_value=None
    ).tolist() == [
        ["flag", 1, -0.5, "yes"],
        ["mrr", 2, 0.5, "none"],
        ["days_since_last_use", 3, 0.2, "4"],
        ["all_others", None, 0.0, None],
        ["base", None, -1.0, None],
    ]


@pytest.mark.parametrize(
    ("name", "value", "usual", "reason"),
    [
        ("mrr", 1234.5, 99.0, "Revenue: 1,234.50 (usually 99)"),
        ("mrr", np.nan, 99.0, "Revenue: none (no price; usually 99)"),
        (
            "days_since_last_use",
            43.0,
            np.nan,
            "Days since the last use: 43 (usually none)",
        ),
        ("share", 0.125, 0.5, "Share of something: 12% (usually 50%)"),
        ("time", 0.5, 755.4, "Time spent: 0.50 seconds (usually 755 seconds)"),
        ("flag", 1.0, 0.0, "Whether it is so: yes (usually no)"),
        ("plan", "solo", "team", "Plan of the customer: solo (usually team)"),
        ("unheard_of", 3.0, 2.0, "unheard_of: 3 (usually 2)"),
    ],
)
def test_a_reason_names_the_value_and_the_usual_one(name, value, usual, reason):
    is_text = isinstance(usual, str)
    usually = pd.DataFrame(
        {
            "usual_number": [np.nan if is_text else usual],
            "usual_text": [usual if is_text else None],
        },
        index=[name],
    )
    assert reasons._Words(CATALOGUE, usually).reason(name, value) == reason


def test_what_is_usual_is_the_median_or_the_commonest():
    assert reasons._usual(pd.Series([1.0, 2.0, 10.0])) == (2.0, None)
    number, _ = reasons._usual(pd.Series([1.0, np.nan, np.nan]))
    assert np.isnan(number)
    texts = pd.Series(["b", "a", "a", "b", None], dtype=object)
    assert reasons._usual(texts)[1] == "a"
    assert reasons._usual(pd.Series([None, None, "a"], dtype=object))[1] is None


def test_a_changed_document_is_not_explained(rows, documents):
    models = as_models({"logistic": documents["logistic"]})
    models["model_document"] += " "
    asked, seen = as_asked(rows, "logistic"), rows.assign(features_sha256="seen")
    with pytest.raises(Fault, match="is not what was registered"):
        reasons.importance(asked, seen, models)


def test_importance_is_the_mean_size_of_what_a_feature_contributes(rows, documents):
    name = "mean_of_two"
    told = reasons.importance(
        as_asked(rows, name),
        rows.assign(features_sha256="seen"),
        as_models({name: documents[name]}),
    ).set_index("feature_name")
    found = reasons.contributions(documents[name], rows)
    expected = pd.Series(np.abs(found.matrix).mean(axis=0), index=found.names)
    np.testing.assert_allclose(
        told["mean_absolute_contribution"], expected[told.index], atol=1e-8
    )
    assert list(told["importance_rank"]) == list(range(1, len(told) + 1))
    assert told["mean_absolute_contribution"].is_monotonic_decreasing
    assert told["importance_share"].sum() == pytest.approx(1, abs=1e-4)


def test_dependence_asks_the_model_with_one_feature_changed(rows, documents):
    name = "lightgbm"
    models, asked = as_models({name: documents[name]}), as_asked(rows, name)
    seen = rows.assign(features_sha256="seen")
    told = reasons.dependence(
        asked, seen, models, reasons.importance(asked, seen, models)
    )
    assert {"plan", "mrr"} <= set(told["feature_name"])
    few = rows.iloc[: reasons.DRAWN_CUSTOMERS]
    for row in told.iloc[::7].itertuples():
        value = row.value_text if row.feature_name == "plan" else row.value_number
        changed = few.assign(**{row.feature_name: value})
        margins = churn.margins(documents[name], changed)
        said = calibration.calibrated(documents[name]["calibrator"], margins)
        assert row.mean_probability == pytest.approx(said.mean(), abs=1e-6)
        assert row.mean_margin == pytest.approx(margins.mean(), abs=1e-8)


# --- what moved a score ---------------------------------------------------------------


def moved(rows, documents, before: str, after: str) -> pd.DataFrame:
    """Changes from one day to the next, on which customers used the product less."""
    tomorrow = TODAY + pd.Timedelta(days=1)
    then = rows.assign(as_of_date=TODAY, features_sha256="then")
    now = rows.assign(
        as_of_date=tomorrow,
        features_sha256="now",
        days_since_last_use=rows["days_since_last_use"] + 9,
    )
    models = as_models(documents)
    pairs = as_asked(now, after).assign(
        features_sha256="now",
        previous_as_of_date=TODAY,
        previous_model_id=before,
        previous_features_sha256="then",
    )
    for name, seen in (("margin", now), ("previous_margin", then)):
        model = as_models({name: documents[after if seen is now else before]})
        (model,) = model.assign(model_name=name, candidate_status="ok").itertuples()
        pairs[name] = registry.apply_model(model, seen)["margin"]
    told = reasons.changes(pairs, pd.concat([then, now]), models)
    assert set(told["change_status"]) == {"ok"}
    return told.merge(pairs[["customer_id", "margin", "previous_margin"]])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        *itertools.product(["mean_of_two"], ["mean_of_two", "logistic", "base_rate"]),
        *itertools.product(["bg_nbd"], ["logistic", "recency_rule"]),
        *itertools.product(["recency_rule", "base_rate"], ["xgboost"]),
    ],
)
def test_changes_add_up_to_the_move_of_the_log_odds(rows, documents, before, after):
    told = moved(rows, documents, before, after)
    parts = told[["features_change", "model_change", "calibration_change"]]
    np.testing.assert_allclose(
        parts.sum(axis=1), told["margin"] - told["previous_margin"], rtol=0, atol=1e-6
    )
    if before == after:
        assert (parts[["model_change", "calibration_change"]] == 0).all(axis=None)
        assert parts["features_change"].abs().max() > 0.1
    else:
        others = parts[["model_change", "calibration_change"]]
        assert others.abs().to_numpy().max() > 0.1
    if "recency_rule" in (before, after):
        assert (parts["calibration_change"] == 0).all()


def test_customers_are_taken_in_turns_and_none_is_lost(rows, documents, monkeypatch):
    whole = moved(rows, documents, "logistic", "xgboost")
    monkeypatch.setattr(churn, "CUSTOMERS_AT_A_TIME", 250)
    shuffled = rows.sample(frac=1, random_state=4)
    turns = moved(shuffled, documents, "logistic", "xgboost")
    turns = turns.sort_values("customer_id", ignore_index=True)
    pd.testing.assert_frame_equal(whole, turns)
    told = explained(rows, documents, "logistic")
    assert told["customer_id"].nunique() == len(rows)


def test_another_calibration_alone_is_told_as_such(rows, documents):
    document = documents["logistic"]
    other = {**document, "calibrator": documents["xgboost"]["calibrator"]}
    told = moved(rows, {"one": document, "other": other}, "one", "other")
    assert (told["model_change"] == 0).all()
    assert told["calibration_change"].abs().max() > 0.01
    assert told["features_change"].abs().max() > 0.1


def test_another_model_alone_is_told_as_such(rows, documents):
    document = documents["logistic"]
    other = {**documents["xgboost"], "calibrator": document["calibrator"]}
    told = moved(rows, {"one": document, "other": other}, "one", "other")
    assert told["calibration_change"].abs().max() < 1e-12
    assert told["model_change"].abs().max() > 0.1


def test_a_change_without_a_model_or_without_features_says_so(rows, documents):
    models = as_models({"xgboost": documents["xgboost"]})
    few = rows.iloc[:2]
    pairs = as_asked(few, "xgboost").assign(
        previous_as_of_date=TODAY - pd.Timedelta(days=40),
        previous_model_id=["xgboost", None],
        previous_features_sha256="gone",
    )
    told = reasons.changes(pairs, few.assign(features_sha256="seen"), models)
    assert dict(zip(told["customer_id"], told["change_status"], strict=True)) == {
        "C00000": "features_gone",
        "C00001": "no_model",
    }
    assert told["features_change"].isna().all()


# --- what a build leaves --------------------------------------------------------------


def test_those_above_the_lowest_band_are_explained_the_highest_first(demo):
    """Worked out again from what was published."""
    scores = demo.frame("from marts.churn_scores_daily")
    expected = set()
    for (task, horizon), rows in scores.groupby(["task", "horizon_days"]):
        most = math.ceil(0.10 * len(rows))
        above = rows[(rows["risk_band"] != "low") & (rows["score_status"] == "ok")]
        ranked = above.sort_values(
            ["raw_score", "customer_id"], ascending=[False, True]
        )
        expected |= {(task, horizon, who) for who in ranked["customer_id"][:most]}
    told = demo.rows(
        "select distinct task, horizon_days, customer_id from marts.score_reasons"
    )
    assert set(told) == expected
    assert len(expected) > 50


def test_reasons_in_the_marts_add_up_to_what_was_published(demo):
    (worst, count) = demo.row(
        "select max(abs(raw_score - told)), count(*) from ("
        " select task, horizon_days, customer_id, sum(contribution) as told"
        " from marts.score_reasons group by all"
        ") inner join marts.churn_scores_daily using (task, horizon_days, customer_id)"
    )
    assert count > 50
    assert worst <= 1e-4


def test_everybody_has_a_row_with_the_score_that_was_published(demo):
    (unlike, count, known) = demo.row(
        "select count(*) filter (where s.probability is distinct from c.probability"
        " or s.risk_band is distinct from c.risk_band),"
        " count(*), count(c.probability) from marts.customer_360 as c"
        " left join marts.churn_scores_daily as s on s.customer_id = c.customer_id"
        " and s.task = 'churn' and s.horizon_days = 90"
    )
    assert (unlike, count) == (
        0,
        *demo.row("select count(*) from marts.dim_customers"),
    )
    assert (
        known
        == demo.row(
            "select count(*) from marts.churn_scores_daily where horizon_days = 90"
        )[0]
    )


def explain(demo: Build, customer: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [PERENNIAL, "explain", customer, "--connector", "demo"],
        cwd=ROOT,
        env={**os.environ, "PERENNIAL_HOME": str(demo.home)},
        capture_output=True,
        text=True,
    )


def test_anyone_who_was_scored_is_explained_on_demand(demo):
    """Of the lowest band too, with a picture of each score."""
    customer, probability = demo.row(
        "select customer_id, probability from marts.customer_360"
        " where reasons_status = 'on_demand' order by customer_id limit 1"
    )
    finished = explain(demo, customer)
    assert finished.returncode == 0, finished.stderr
    assert f"churn within 90 days: {probability:.1%}, low (none)" in finished.stdout
    assert finished.stdout.count("what everybody begins with") == 2
    paths = [line for line in finished.stdout.splitlines() if line.endswith(".svg")]
    assert [path.split("/")[-1] for path in paths] == [
        "reasons_churn_90d.svg",
        "reasons_churn_365d.svg",
    ]
    assert f"Customer {customer}" in (demo.home / paths[0]).read_text()


def test_who_was_not_scored_is_told_about_all_the_same(demo):
    (customer,) = demo.row(
        "select customer_id from marts.customer_360"
        " where reasons_status = 'not_scored' order by customer_id limit 1"
    )
    finished = explain(demo, customer)
    assert finished.returncode == 0, finished.stderr
    assert "not in scope, so there is no score" in finished.stdout


@pytest.mark.parametrize("customer", ["nobody", "c0000001' or true --"])
def test_an_unknown_customer_is_told_in_one_line(demo, customer):
    finished = explain(demo, customer)
    assert finished.returncode == 1
    (line,) = finished.stderr.splitlines()
    assert line == f"perennial: There is no customer {customer!r} in demo."


def test_what_is_told_on_demand_is_what_the_build_told(demo, monkeypatch, tmp_path):
    customer = demo.row("select min(customer_id) from marts.score_reasons")[0]
    project = Project(ROOT, demo.home, "demo")
    page = explaining.explain_customer(project, customer)
    told = [
        (one.score["horizon_days"], row.feature_name, row.contribution, row.reason)
        for one in page.scores
        for row in one.reasons.itertuples()
        if not pd.isna(row.feature_rank)
    ]
    built = demo.rows(
        "select horizon_days, feature_name, contribution, reason"
        " from marts.score_reasons where customer_id = ? and feature_rank is not null",
        customer,
    )
    assert set(built) <= set(told)
    # without matplotlib there is no picture, and no fault either
    monkeypatch.setattr(explaining.charts, "mpl", None)
    assert explaining.draw_waterfalls(page, tmp_path) == []


def test_the_bars_of_a_waterfall_meet(demo):
    customer = demo.row("select min(customer_id) from marts.score_reasons")[0]
    page = explaining.explain_customer(Project(ROOT, demo.home, "demo"), customer)
    (first, *_) = page.scores
    bars = explaining.waterfall(first.reasons)
    assert bars["label"].iloc[0] == "everybody begins with"
    np.testing.assert_allclose(bars["start"].iloc[1:-1], bars["end"].iloc[:-2])
    assert (bars["start"].iloc[0], bars["start"].iloc[-1]) == (0, 0)
    assert bars["end"].iloc[-1] == pytest.approx(first.score["raw_score"], abs=1e-4)


def test_every_churner_of_past_dates_is_counted_once_by_cause(demo):
    """The table of docs/methods.md: it exists, and adds up."""
    told = causes.named_causes(Project(ROOT, demo.home, "demo")).set_index("cause")
    (lost, dates) = demo.row(
        "select count(*) filter (where is_positive), count(distinct as_of_date)"
        " from evaluations.eval_churn_predictions where task = 'churn'"
        " and horizon_days = 90 and population = 'in_scope'"
        " and model_name = 'base_rate'"
    )
    assert told["churners_count"].sum() == lost
    assert set(told["stayers_count"]) == {dates * causes.STAYERS}
    observed = told.loc[list(causes.TRACES)]
    assert (observed["named_count"] <= observed["churners_count"]).all()
    # a payment that fails for good does so in the window, and nobody could name it
    assert told.loc["payment_failed", "churners_count"] > 0
    assert told["named_count"].sum() == observed["named_count"].sum() > 0
