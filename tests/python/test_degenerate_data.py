"""Data for which no model can be fitted: the build is green, and says what it did."""

import datetime

import numpy as np
import pytest
from conftest import Build

from perennial.simulate import simulate_purchases, simulate_spend

END = datetime.date(1998, 6, 30)


def line(customer: int, day: datetime.date, amount: float = 10.0) -> str:
    return f" {customer:05d} {day:%Y%m%d}  1 {amount:7.2f}"


def simulated_days(seed: int, customers: int) -> list[tuple[int, datetime.date]]:
    """Order days of customers who come, order at random and leave, as BG/NBD says."""
    random = np.random.default_rng(100 + seed)
    start = random.integers(0, 90, customers)
    days_left = (END - datetime.date(1997, 1, 1)).days - start
    truth = {"r": 1.2, "alpha": 30.0, "a": 0.8, "b": 2.5}
    made = simulate_purchases("bg_nbd", truth, days_left, seed)
    days = []
    for customer, (x, t_x) in enumerate(zip(made["x"], made["t_x"], strict=True)):
        since = {0, int(t_x), *random.integers(0, int(t_x) + 1, max(x - 1, 0)).tolist()}
        first = datetime.date(1997, 1, 1) + datetime.timedelta(int(start[customer]))
        days += [(customer + 1, first + datetime.timedelta(day)) for day in since]
    return days


def heavy_tail() -> list[str]:
    days = simulated_days(5, 400)
    rates = simulate_spend({"p": 6.0, "q": 0.5, "gamma": 15.0}, np.ones(400, int), 5)
    noise = np.random.default_rng(6).gamma(6.0, 1 / 6.0, len(days))
    return [
        line(customer, day, min(rates[customer - 1] * factor, 1e9))
        for (customer, day), factor in zip(days, noise, strict=True)
    ]


LOGS = {
    "one_customer": lambda: [line(1, datetime.date(1997, m, 1)) for m in (1, 5, 11)],
    "no_repeat_buyer": lambda: [
        line(i, datetime.date(1997, 1, 1) + datetime.timedelta(i % 80))
        for i in range(120)
    ],
    "identical_customers": lambda: [
        line(i, datetime.date(1997, m, 3)) for i in range(120) for m in (1, 4, 8, 12)
    ],
    "constant_spend": lambda: [line(*pair) for pair in simulated_days(4, 400)],
    "first_day": lambda: [line(i, END) for i in range(100)],
    "heavy_tail": heavy_tail,
    "no_rows": lambda: [],
}

#: Every status that a model may end with on each log, on any date.
STATUSES = {
    "one_customer": {
        "bg_nbd": {"too_few_repeat_customers"},
        "mbg_nbd": {"too_few_repeat_customers"},
        "gamma_gamma": {"too_few_repeat_customers"},
    },
    "no_repeat_buyer": {
        "bg_nbd": {"too_few_repeat_customers"},
        "mbg_nbd": {"too_few_repeat_customers"},
        "gamma_gamma": {"too_few_repeat_customers"},
    },
    "identical_customers": {
        "bg_nbd": {"not_converged", "out_of_range", "no_standard_error"},
        "mbg_nbd": {"not_converged", "out_of_range", "no_standard_error"},
        "gamma_gamma": {"not_converged", "out_of_range", "no_standard_error"},
    },
    "constant_spend": {
        "gamma_gamma": {"not_converged", "out_of_range", "no_standard_error"},
    },
    "first_day": {
        "bg_nbd": {"too_few_repeat_customers"},
        "mbg_nbd": {"too_few_repeat_customers"},
        "gamma_gamma": {"too_few_repeat_customers"},
    },
    "heavy_tail": {"gamma_gamma": {"no_finite_mean_amount"}},
    "no_rows": {},
}


#: Logs on which the candidates for churn are tried too, and how they end at 91 days.
CANDIDATE_STATUSES = {
    "no_rows": set(),
    "no_repeat_buyer": set(),  # too short for any window to be over
    "heavy_tail": {"ok", "purchase_model_refused"},
}


@pytest.fixture
def degenerate_build(shared_build):
    def build(name: str) -> Build:
        return shared_build(
            f"degenerate-{name}",
            lines=LOGS[name](),
            settings={"search_trials": 0},
            everything=name in CANDIDATE_STATUSES,
        )

    return build


@pytest.fixture(params=LOGS)
def degenerate(request, degenerate_build):
    return request.param, degenerate_build(request.param)


@pytest.mark.parametrize("name", CANDIDATE_STATUSES)
def test_candidates_for_churn_are_fitted_or_say_why(name, degenerate_build):
    build = degenerate_build(name)
    found = build.rows(
        "select distinct candidate_status from marts.churn_backtest_fits "
        "where horizon_days = 91"
    )
    assert {status for (status,) in found} <= CANDIDATE_STATUSES[name]
    assert bool(found) == bool(CANDIDATE_STATUSES[name])
    # no outcome of 273 days was over 273 days after the first order
    too_long = build.rows(
        "select distinct model_source, probability from scores.score_churn "
        "where horizon_days = 273"
    )
    assert set(too_long) <= {("none", None)}


def test_the_build_is_green_and_tells_the_status(degenerate):
    name, build = degenerate
    found = {}
    for model_name, status in build.rows(
        "select distinct model_name, fit_status from marts.btyd_parameters"
    ):
        found.setdefault(model_name, set()).add(status)
    for model_name, statuses in STATUSES[name].items():
        assert found[model_name] <= statuses, found
    if name == "no_rows":
        assert found == {}
    assert (
        build.rows(
            "select fit_note from marts.btyd_parameters "
            "where (fit_status like 'ok%') <> (estimate is not null) "
            "or (fit_status <> 'ok' and fit_note = '')"
        )
        == []
    )


def test_every_customer_has_a_fallback_or_a_reason(degenerate):
    name, build = degenerate
    sources = {
        source
        for (source,) in build.rows(
            "select distinct model_source from marts.clv_scores"
        )
    }
    blend_with_the_mean = (
        "blend of bg_nbd+mean_amount, bg_nbd+mean_amount, mbg_nbd+mean_amount, "
        "tweedie, two_stages"
    )
    expected = {
        "one_customer": {"channel_mean", "mean_amount"},
        "no_repeat_buyer": {"mean_rate+mean_amount"},
        "identical_customers": {"tweedie"},
        "constant_spend": {blend_with_the_mean},
        "first_day": {"none"},
        "heavy_tail": {blend_with_the_mean},
        "no_rows": set(),
    }
    assert sources == expected[name]
    assert (
        build.rows(
            "select customer_id from marts.clv_scores "
            "where (model_source = 'none') <> (expected_value is null) "
            "or model_note = ''"
        )
        == []
    )
    customers, scored = build.row(
        "select (select count(*) from marts.dim_customers), "
        "(select count(distinct customer_id) from marts.clv_scores)"
    )
    assert customers == scored


def test_no_number_is_nan_infinite_or_negative(degenerate):
    _, build = degenerate
    may_be_negative = {
        "log_likelihood",  # a logarithm
        # Of an error, a correlation, a Gini or a skill
        *("metric_value", "metric_low", "metric_high", "metric_mean"),
        *("brier_skill", "mean_brier_skill", "mean_normalised_gini"),
        *("least_total_error", "greatest_total_error", "amount_correlation"),
        # Log-odds, and what adds up to them
        *("margin", "raw_score", "contribution", "mean_contribution", "mean_margin"),
        # Differences
        *("margin_change", "features_change", "model_change", "calibration_change"),
        *("least_gap", "most_gap", "roc_auc_drop"),
        "predicted_mean",  # of the recency rule, which ranks by minus the days
        "predicted_sum",
        "rank_correlation",
        "null_rate_change",
    }
    with build.open() as connection:
        columns = connection.execute(
            """
            select table_name, column_name, data_type from information_schema.columns
            where table_schema = 'marts'
                and (data_type in ('DOUBLE', 'BIGINT') or data_type like 'DECIMAL%')
            """
        ).fetchall()
        assert len(columns) > 20
        found = []
        for table, column, data_type in columns:
            wrong = [] if column in may_be_negative else [f"{column} < 0"]
            if data_type == "DOUBLE":
                wrong.append(f"not isfinite({column})")
            if wrong:
                (rows,) = connection.execute(
                    f"select count(*) from marts.{table} where {' or '.join(wrong)}"
                ).fetchone()
                found += [(table, column, rows)] if rows else []
    assert found == []
