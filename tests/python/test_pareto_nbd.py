"""Pareto/NBD: printed values, what lifetimes says, simulated truth, extremes."""

import importlib.util
import warnings
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad

from perennial import btyd, clv, pareto_nbd
from perennial.simulate import simulate_pareto_purchases

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from lifetimes import ParetoNBDFitter

pytestmark = pytest.mark.value

DATASETS = Path(importlib.util.find_spec("lifetimes").origin).parent / "datasets"

#: Fader and Hardie's notes on the sample of CDNOW.
PRINTED = {"r": 0.553, "alpha": 10.578, "s": 0.606, "beta": 11.669}


@pytest.fixture(scope="module")
def published() -> pd.DataFrame:
    """The summary of the CDNOW sample that the authors publish, rounded by them."""
    return pd.read_csv(DATASETS / "cdnow_customers_summary_with_transactions.csv")


@pytest.fixture(scope="module")
def fit(published) -> btyd.Fit:
    return btyd.fit_purchases("pareto_nbd", published.x, published.t_x, published["T"])


@pytest.fixture(scope="module")
def of_lifetimes() -> ParetoNBDFitter:
    """The printed parameters, in the formulas of lifetimes."""
    fitter = ParetoNBDFitter()
    fitter.params_ = pd.Series(list(PRINTED.values()), index=list(PRINTED))
    return fitter


def history(published) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return tuple(published[name].to_numpy() for name in ("x", "t_x", "T"))


def test_the_sample_has_the_printed_parameters_and_likelihood(fit):
    """Fader and Hardie: -9595.0; CLVTools: -9594.976, with standard errors."""
    assert fit.is_ok, fit
    assert fit.parameters == pytest.approx(PRINTED, rel=5e-3)
    assert fit.log_likelihood == pytest.approx(-9594.976, abs=0.1)
    told = list(fit.standard_errors.values())
    assert told == pytest.approx([0.0476, 0.843, 0.187, 6.21], rel=0.05)


def test_formulas_agree_with_those_of_lifetimes(published, of_lifetimes):
    args = history(published)
    theirs = ParetoNBDFitter._conditional_log_likelihood(list(PRINTED.values()), *args)
    ours = pareto_nbd.log_likelihood(PRINTED, *args)
    assert ours == pytest.approx(theirs, abs=1e-8)
    assert pareto_nbd.customer_still_probability(PRINTED, *args) == pytest.approx(
        of_lifetimes.conditional_probability_alive(*args), abs=1e-8
    )
    expected = of_lifetimes.conditional_expected_number_of_purchases_up_to_time(
        39, *args
    )
    assert pareto_nbd.expected_orders(PRINTED, 39, *args) == pytest.approx(
        expected, abs=1e-8
    )


@pytest.mark.parametrize(
    "parameters",
    [
        PRINTED,
        {"r": 2.0, "alpha": 1.0, "s": 0.2, "beta": 50.0},
        {"r": 0.05, "alpha": 300.0, "s": 8.0, "beta": 0.01},
        {"r": 5.0, "alpha": 0.02, "s": 1.0, "beta": 0.02},
        {"r": 1e-3, "alpha": 1e4, "s": 1e-3, "beta": 1e-3},
    ],
)
@pytest.mark.parametrize(
    ("x", "t_x", "T"), [(0, 0.0, 30.0), (2, 30.43, 38.86), (40, 70.0, 150.0)]
)
def test_formulas_agree_with_integration(parameters, x, t_x, T):
    """Over the moment of leaving, piece by piece: no formula of ours is used."""
    r, alpha, s, beta = parameters.values()
    k, weeks = r + x, 13.0

    def integral(density, start, end):
        edges = start + np.concatenate([[0], np.geomspace(1e-6, end - start, 60)])
        return sum(
            quad(density, low, high, epsabs=0, epsrel=1e-11)[0]
            for low, high in pairwise(edges)
        )

    # both terms of the likelihood over the first one, so that neither is too small
    left = integral(
        lambda tau: (
            ((alpha + T) / (alpha + tau)) ** k
            * ((beta + T) / (beta + tau)) ** s
            * s
            / (beta + tau)
        ),
        t_x,
        T,
    )
    args = (np.array([x]), np.array([t_x]), np.array([T]))
    (still,) = pareto_nbd.customer_still_probability(parameters, *args)
    assert still == pytest.approx(1 / (1 + left), rel=1e-8)
    silent = (alpha + T, beta + T)
    orders = integral(
        lambda tau: (
            k
            / silent[0]
            * (1 + tau / silent[0]) ** -(k + 1)
            * (1 + tau / silent[1]) ** -s
        ),
        0,
        weeks,
    )
    (probability,) = pareto_nbd.order_probability(parameters, weeks, *args)
    assert probability == pytest.approx(still * orders, rel=1e-8)
    # who is a customer still at tau orders at the same rate as now
    expected = integral(
        lambda tau: k / silent[0] * (1 + tau / silent[1]) ** -s, 0, weeks
    )
    (orders_count,) = pareto_nbd.expected_orders(parameters, weeks, *args)
    assert orders_count == pytest.approx(still * expected, rel=1e-8)


def test_where_the_two_powers_meet_nothing_breaks():
    """At s = 1 the closed form divides nothing by nothing."""
    args = (np.array([3]), np.array([10.0]), np.array([20.0]))
    beside, at = (
        pareto_nbd.expected_orders({**PRINTED, "s": s}, 26, *args)
        for s in (1 + 1e-7, 1.0)
    )
    assert at == pytest.approx(beside, rel=1e-6)


def test_long_histories_stay_finite(fit):
    """The histories that overflowed in CLVTools."""
    args = (
        np.array([221, 254, 161, 204]),
        np.array([103.43, 97.14, 94.71, 98.57]),
        np.array([103.57, 97.29, 98, 99.43]),
    )
    likelihood = btyd.purchase_log_likelihood("pareto_nbd", fit.parameters, *args)
    assert np.isfinite(likelihood).all()
    still = btyd.customer_still_probability(fit, *args)
    expected = btyd.expected_orders(fit, 39, *args)
    probability = btyd.order_probability(fit, 39, *args)
    for values in (still, probability):
        assert ((values >= 0) & (values <= 1)).all()
    assert ((expected > 0) & np.isfinite(expected)).all()


def test_more_silence_never_raises_the_probability(fit):
    for x, t_x in [(0, 0.0), (1, 10.0), (7, 30.0)]:
        T = np.linspace(t_x, 80, 60)
        args = (np.full(60, x), np.full(60, t_x), T)
        assert (np.diff(btyd.order_probability(fit, 13, *args)) <= 1e-9).all()


def test_an_order_is_no_likelier_than_orders_are_many(published, fit):
    """P(at least one) is at most the expectation, and of a short time nearly is it."""
    args = history(published)
    for weeks in (0.01, 13, 52):
        probability = btyd.order_probability(fit, weeks, *args)
        expected = btyd.expected_orders(fit, weeks, *args)
        assert (probability <= expected * (1 + 1e-9)).all()
    nearly = btyd.order_probability(fit, 0.001, *args)
    assert nearly == pytest.approx(btyd.expected_orders(fit, 0.001, *args), rel=0.01)


def test_the_parameters_that_made_the_customers_are_found():
    truth = {"r": 1.2, "alpha": 5.0, "s": 0.8, "beta": 12.0}
    off = []
    for seed in range(3):
        T = np.random.default_rng(100 + seed).integers(52, 104, 2000).astype(float)
        made = simulate_pareto_purchases(truth, T, seed)
        # to the day, as a shop knows it
        t_x = np.round(made["t_x"] * 7) / 7
        fit = btyd.fit_purchases("pareto_nbd", made["x"], t_x, made["T"])
        assert fit.is_ok, fit
        off.append(
            [
                abs(fit.parameters[name] - value) / fit.standard_errors[name]
                for name, value in truth.items()
            ]
        )
        still = btyd.customer_still_probability(fit, made["x"], t_x, made["T"])
        assert still.mean() == pytest.approx(made["is_customer_still"].mean(), abs=0.03)
    assert np.max(off) <= 4


def test_customers_who_never_came_back_teach_nothing():
    T = np.random.default_rng(3).uniform(10, 60, 300)
    never = np.zeros(300)
    fit = btyd.fit_purchases("pareto_nbd", never.astype(int), never, T)
    assert fit.status == "too_few_repeat_customers"
    fit = btyd.fit_purchases("pareto_nbd", never.astype(int), never, T, 0)
    assert not fit.is_ok
    assert fit.note


def test_it_is_a_candidate_where_it_is_asked_for(published):
    """Its fit, its scores beside the others', and no row of it without being asked."""
    purchases = pd.DataFrame(
        {
            "customer_id": [f"C{number:04d}" for number in range(len(published))],
            "as_of_date": pd.Timestamp("1997-09-30"),
            "repeat_order_days_count": published.x,
            "days_first_to_last_order": (published.t_x * 7).round().astype(int),
            "days_since_first_order": (published["T"] * 7).round().astype(int),
            "mean_repeat_order_day_amount": published.zbar.where(published.x > 0),
            "order_days_count": published.x + 1,
            "mean_order_day_amount": published.zbar.where(published.x > 0, 30.0),
            "total_order_amount": published.zbar.where(published.x > 0, 30.0)
            * (published.x + 1),
        }
    )
    dates = pd.DataFrame(
        {"as_of_date": [pd.Timestamp("1997-09-30")], "horizon_days": [273]}
    )
    everyday = clv.fit_models(purchases)
    assert "pareto_nbd" not in set(everyday["model_name"])
    fits = clv.fit_models(purchases, pareto_nbd=True)
    assert (fits["fit_status"].isin(btyd.OK_STATUSES)).all()
    scores = clv.score_customers(purchases, fits, dates, 0.1, 1.0)
    by_model = scores.groupby("model_name")["expected_orders_count"].sum()
    assert set(by_model.index) == {"bg_nbd", "mbg_nbd", "pareto_nbd", "all_orders"}
    assert by_model["pareto_nbd"] == pytest.approx(by_model["bg_nbd"], rel=0.1)
    own = scores[scores["model_name"] == "pareto_nbd"]
    assert own["is_own"].all()
    assert set(own["model_source"]) == {"pareto_nbd+gamma_gamma"}
    tracked = clv.track_orders(purchases, fits, dates)
    assert "pareto_nbd" in set(tracked["model_name"])
