"""The numbers that the field has published, reached through our own SQL.

Sources: Fader, Hardie and Lee (2005), table 2, figure 5 and the worked example
(BG/NBD); Batislam et al. (2007) as refitted by BTYDplus (MBG/NBD); Fader and Hardie
(2013) and the tests of CLVTools (Gamma-Gamma).
"""

import pytest
from sklearn.metrics import roc_auc_score

from perennial import btyd

ORIGIN, HORIZON = "1997-09-30", 273


def parameters(build, model_name):
    rows = build.rows(
        "select parameter_name, estimate, log_likelihood, fit_status "
        "from marts.btyd_parameters where as_of_date = ? and model_name = ?",
        ORIGIN,
        model_name,
    )
    assert {status for *_, status in rows} == {"ok"}
    return {name: value for name, value, *_ in rows}, rows[0][2]


def metric(build, target, name, model_name="bg_nbd"):
    (value,) = build.row(
        "select metric_value from marts.clv_backtest_metrics where population = 'all' "
        "and as_of_date = ? and horizon_days = ? and target = ? and metric = ? "
        "and model_name = ?",
        ORIGIN,
        HORIZON,
        target,
        name,
        model_name,
    )
    return value


def test_sample_counts_are_exact(sample):
    assert sample.row(
        """
        select count(*), sum(repeat_order_days_count),
            count(*) filter (where repeat_order_days_count = 0)
        from features.feat_purchases where as_of_date = ?
        """,
        ORIGIN,
    ) == (2357, 2457, 1411)
    assert sample.row(
        "select sum(future_order_days_count) from outcomes.outcome_value "
        "where as_of_date = ? and horizon_days = ?",
        ORIGIN,
        HORIZON,
    ) == (1882,)


def test_bg_nbd_has_the_published_parameters(sample):
    estimates, log_likelihood = parameters(sample, "bg_nbd")
    assert estimates == pytest.approx(
        {"r": 0.2426, "alpha": 4.4136, "a": 0.7929, "b": 2.4259}, rel=0.005
    )
    assert log_likelihood == pytest.approx(-9582.43, abs=0.05)


def test_mbg_nbd_has_the_published_likelihood(sample):
    estimates, log_likelihood = parameters(sample, "mbg_nbd")
    assert estimates == pytest.approx(
        {"r": 0.525, "alpha": 6.183, "a": 0.891, "b": 1.614}, rel=0.005
    )
    assert log_likelihood == pytest.approx(-9582.13, abs=0.05)


def test_gamma_gamma_has_the_published_parameters(sample):
    estimates, log_likelihood = parameters(sample, "gamma_gamma")
    assert estimates == pytest.approx(
        {"p": 6.25, "q": 3.744, "gamma": 15.446}, rel=0.01
    )
    assert log_likelihood == pytest.approx(-4055.92, abs=0.05)


def test_the_customer_of_the_worked_example_expects_1_226_orders(sample):
    history = sample.row(
        """
        select repeat_order_days_count, round(days_first_to_last_order / 7, 2),
            round(days_since_first_order / 7, 2)
        from features.feat_purchases where customer_id = '00004' and as_of_date = ?
        """,
        ORIGIN,
    )
    assert history == (2, 30.43, 38.86)
    (expected,) = sample.row(
        "select expected_orders_count from scores.score_clv where as_of_date = ? and "
        "horizon_days = ? and customer_id = '00004' and model_name = 'bg_nbd'",
        ORIGIN,
        HORIZON,
    )
    assert expected == pytest.approx(1.226, abs=0.001)


def test_the_expectations_of_the_sample_sum_to_1653(sample):
    (total,) = sample.row(
        "select sum(expected_orders_count) from scores.score_clv where as_of_date = ? "
        "and horizon_days = ? and model_name = 'bg_nbd'",
        ORIGIN,
        HORIZON,
    )
    assert total == pytest.approx(1653.4, abs=1)


def test_conditional_expectations_by_frequency(sample):
    rows = sample.rows(
        "select actual_mean, predicted_mean from marts.clv_backtest_frequencies where "
        "population = 'all' and as_of_date = ? and horizon_days = ? "
        "and model_name = 'bg_nbd' order by repeat_order_days_band",
        ORIGIN,
        HORIZON,
    )
    actual, predicted = zip(*rows, strict=True)
    published_actual = [0.237, 0.697, 1.393, 1.560, 2.532, 2.947, 3.862, 6.359]
    published_bg_nbd = [0.225, 0.523, 1.044, 1.520, 2.164, 2.654, 3.504, 6.157]
    assert actual == pytest.approx(published_actual, abs=0.005)
    assert predicted == pytest.approx(published_bg_nbd, abs=0.005)


def test_master_log_is_read_whole(master):
    assert master.row(
        "select count(*), count(distinct customer_id), count(*) filter (amount = 0) "
        "from marts.fct_orders"
    ) == (69659, 23570, 80)
    assert master.row("select count(*) from intermediate.int_order_days") == (67591,)
    assert master.row("select count(*) from input.quarantine") == (0,)
    # lines that are there again: not collapsed, each is a purchase
    assert master.row(
        "select count(*) - count(distinct source_text) from staging.stg_cdnow__orders"
    ) == (255,)


def test_master_log_holdout_is_exact(master):
    assert master.row(
        "select sum(future_order_days_count), round(sum(future_order_amount)) "
        "from outcomes.outcome_value where as_of_date = ? and horizon_days = ?",
        ORIGIN,
        HORIZON,
    ) == (19684, 776961)


def test_master_log_errors_are_those_of_the_literature(master):
    assert 100 * metric(master, "orders", "total_error") == pytest.approx(-14.3, abs=1)
    assert 100 * metric(master, "amount", "total_error") == pytest.approx(-17.3, abs=1)
    assert metric(master, "amount", "mean_absolute_error") <= 33.0
    assert metric(master, "amount", "normalised_gini") >= 0.67


def test_probability_of_an_order_is_calibrated_and_beats_chance(master):
    assert metric(master, "activity", "expected_calibration_error") <= 0.05
    assert metric(master, "activity", "roc_auc") == pytest.approx(0.747, abs=0.002)


def test_being_a_customer_still_ranks_worse_than_chance(master):
    """Why P(alive) is published nowhere: it is 1 for everyone who ordered once."""
    customers = master.frame(
        f"""
        select repeat_order_days_count as x, days_first_to_last_order / 7 as t_x,
            days_since_first_order / 7 as age, is_active
        from features.feat_purchases inner join outcomes.outcome_value
            using (customer_id, as_of_date)
        where as_of_date = '{ORIGIN}' and horizon_days = {HORIZON}
        """
    )
    history = [customers[name].to_numpy() for name in ("x", "t_x", "age")]
    fit = btyd.fit_purchases("bg_nbd", *history)
    still = btyd.customer_still_probability(fit, *history)
    assert roc_auc_score(customers["is_active"], still) == pytest.approx(
        0.32, abs=0.005
    )
