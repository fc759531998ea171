"""What customers are worth: learned amounts, the choice between them, and bounds."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, Build, run_build
from scipy import stats

from perennial import btyd, churn, clv, model_registry, value, value_gates
from perennial.faults import Fault, UsageFault
from perennial.project import Project
from perennial.registry import document_hash
from perennial.simulate import simulate_purchases
from perennial.value_charts import draw_value
from perennial.value_report import value_page

pytestmark = pytest.mark.value

TRUTH = {"r": 0.8, "alpha": 8.0, "a": 0.7, "b": 2.4}
SPEND = {"p": 6.0, "q": 4.0, "gamma": 15.0}
NUMERIC = ("mrr", "order_amount_365d", "orders_count", "constant", "nothing")
SETTINGS = churn.Settings(NUMERIC, ("plan",))

#: Mean over three past dates of CDNOW, 91 days, all customers.
MOST_TOTAL_ERROR = 0.16
MOST_ROOT_MEAN_SQUARED_ERROR = 36.5
MOST_MEAN_ABSOLUTE_ERROR = 13.3
LEAST_GINI = 0.715
LEAST_TOP_DECILE_SHARE = 0.56


# --- the future of one customer, given the history


def purchase_fit(model_name: str) -> btyd.Fit:
    return btyd.Fit(model_name, 1, 1, parameters=TRUTH)


@pytest.fixture(scope="module")
def histories() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(3)
    made = simulate_purchases("bg_nbd", TRUTH, random.uniform(5, 60, 400), seed=4)
    return tuple(made[name].to_numpy() for name in ("x", "t_x", "T"))


@pytest.mark.parametrize("model_name", btyd.PURCHASE_MODELS)
def test_the_tails_of_the_orders_add_up_to_their_expectation(model_name, histories):
    fit = purchase_fit(model_name)
    tails = btyd.order_tails(fit, 13, *histories, 400)
    expected = btyd.expected_orders(fit, 13, *histories)
    np.testing.assert_allclose(tails.sum(axis=1), expected, rtol=1e-9, atol=1e-12)
    first = btyd.order_probability(fit, 13, *histories)
    np.testing.assert_allclose(tails[:, 0], first, rtol=1e-12)
    assert (np.diff(tails, axis=1) <= 0).all()


def test_quantiles_of_amounts_are_those_of_customers_that_were_drawn():
    """Of many customers with one history, drawn by the models' own assumptions."""
    random, weeks, people = np.random.default_rng(5), 20.0, 400_000
    x, t_x, T, mean = 3, 18.0, 25.0, 22.5
    fit, spend = purchase_fit("bg_nbd"), btyd.Fit("gamma_gamma", 1, 1, parameters=SPEND)
    still = btyd.customer_still_probability(fit, *np.array([[x], [t_x], [T]]))[0]
    rate = random.gamma(TRUTH["r"] + x, 1 / (TRUTH["alpha"] + T), people)
    leaving = random.beta(TRUTH["a"], TRUTH["b"] + x, people)
    orders = np.minimum(random.poisson(rate * weeks), random.geometric(leaving))
    orders[random.random(people) > still] = 0
    level = random.gamma(SPEND["q"] + SPEND["p"] * x, 1.0, people)
    amounts = random.gamma(SPEND["p"] * orders) * (SPEND["gamma"] + x * mean) / level
    levels = [0.5, 0.75, 0.9, 0.95]
    found = btyd.amount_quantiles(
        fit,
        spend,
        weeks,
        (np.array([x]), np.array([t_x]), np.array([T])),
        np.array([x]),
        np.array([mean]),
        levels,
    )
    assert (amounts < found[0][:, None]).mean(axis=1) == pytest.approx(
        [0.5, 0.75, 0.9, 0.95], abs=0.012
    )


def test_no_customer_moves_the_quantiles_of_another(histories):
    fit, spend = (
        purchase_fit("mbg_nbd"),
        btyd.Fit("gamma_gamma", 1, 1, parameters=SPEND),
    )
    mean = np.full(histories[0].size, 20.0)
    arguments = (histories[0], mean, [0.05, 0.95])
    among = btyd.amount_quantiles(fit, spend, 13, histories, *arguments)
    alone = [
        btyd.amount_quantiles(
            fit,
            spend,
            13,
            tuple(values[place : place + 1] for values in histories),
            histories[0][place : place + 1],
            mean[:1],
            [0.05, 0.95],
        )[0]
        for place in range(0, 400, 40)
    ]
    np.testing.assert_array_equal(among[::40], alone)


# --- amounts that are learned


def drawn_rows(customers: int = 1500, dates: int = 3, seed: int = 7) -> pd.DataFrame:
    """Customers whose plan and past amount tell what they bring; most bring nothing."""
    random = np.random.default_rng(seed)
    count = customers * dates
    level = np.repeat(random.gamma(2.0, 40.0, customers), dates)
    plan = np.repeat(random.choice(["solo", "team"], customers), dates)
    is_buying = random.random(count) < np.where(plan == "team", 0.6, 0.2)
    brought = random.gamma(3.0, level / 3) * is_buying
    return pd.DataFrame(
        {
            "customer_id": np.repeat([f"C{i:05d}" for i in range(customers)], dates),
            "as_of_date": np.tile(
                pd.date_range("2024-01-31", periods=dates, freq="ME"), customers
            ),
            "horizon_days": 90,
            "fold": np.repeat(np.arange(customers) % 5 + 1, dates),
            "future_amount": brought.round(2),
            "mrr": (level * random.uniform(0.8, 1.2, count)).round(2),
            "order_amount_365d": (level * 4).round(2),
            "orders_count": random.poisson(3, count),
            "constant": 1.0,
            "nothing": np.nan,
            "plan": plan,
        }
    )


def fitted(rows: pd.DataFrame, settings=SETTINGS) -> dict[str, value.FittedAmounts]:
    training = value.training_rows(
        rows[["customer_id", "as_of_date", "horizon_days", "fold", "future_amount"]],
        rows.drop(columns=["horizon_days", "fold", "future_amount"]),
    )
    return {one.model_name: one for one in value.fit_all(training, settings)}


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return drawn_rows()


@pytest.fixture(scope="module")
def fits(rows) -> dict[str, value.FittedAmounts]:
    return fitted(rows)


def test_every_candidate_learns_and_beats_the_mean_on_strangers(fits):
    strangers = drawn_rows(seed=8)
    truth = strangers["future_amount"].to_numpy()
    alike = np.mean((truth - truth.mean()) ** 2)
    for name, one in fits.items():
        assert one.status == "ok", name
        said = value.amounts(one.document, strangers)
        assert (said >= 0).all()
        assert np.mean((said - truth) ** 2) < 0.9 * alike, name
        assert said.sum() == pytest.approx(truth.sum(), rel=0.1), name
        # the straight line does not see the plan
        least = 0.1 if name == "linear" else 0.3
        assert stats.spearmanr(said, truth)[0] > least, name


@pytest.mark.parametrize("name", value.CANDIDATES)
def test_the_currency_changes_nothing_but_the_unit(name, rows, fits):
    money = ["future_amount", "mrr", "order_amount_365d"]
    cents = rows.assign(**{column: rows[column] * 64 for column in money})
    inflated = fitted(cents)[name]
    np.testing.assert_allclose(
        value.amounts(inflated.document, cents),
        64 * value.amounts(fits[name].document, rows),
        rtol=1e-4,
        atol=1e-3,
    )


@pytest.mark.parametrize("name", value.CANDIDATES)
def test_what_was_learned_is_text_that_says_the_same(name, rows, fits):
    document = fits[name].document
    text = json.dumps(document, sort_keys=True, allow_nan=False)
    np.testing.assert_array_equal(
        value.amounts(json.loads(text), rows), value.amounts(document, rows)
    )
    again = fitted(rows.sample(frac=1, random_state=1))[name].document
    assert json.dumps(again, sort_keys=True) == text


def test_a_search_keeps_what_it_found_only_where_it_is_better(rows):
    searched = fitted(rows, churn.Settings(NUMERIC, ("plan",), trials=3))["tweedie"]
    assert searched.search.trials_count == 3
    assert searched.search.least_log_loss <= searched.search.fixed_log_loss
    least = value.tweedie_deviance(np.log([2.0, 3.0]), np.array([2.0, 3.0]))
    assert least == pytest.approx(0, abs=1e-12)
    assert value.tweedie_deviance(np.log([2.5, 3.0]), np.array([2.0, 3.0])) > 0


def strange(rows: pd.DataFrame, kind: str) -> pd.DataFrame:
    if kind == "no rows":
        return rows[:0]
    if kind == "nobody buys":
        return rows.assign(future_amount=0.0)
    if kind == "a few buy":
        return rows.assign(future_amount=np.where(np.arange(len(rows)) < 29, 5.0, 0.0))
    if kind == "everybody buys":
        return rows.assign(future_amount=rows["future_amount"] + 1)
    if kind == "all spend the same":
        return rows.assign(future_amount=12.0)
    if kind == "one customer":
        return rows[rows["customer_id"] == "C00001"]
    if kind == "all are alike":
        first = {name: rows[name].iloc[0] for name in [*NUMERIC, "plan"]}
        return rows.assign(**first)
    if kind == "more is sent back than bought":
        return rows.assign(future_amount=-rows["future_amount"])
    if kind == "some send back more than they bought":
        sent_back = np.where(rows["orders_count"] == 0, -20.0, rows["future_amount"])
        return rows.assign(future_amount=sent_back)
    if kind == "numbers beyond all bounds":
        return rows.assign(mrr=np.where(rows["plan"] == "solo", np.inf, 1e300))
    if kind == "a heavy tail":
        random = np.random.default_rng(1)
        return rows.assign(future_amount=random.pareto(0.8, len(rows)).round(2))
    raise AssertionError(kind)


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("no rows", "no_training_rows"),
        ("nobody buys", "too_few_buyers"),
        ("a few buy", "too_few_buyers"),
        ("everybody buys", "ok"),
        ("all spend the same", "ok"),
        ("one customer", "too_few_buyers"),
        ("all are alike", "no_features"),
        ("more is sent back than bought", "too_few_buyers"),
        ("some send back more than they bought", "ok"),
        ("numbers beyond all bounds", "ok"),
        ("a heavy tail", "ok"),
    ],
)
def test_whatever_the_rows_there_is_a_status_and_no_absurd_amount(rows, kind, status):
    odd = strange(rows, kind)
    for one in fitted(odd).values():
        assert one.status in value.VALUE_STATUSES
        assert one.status == status, one.note
        assert bool(one.document) == (status == "ok")
        if one.document:
            said = value.amounts(one.document, rows)
            assert np.isfinite(said).all()
            assert (said >= 0).all()
            assert said.max() <= odd["future_amount"].max()


def fit_table(rows, fits, date: str = "2024-03-31") -> pd.DataFrame:
    """What fit_value holds of one origin."""
    key = (90, pd.Timestamp(date))
    told = [
        (*key, *value._fit_row(one, rows.assign(label=True))) for one in fits.values()
    ]
    return pd.DataFrame(told, columns=list(value._FIT_COLUMNS))


def registered(rows, fits, date: str = "2024-03-31") -> pd.DataFrame:
    """What stands in the registry on the same date, all of it champions."""
    table = fit_table(rows, fits, date).assign(
        model_id=[f"value_{name}_90d_v1" for name in fits],
        as_of_date=pd.Timestamp(date),
        score_date=pd.Timestamp(date),
        stage="champion",
    )
    hashes = table["model_document"].map(document_hash)
    return table.assign(document_sha256=hashes)


def asked_of(rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Customers of the last date to score, and what is known of them."""
    asked = rows[rows["as_of_date"] == rows["as_of_date"].max()]
    features = rows.drop(columns=["horizon_days", "fold", "future_amount"])
    return asked[["horizon_days", "as_of_date", "customer_id"]], features


def test_a_level_or_a_feature_that_is_new_or_gone_is_said_and_scored(rows, fits):
    asked, features = asked_of(rows)
    features = features.drop(columns="mrr").assign(plan="never seen")
    table, no_models = fit_table(rows, fits), registered(rows, fits).iloc[:0]
    scores = value.score_customers(asked, features, table, no_models)
    assert len(scores) == 3 * len(asked)
    assert scores["expected_amount"].notna().all()
    assert set(scores["model_note"]) == {"not there at scoring: mrr"}
    earlier = asked.assign(as_of_date=pd.Timestamp("2024-02-29"))
    nothing = value.score_customers(earlier, features, table, no_models)
    assert nothing.empty, "a fit of a later day says nothing of an earlier one"


def test_on_the_score_date_models_that_stand_speak_and_no_others(rows, fits):
    asked, features = asked_of(rows)
    # a fit of a past origin that would say something else
    table = fit_table(rows, {"linear": fits["linear"]}, "2024-02-29")
    models = registered(rows, fits)
    models.loc[models["model_name"] == "tweedie", "stage"] = "challenger"
    scores = value.score_customers(asked, features, table, models)
    assert set(scores["model_id"]) == {"value_linear_90d_v1", "value_two_stages_90d_v1"}
    waiting = models.assign(stage="challenger")
    assert value.score_customers(asked, features, table, waiting).empty
    # of another date the registry knows nothing, and past origins speak
    earlier = asked.assign(as_of_date=pd.Timestamp("2024-02-29"))
    scores = value.score_customers(earlier, features, table, models)
    assert set(scores["model_name"]) == {"linear"}
    assert scores["model_id"].isna().all()


def test_a_spoilt_model_of_amounts_is_never_applied(rows, fits):
    asked, features = asked_of(rows)
    models = registered(rows, fits)
    table = fit_table(rows, fits)
    for name, document in models[["model_name", "model_document"]].itertuples(
        index=False
    ):
        spoilt = document.replace("1", "2", 1)
        changed = models.assign(
            model_document=models["model_document"].where(
                models["model_name"] != name, spoilt
            )
        )
        with pytest.raises(Fault, match=f"value_{name}_90d_v1 is not what was reg"):
            value.score_customers(asked, features, table, changed)


# --- gates of models of amounts


def rivals(
    rows: pd.DataFrame, fits: dict, champions: dict | None = None
) -> pd.DataFrame:
    table = registered(rows, fits)
    if champions is None:
        nobody = dict.fromkeys(("id", "document", "sha256"))
        return table.assign(**{f"champion_{name}": None for name in nobody})
    theirs = registered(rows, champions)
    return table.assign(
        champion_id=theirs["model_id"].str.replace("v1", "v0").to_numpy(),
        champion_document=theirs["model_document"].to_numpy(),
        champion_sha256=theirs["document_sha256"].to_numpy(),
    )


def verdicts(models: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    _, features = asked_of(rows)
    gates = value_gates.judge_amounts(models, rows, features)
    assert set(gates["gate"]) <= set(value_gates.GATES)
    return gates.set_index(["model_id", "gate"])["verdict"].unstack()  # noqa: PD010


def test_a_model_that_learned_its_rows_passes_its_gates(rows, fits):
    first = verdicts(rivals(rows, fits), rows)
    assert (first["own_rows_total"] == "met").all()
    assert (first["own_rows_gini"] == "met").all()
    assert (first["own_rows_error"] == "first").all()
    assert (verdicts(rivals(rows, fits, fits), rows) == "met").all(axis=None)


@pytest.mark.parametrize(
    ("spoil", "failed"),
    [
        (lambda amount: amount * 3, "own_rows_total"),
        (lambda amount: amount / 3, "own_rows_total"),
        (lambda amount: amount.max() - amount, "own_rows_gini"),
        # learned of other customers than it is said to have learned of
        (
            lambda amount: amount.sample(frac=1, random_state=1).to_numpy(),
            "own_rows_error",
        ),
        (lambda amount: amount * 1.2 + 40, "own_rows_error"),
    ],
    ids=["thrice", "a third", "turned round", "of others", "worse than before"],
)
def test_a_model_of_other_amounts_does_not_pass(rows, fits, spoil, failed):
    other = fitted(rows.assign(future_amount=spoil(rows["future_amount"])))
    found = verdicts(rivals(rows, other, fits), rows)
    assert (found[failed] == "not_met").all(), found


def test_gates_say_so_where_nobody_can_tell(rows, fits):
    nothing = rows.assign(future_amount=0.0)
    assert (verdicts(rivals(rows, fits), nothing) == "warned").all(axis=None)
    _, features = asked_of(rows)
    none = value_gates.judge_amounts(rivals(rows, fits).iloc[:0], rows, features)
    assert none.empty
    assert list(none) == ["model_id", "gate", "value", "threshold", "verdict", "note"]


def test_a_feature_that_examples_have_too_is_learned_from(rows):
    """A channel of which the routes are told once hid that of the features."""
    _, features = asked_of(rows)
    learned = value.training_rows(rows.assign(plan="told of the route"), features)
    assert set(learned["plan"]) == {"solo", "team"}
    (fit,) = [
        one for one in value.fit_all(learned, SETTINGS) if one.model_name == "tweedie"
    ]
    assert "plan" in json.dumps(fit.document["encoder"])


def test_the_gini_of_the_gates_is_that_of_the_backtest(demo):
    """But for the few customers of whom the same is expected."""
    cases = demo.frame(
        "select as_of_date, predicted, actual from evaluations.eval_value_cases where "
        "population = 'all' and model_name = 'two_stages' and horizon_days = 90"
    )
    judged = demo.frame(
        "select as_of_date, metric_value from evaluations.eval_value_metrics where "
        "population = 'all' and model_name = 'two_stages' and horizon_days = 90 "
        "and metric = 'normalised_gini'"
    ).set_index("as_of_date")["metric_value"]
    assert len(judged) >= 5
    for date, rows in cases.groupby("as_of_date"):
        said = rows["predicted"].to_numpy(float), rows["actual"].to_numpy(float)
        assert value_gates.normalised_gini(*said) == pytest.approx(
            judged[date], abs=1e-5
        )


# --- models of amounts that are registered


def test_what_speaks_on_the_score_date_is_registered_and_passed_its_gates(demo):
    models = demo.frame(
        "select * from fits.fit_value_models inner join fits.fit_value_stages "
        "using (model_id, task, horizon_days, version, model_name, as_of_date)"
    )
    assert len(models) >= 3
    assert set(models["stage"]) == {"champion"}
    assert set(models["fit_reason"]) == {"first_run"}
    hashes = models["model_document"].map(document_hash)
    assert (hashes == models["document_sha256"]).all()
    over = models["last_training_date"] + pd.to_timedelta(models["horizon_days"], "D")
    assert (over <= models["as_of_date"]).all()
    said = demo.rows(
        "select distinct horizon_days, model_name, model_id from scores.score_value "
        "where as_of_date = (select score_date from intermediate.int_score_date)"
    )
    told = models[["horizon_days", "model_name", "model_id"]]
    assert set(said) == set(told.itertuples(index=False, name=None))
    (of_past,) = demo.row(
        "select count(distinct as_of_date) from scores.score_value "
        "where model_id is null"
    )
    assert of_past >= 3
    gates = demo.frame("select * from fits.fit_value_promotions where event = 'gate'")
    assert set(gates["gate"]) == set(value_gates.GATES)
    trees = gates[~gates["task"].str.endswith("linear")]
    assert set(trees["verdict"]) == {"met", "first"}, trees


@pytest.fixture
def copied_registry(demo, tmp_path) -> tuple[Project, Callable[..., list[tuple]]]:
    project = Project(ROOT, tmp_path, "demo")
    project.working_file.parent.mkdir()
    shutil.copyfile(demo.file, project.working_file)

    def run(query: str, *parameters) -> list[tuple]:
        with duckdb.connect(str(project.working_file)) as connection:
            return connection.execute(query, parameters).fetchall()

    return project, run


def test_a_model_of_amounts_can_wait_be_approved_and_be_returned_to(copied_registry):
    project, run = copied_registry
    first, second = "value_tweedie_90d_v1", "value_tweedie_90d_v2"
    run(
        "insert into fits.fit_value_models by name select * replace "
        "(? as model_id, 2 as version) from fits.fit_value_models where model_id = ?",
        second,
        first,
    )
    run(
        "insert into fits.fit_value_promotions by name select * replace "
        "(event_number + 1000 as event_number, ? as model_id, 'waiting' as event) "
        "from fits.fit_value_promotions where model_id = ? and event = 'promoted'",
        second,
        first,
    )

    def stages() -> dict[str, str]:
        rows = run("select model_id, stage from fits.fit_value_stages")
        return {
            model_id: stage for model_id, stage in rows if "tweedie_90d" in model_id
        }

    assert stages() == {first: "champion", second: "challenger"}
    assert second in model_registry.approve(project, second)
    assert stages() == {first: "retired", second: "champion"}
    with pytest.raises(UsageFault, match="does not wait for approval: approved"):
        model_registry.approve(project, second)
    assert first in model_registry.rollback(project, first)
    assert stages() == {first: "champion", second: "retired"}
    listed = {row[0]: row[2] for row in model_registry.listed(project)}
    assert listed[first] == "champion"
    assert any(name.startswith("churn_") for name in listed)
    card = "\n".join(model_registry.card(project, second))
    assert "own_rows_gini" in "\n".join(model_registry.card(project, first))
    assert "approved by a person" in card


# --- when it comes


def test_months_hold_whole_weeks_and_end_at_all_of_it():
    purchases = pd.DataFrame(
        {
            "as_of_date": pd.Timestamp("2024-06-30"),
            "repeat_order_days_count": [0, 4],
            "days_first_to_last_order": [0, 100],
            "days_since_first_order": [30, 120],
        }
    )
    fits = pd.DataFrame(
        {
            "as_of_date": pd.Timestamp("2024-06-30"),
            "model_name": "bg_nbd",
            "parameter_name": list(TRUTH),
            "estimate": list(TRUTH.values()),
            "standard_error": 0.1,
            "log_likelihood": -1.0,
            "customers_count": 2,
            "repeat_customers_count": 1,
            "fit_status": "ok",
            "fit_note": "",
        }
    )
    dates = pd.DataFrame(
        {"as_of_date": [pd.Timestamp("2024-06-30")], "horizon_days": 90}
    )
    shares = clv.month_shares(purchases, fits, dates, 0.1, "bg_nbd")
    evenly = shares[shares["shape"] == "even"].set_index("month_number")
    # four weeks end by day 30, eight by day 60
    assert evenly["amount_share_so_far"].to_dict() == pytest.approx(
        {1: 28 / 90, 2: 56 / 90, 3: 1.0}
    )
    orders = shares[shares["shape"] == "orders"]
    assert len(orders) == 6
    by_month = orders.pivot_table(
        "amount_share_so_far", "repeat_order_days_count", "month_number"
    )
    assert (by_month[1] > evenly["amount_share_so_far"][1]).all(), "customers leave"
    assert (orders["value_share_so_far"] >= orders["amount_share_so_far"]).all()
    worth = 1.1 ** (-np.array([*range(7, 90, 7), 90]) / 365)
    weights = np.array([7] * 12 + [6]) * worth
    assert evenly["value_share_so_far"][1] == pytest.approx(
        weights[:4].sum() / weights.sum(), abs=1e-8
    )


# --- real customers: CDNOW


def metrics(build: Build, model_name: str, name: str, horizon_days: int = 91):
    found = build.rows(
        "select metric_value from marts.clv_backtest_metrics where target = 'value' "
        "and population = 'all' and model_name = ? and metric = ? "
        "and horizon_days = ? order by as_of_date",
        model_name,
        name,
        horizon_days,
    )
    return np.array([number for (number,) in found])


def test_the_blend_keeps_the_level_and_the_ranking_on_real_customers(master):
    for model_name in ("blend", "published"):
        errors = metrics(master, model_name, "total_error")
        assert len(errors) == 3
        assert np.abs(errors).mean() <= MOST_TOTAL_ERROR
        error = metrics(master, model_name, "root_mean_squared_error").mean()
        assert error <= MOST_ROOT_MEAN_SQUARED_ERROR
        error = metrics(master, model_name, "mean_absolute_error").mean()
        assert error <= MOST_MEAN_ABSOLUTE_ERROR
        gini = metrics(master, model_name, "normalised_gini")
        assert gini.mean() >= LEAST_GINI
        assert gini.mean() >= metrics(master, "bg_nbd", "normalised_gini").mean() + 0.01
        share = metrics(master, model_name, "top_decile_share").mean()
        assert share >= LEAST_TOP_DECILE_SHARE


def test_what_is_published_for_a_date_was_chosen_without_it(master):
    """Only dates whose windows were over by then, and never the newest, may tell."""
    rows = master.frame("select * from marts.clv_leaderboard")
    known = master.frame(
        "select distinct horizon_days, as_of_date, is_for_selection from "
        "intermediate.model_splits where role = 'test' and task = 'purchases'"
    )
    assert rows["is_published"].sum() == len(
        rows[["as_of_date", "horizon_days", "clv_route"]].drop_duplicates()
    )
    for row in rows.itertuples():
        over = known[
            (known["horizon_days"] == row.horizon_days)
            & known["is_for_selection"]
            & (
                known["as_of_date"] + pd.to_timedelta(row.horizon_days, "D")
                <= row.as_of_date
            )
        ]
        assert row.origins_count in (0, len(over))
        assert (row.origins_count == 0) == (row.chosen_on == "nothing")


def test_bounds_of_purchase_models_hold_for_who_came_back(master):
    """273 days after 1997-09-30, for which nothing had been learned yet."""
    told = master.frame(
        """
        select
            purchases.repeat_order_days_count > 0 as came_back,
            outcomes.future_order_amount as amount,
            scores.amount_low_80, scores.amount_high_80,
            scores.amount_low_90, scores.amount_high_90
        from scores.score_clv as scores
        inner join outcomes.outcome_value as outcomes
            using (customer_id, as_of_date, horizon_days)
        inner join features.feat_purchases as purchases
            using (customer_id, as_of_date)
        where model_name = 'bg_nbd' and horizon_days = 273
            and as_of_date = date '1997-09-30'
        """
    ).astype(float)
    assert len(told) == 23_570
    is_back = told["came_back"] == 1
    for share, least, most in ((80, 0.77, 0.88), (90, 0.86, 0.95)):
        low, high = told[f"amount_low_{share}"], told[f"amount_high_{share}"]
        covered = (told["amount"] >= low) & (told["amount"] <= high)
        assert least <= covered[is_back].mean() <= most
        assert covered.mean() >= share / 100 - 0.02


def test_counts_of_orders_come_as_often_as_was_said(master):
    """Where each count falls in its own distribution, chance included, is uniform."""
    told = master.frame(
        """
        select outcomes.future_order_days_count as orders, purchases.*
        from outcomes.outcome_value as outcomes
        inner join features.feat_purchases as purchases
            using (customer_id, as_of_date)
        where horizon_days = 273 and as_of_date = date '1997-09-30'
        order by customer_id
        """
    )
    estimates = dict(
        master.rows(
            "select parameter_name, estimate from marts.btyd_parameters "
            "where model_name = 'bg_nbd' and as_of_date = date '1997-09-30'"
        )
    )
    fit = btyd.Fit("bg_nbd", 1, 1, parameters=estimates)
    tails = btyd.order_tails(fit, 39, *clv._papers_history(told), 200)
    least = np.column_stack([np.ones(len(told)), tails, np.zeros(len(told))])
    place, every = told["orders"].to_numpy(int), np.arange(len(told))
    high, low = 1 - least[every, place + 1], 1 - least[every, place]
    where = low + np.random.default_rng(7).random(len(told)) * (high - low)
    shares = np.histogram(where, bins=10, range=(0, 1))[0] / len(told)
    assert shares == pytest.approx(np.full(10, 0.1), abs=0.025)


@pytest.mark.parametrize("company", ["master", "demo"])
def test_published_bounds_hold_at_least_what_they_should(company, request):
    build = request.getfixturevalue(company)
    told = build.rows(
        "select as_of_date, horizon_days, nominal_share, covered_share, "
        "customers_count from marts.clv_coverage "
        "where decile = 0 and population = 'all'"
    )
    assert len(told) >= 8
    for date, days, nominal, covered, customers in told:
        allowed = 0.02 + 2 * np.sqrt(float(nominal) * (1 - float(nominal)) / customers)
        assert covered >= float(nominal) - allowed, (date, days)


@pytest.mark.parametrize("company", ["master", "demo"])
def test_every_customer_has_one_route_and_months_that_add_up(company, request):
    build = request.getfixturevalue(company)
    ((customers, routes, scores),) = build.rows(
        """
        select
            (select count(distinct (customer_id, horizon_days)) from marts.clv_scores),
            (select count(*) from marts.clv_routes),
            (select count(*) from marts.clv_scores)
        """
    )
    assert customers == routes == scores > 0
    ((several,),) = build.rows(
        "select count(*) from (select customer_id from marts.clv_routes "
        "group by 1 having count(distinct clv_route) > 1)"
    )
    assert several == 0
    ((gap, flows, least),) = build.rows(
        """
        select max(abs(v - expected_value) + abs(a - expected_amount)), count(*), min(l)
        from marts.clv_scores
        inner join (
            select customer_id, horizon_days, sum(expected_value) as v,
                sum(expected_amount) as a, min(expected_amount) as l
            from marts.clv_cash_flows group by all
        ) using (customer_id, horizon_days)
        """
    )
    assert gap <= 1e-6
    assert flows == scores
    assert least >= 0


# --- customers whose truth is known


def truth_of(build: Build, days: int) -> pd.DataFrame:
    """What each subscriber will truly bring, by the company's own probabilities."""
    months = build.home / "demo" / "truth" / "month_ends" / "*.parquet"
    return build.frame(
        f"""
        select scores.*, truth.expected_order_amount_{days}d
            + truth.expected_subscription_amount_{days}d as true_amount
        from scores.score_value_candidates as scores
        inner join '{months}' as truth using (customer_id, as_of_date)
        where scores.horizon_days = {days}
        """
    )


@pytest.mark.parametrize("days", [90, 365])
def test_who_will_truly_bring_more_stands_first(demo, days):
    told = truth_of(demo, days)
    newest = told[told["as_of_date"] == told["as_of_date"].max()]
    found = newest.groupby("model_name")[["expected_amount", "true_amount"]].apply(
        lambda rows: stats.spearmanr(*rows.astype(float).to_numpy().T)[0]
    )
    assert len(newest) > 1000
    assert found["tweedie"] >= 0.6
    assert found["two_stages"] >= 0.6
    assert found["tweedie"] > found["channel_mean"] + 0.2


def cold_start_errors(build: Build) -> tuple[pd.Series, pd.Series]:
    """Absolute and square errors of who came in the 30 days before a past date."""
    told = build.frame(
        """
        select model_name, expected_amount, examples.future_amount
        from scores.score_value_candidates as scores
        inner join training.train_values as examples
            using (customer_id, as_of_date, horizon_days)
        where examples.clv_route = 'cold_start' and horizon_days = 90
            and examples.future_amount is not null
        """
    )
    errors = (told["expected_amount"] - told["future_amount"]).astype(float)
    assert (told["model_name"] == "tweedie").sum() > 300
    absolute = errors.abs().groupby(told["model_name"]).mean()
    square = errors.pow(2).groupby(told["model_name"]).mean() ** 0.5
    return absolute, square


def test_who_is_new_is_told_better_than_by_the_mean_of_the_channel(demo):
    """By what they then brought, on six past dates."""
    absolute, square = cold_start_errors(demo)
    for name in ("tweedie", "two_stages"):
        assert absolute[name] < 0.95 * absolute["channel_mean"]
        assert square[name] < 0.97 * square["channel_mean"]


@pytest.fixture(scope="module")
def small_with_value(tmp_path_factory) -> Build:
    """The demo company of 50,000 customers, with a value for each."""
    built = run_build(
        tmp_path_factory.mktemp("small-value"),
        connector="demo",
        settings={"demo_size": "small", "demo_seed": 7},
        selection=("--select", "+clv_scores", "--exclude", "resource_type:test"),
    )
    assert built.exit_code == 0, built.output + built.errors
    return built


@pytest.mark.slow
@pytest.mark.parametrize("days", [90, 365])
def test_values_of_the_small_company_stand_in_the_order_of_the_truth(
    small_with_value, days
):
    """What is published today."""
    told = truth_of(small_with_value, days)
    newest = told[told["as_of_date"] == told["as_of_date"].max()]
    published = small_with_value.frame(
        "select customer_id, expected_amount as published_amount "
        f"from marts.clv_scores where horizon_days = {days}"
    )
    truth = newest.drop_duplicates("customer_id")
    both = truth[["customer_id", "true_amount"]].merge(published, on="customer_id")
    assert len(both) > 40_000
    found, expected = both["published_amount"].astype(float), both["true_amount"]
    assert stats.spearmanr(found, expected)[0] >= 0.6
    assert found.sum() == pytest.approx(expected.sum(), rel=0.15)


@pytest.mark.slow
def test_who_is_new_in_the_small_company_is_told_better_than_by_a_mean(
    small_with_value,
):
    absolute, square = cold_start_errors(small_with_value)
    for name in ("tweedie", "two_stages"):
        assert absolute[name] < 0.9 * absolute["channel_mean"]
        assert square[name] < square["channel_mean"]


def test_orders_are_tracked_to_what_was_expected_and_came(master):
    """At the horizon both are the sums over customers that stand elsewhere."""
    ends = master.rows(
        """
        select tracked.as_of_date, tracked.model_name, tracked.customers_count,
            tracked.actual_order_days_count, sum(outcomes.future_order_days_count),
            tracked.expected_order_days_count, sum(scores.expected_orders_count)
        from marts.clv_tracking as tracked
        inner join scores.score_clv as scores
            on tracked.as_of_date = scores.as_of_date
            and tracked.model_name = scores.model_name
            and tracked.days_ahead = scores.horizon_days
        inner join outcomes.outcome_value as outcomes
            on scores.customer_id = outcomes.customer_id
            and scores.as_of_date = outcomes.as_of_date
            and scores.horizon_days = outcomes.horizon_days
        group by all
        """
    )
    assert len(ends) >= 6
    for _, _, count, came, outcomes, expected, scored in ends:
        assert count > 10_000
        assert came == outcomes > 0
        assert float(expected) == pytest.approx(float(scored), rel=1e-4)
    # and sums only rise, of either kind
    for column in ("expected_order_days_count", "actual_order_days_count"):
        (falling,) = master.row(
            f"""
            select count(*) filter (where step < 0) from (
                select {column} - lag({column}) over (
                    partition by as_of_date, model_name order by days_ahead
                ) as step
                from marts.clv_tracking
            )
            """
        )
        assert falling == 0


# --- what is printed and drawn


def test_the_report_tells_what_the_marts_hold_and_what_to_doubt(demo, monkeypatch):
    monkeypatch.setenv("PERENNIAL_HOME", str(demo.home))
    page = value_page(Project.find("demo"))
    totals, routes, candidates, backtest, bounds, tenths = page.tables
    ((amount, customers),) = demo.rows(
        "select sum(expected_amount), count(*) from marts.clv_scores "
        "where horizon_days = 90"
    )
    assert totals.rows[0][:3] == ("90", customers, f"{amount:,.0f}")
    assert sum(row[4] for row in routes.rows if row[0] == "90") == customers
    assert any(row[2].endswith("(published)") for row in candidates.rows)
    assert {row[2] for row in backtest.rows} == {"published", "baseline"}
    assert all("%" in row[4] and "%" in row[10] for row in backtest.rows)
    assert len(bounds.rows) > 6
    assert [row[1] for row in tenths.rows if row[0] == "90"] == list(range(1, 11))


def test_what_asks_for_doubt_is_said(demo, tmp_path, monkeypatch):
    """A copy of the marts with one past date, bounds that failed, and no ranking."""
    copy = tmp_path / "published" / "demo.duckdb"
    copy.parent.mkdir()
    shutil.copy(demo.published, copy)
    with duckdb.connect(str(copy)) as connection:
        connection.execute(
            """
            update marts.clv_totals set origins_count = 1 where horizon_days = 90;
            update marts.clv_coverage set covered_share = 0.5
            where population = 'all' and decile = 0 and nominal_share = 0.8;
            update marts.clv_backtest_metrics set metric_value = -1
            where model_name = 'published' and metric = 'normalised_gini'
                and target = 'value';
            update marts.btyd_parameters set amount_correlation = 0.6
            where model_name = 'gamma_gamma';
            """
        )
    monkeypatch.setenv("PERENNIAL_HOME", str(tmp_path))
    doubts = "\n".join(value_page(Project.find("demo")).doubts)
    for words in (
        "90 days: the bounds of the total are the errors of 1 past date,",
        "50.0% brought an amount between bounds that were to hold 80%",
        "ranked customers no better than the mean of their channel did",
        "who orders more often spends more at a time: the correlation is 0.60",
    ):
        assert words in doubts


def test_value_is_drawn_the_same_each_time(demo, tmp_path, monkeypatch):
    monkeypatch.setenv("PERENNIAL_HOME", str(demo.home))
    drawn = [
        [
            path.read_bytes()
            for path in draw_value(Project.find("demo"), tmp_path / name)
        ]
        for name in ("once", "again")
    ]
    assert len(drawn[0]) == 5
    assert drawn[0] == drawn[1]


# --- one account among those of a real shop

REAL = (
    Path(os.environ.get("PERENNIAL_TEST_DATA", ROOT.parent / "shared" / "data"))
    / "online_retail"
    / "online_retail_2010_2011.parquet"
)
SHOP_FEATURES = (
    *("orders_count", "order_days_count", "total_order_amount", "largest_order_amount"),
    *("order_amount_90d", "order_amount_365d", "mean_order_day_amount"),
    *("days_since_first_order", "days_since_last_order"),
)


def shop_rows() -> pd.DataFrame:
    """Customers of the shop on four month ends, and what they brought in 90 days."""
    return duckdb.sql(
        f"""
        with orders as (
            select cast(CustomerID as varchar) as customer_id,
                cast(min(InvoiceDate) as date) as day,
                round(sum(Quantity * Price), 2) as amount,
                Invoice like 'C%' as is_refund
            from '{REAL}'
            where CustomerID is not null and Invoice not like 'A%'
            group by customer_id, Invoice
        ),
        dates as (
            select unnest([date '2011-03-31', date '2011-04-30', date '2011-05-31',
                date '2011-06-30']) as as_of_date
        )
        select customer_id, as_of_date, 90 as horizon_days,
            hash(customer_id) % 5 + 1 as fold,
            count(*) filter (past and not is_refund) as orders_count,
            count(distinct day) filter (past and not is_refund) as order_days_count,
            sum(amount) filter (past) as total_order_amount,
            max(amount) filter (past) as largest_order_amount,
            coalesce(sum(amount) filter (past and day > as_of_date - 90), 0)
                as order_amount_90d,
            sum(amount) filter (past and day > as_of_date - 365) as order_amount_365d,
            sum(amount) filter (past and not is_refund)
                / nullif(order_days_count, 0) as mean_order_day_amount,
            as_of_date - min(day) as days_since_first_order,
            as_of_date - max(day) filter (past) as days_since_last_order,
            coalesce(sum(amount) filter (not past and day <= as_of_date + 90), 0)
                as future_amount
        from (
            select *, day <= as_of_date as past from orders cross join dates
        )
        group by customer_id, as_of_date
        having count(*) filter (past) > 0
        order by as_of_date, customer_id
        """
    ).df()


@pytest.mark.skipif(not REAL.exists(), reason="needs the shared online_retail data")
@pytest.mark.parametrize("name", ["tweedie", "two_stages"])
def test_one_wholesaler_moves_no_other_customer_far(name):
    """Without the largest account, a fortieth of all sales, and of 2,500 customers.

    The others' total moves by less than it is off from date to date, and nine in ten of
    them by less than a third.
    """
    rows = shop_rows()
    settings = churn.Settings(SHOP_FEATURES)
    spent = rows.groupby("customer_id")["future_amount"].sum()
    is_giant = (rows["customer_id"] == spent.idxmax()).to_numpy()
    assert spent.max() > 0.02 * spent.sum()
    among = fitted(rows, settings)[name].document
    without = fitted(rows[~is_giant], settings)[name].document
    others = rows[~is_giant & (rows["as_of_date"] == rows["as_of_date"].max())]
    with_it, alone = value.amounts(among, others), value.amounts(without, others)
    assert with_it.sum() == pytest.approx(alone.sum(), rel=0.1)
    moved = np.abs(with_it - alone) / np.maximum(alone, 1.0)
    assert np.quantile(moved, 0.9) < 0.34
    assert (with_it >= 0).all()
    assert with_it.max() < 2 * rows["future_amount"][~is_giant].max()
