"""From fits to values: discount, margin, and what stands in for a refused model."""

import numpy as np
import pandas as pd
import pytest

from perennial import btyd, clv
from perennial.simulate import simulate_purchases, simulate_spend

DATE = pd.Timestamp("1998-06-30")


@pytest.fixture(scope="module")
def purchases() -> pd.DataFrame:
    """1,500 customers, in the columns of feat_purchases."""
    age = np.random.default_rng(7).integers(100, 700, 1500)
    truth = {"r": 1.2, "alpha": 40.0, "a": 0.8, "b": 2.5}
    made = simulate_purchases("bg_nbd", truth, age, seed=8)
    spend = {"p": 6.0, "q": 4.0, "gamma": 15.0}
    mean = simulate_spend(spend, np.maximum(made["x"], 1), seed=9).round(2)
    return pd.DataFrame(
        {
            "customer_id": [f"C{i:04d}" for i in range(1500)],
            "as_of_date": DATE,
            "order_days_count": made["x"] + 1,
            "repeat_order_days_count": made["x"],
            "days_first_to_last_order": made["t_x"].astype(int),
            "days_since_first_order": age,
            "mean_repeat_order_day_amount": np.where(made["x"] > 0, mean, np.nan),
            "mean_order_day_amount": mean,
            "total_order_amount": mean * (made["x"] + 1),
        }
    )


@pytest.fixture(scope="module")
def fits(purchases) -> pd.DataFrame:
    return clv.fit_models(purchases)


def score(purchases, fits, horizons=(91,), rate=0.1, margin=1.0, model="bg_nbd"):
    dates = pd.DataFrame({"as_of_date": DATE, "horizon_days": list(horizons)})
    scores = clv.score_customers(purchases, fits, dates, rate, margin)
    return scores[scores["model_name"] == model].set_index("customer_id")


def refuse(fits: pd.DataFrame, model_name: str) -> pd.DataFrame:
    """The same rows, as they are where a guard refused the fit."""
    is_it = fits["model_name"] == model_name
    numbers = ["estimate", "standard_error", "log_likelihood"]
    refused = fits.copy()
    refused.loc[is_it, numbers] = np.nan
    refused.loc[is_it, "fit_status"] = "not_converged"
    return refused


def test_every_fit_is_ok_and_stands_as_rows(fits):
    assert set(fits["fit_status"]) == {"ok"}
    assert fits.groupby("model_name").size().to_dict() == {
        "bg_nbd": 4,
        "gamma_gamma": 3,
        "gamma_gamma_all": 3,
        "mbg_nbd": 4,
    }


def test_without_discount_the_value_is_the_amount_times_the_margin(purchases, fits):
    scores = score(purchases, fits, rate=0.0, margin=0.3)
    np.testing.assert_allclose(
        scores["expected_value"], 0.3 * scores["expected_amount"], atol=2e-6
    )


def test_each_week_is_discounted_from_its_end_and_the_last_from_the_horizon(
    purchases, fits
):
    scores = score(purchases, fits, horizons=(353,), rate=0.2)
    customer = purchases.iloc[3]
    estimates = fits[fits["model_name"] == "bg_nbd"].set_index("parameter_name")
    fit = btyd.Fit("bg_nbd", 1, 1, parameters=estimates["estimate"].to_dict())
    history = (
        [customer["repeat_order_days_count"]],
        [customer["days_first_to_last_order"] / 7],
        [customer["days_since_first_order"] / 7],
    )
    discounted = before = 0.0
    for days in [*range(7, 353, 7), 353]:
        until = btyd.expected_orders(fit, days / 7, *history)[0]
        discounted += (until - before) * 1.2 ** (-days / 365)
        before = until
    scored = scores.loc[customer["customer_id"]]
    assert scored["expected_orders_count"] == pytest.approx(before, abs=1e-6)
    assert scored["expected_value"] == pytest.approx(
        discounted * scored["expected_order_amount"], abs=1e-5
    )


def test_a_refused_purchase_model_gives_everyone_the_mean_rate(purchases, fits):
    scores = score(purchases, refuse(fits, "bg_nbd"))
    mean = (
        91
        * purchases["repeat_order_days_count"].sum()
        / purchases["days_since_first_order"].sum()
    )
    assert scores["expected_orders_count"].to_numpy() == pytest.approx(mean, abs=1e-6)
    assert scores["order_probability"].to_numpy() == pytest.approx(
        1 - np.exp(-mean), abs=1e-6
    )
    assert set(scores["model_source"]) == {"mean_rate+gamma_gamma"}
    assert set(scores["model_note"]) == {"bg_nbd: not_converged"}


def test_a_refused_spend_model_gives_everyone_the_mean_amount(purchases, fits):
    scores = score(purchases, refuse(fits, "gamma_gamma"))
    mean = purchases["total_order_amount"].sum() / purchases["order_days_count"].sum()
    amounts = scores["expected_order_amount"].to_numpy()
    assert amounts == pytest.approx(mean, abs=1e-6)
    assert set(scores["model_source"]) == {"bg_nbd+mean_amount"}


def test_a_history_beyond_the_formula_gets_the_mean_and_says_so(
    purchases, fits, monkeypatch
):
    expected_orders = btyd.expected_orders

    def beyond_20_orders(fit, weeks, x, t_x, T):
        return np.where(x > 20, np.nan, expected_orders(fit, weeks, x, t_x, T))

    monkeypatch.setattr(btyd, "expected_orders", beyond_20_orders)
    scores = score(purchases, fits)
    many = purchases.set_index("customer_id")["repeat_order_days_count"] > 20
    assert 0 < many.sum() < 100
    assert set(scores.loc[many, "model_source"]) == {"mean_rate+gamma_gamma"}
    assert set(scores.loc[many, "model_note"]) == {
        "bg_nbd: not finite for this history"
    }
    assert set(scores.loc[~many, "model_source"]) == {"bg_nbd+gamma_gamma"}
    assert scores["expected_value"].notna().all()


def test_the_order_of_rows_does_not_move_a_digit(purchases, fits):
    shuffled = purchases.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(
        score(purchases, fits), score(shuffled, clv.fit_models(shuffled))
    )


def test_no_customer_is_no_row_with_the_right_types(purchases, fits):
    nobody = purchases.iloc[:0]
    assert clv.fit_models(nobody).dtypes.equals(fits.dtypes)
    scores = score(nobody, fits)
    assert len(scores) == 0
    assert scores.dtypes.equals(score(purchases, fits).dtypes)


def test_repeat_days_that_were_all_refunded_say_nothing_of_the_amount(purchases, fits):
    refunded = purchases.head(200).assign(mean_repeat_order_day_amount=np.nan)
    amount = score(refunded, fits)["expected_order_amount"]
    assert len(amount.unique()) == 1
    once = purchases[purchases["repeat_order_days_count"] == 0].head(1)
    assert amount.iloc[0] == score(once, fits)["expected_order_amount"].iloc[0]
