"""Our SQL beside the libraries that people trust: same rows, same numbers."""

import numpy as np
import pandas as pd
import pytest
from lifetimes.utils import summary_data_from_transaction_data
from scipy import stats
from sklearn import metrics

ORIGIN = "1997-09-30"


def test_rfm_equals_the_summary_of_lifetimes(master):
    orders = master.frame(
        "select customer_id, ordered_at, cast(amount as double) as amount "
        "from input.input_orders"
    )
    theirs = summary_data_from_transaction_data(
        orders,
        "customer_id",
        "ordered_at",
        "amount",
        observation_period_end=ORIGIN,
    ).sort_index()
    ours = master.frame(
        f"""
        select customer_id, repeat_order_days_count, days_first_to_last_order,
            days_since_first_order,
            coalesce(mean_repeat_order_day_amount, 0) as mean_amount
        from features.feat_purchases where as_of_date = '{ORIGIN}' order by customer_id
        """
    ).set_index("customer_id")
    assert ours.index.tolist() == theirs.index.tolist()
    assert (ours["repeat_order_days_count"] == theirs["frequency"]).all()
    assert (ours["days_first_to_last_order"] == theirs["recency"]).all()
    assert (ours["days_since_first_order"] == theirs["T"]).all()
    np.testing.assert_allclose(
        ours["mean_amount"], theirs["monetary_value"], rtol=1e-9, atol=1e-9
    )


def deciles(group: pd.DataFrame) -> pd.DataFrame:
    """Ten groups by prediction, the first ones one larger where ten does not divide."""
    ordered = group.sort_values(
        ["predicted", "customer_id"], ascending=[False, True]
    ).reset_index(drop=True)
    sizes = [len(part) for part in np.array_split(ordered.index, 10)]
    ordered["decile"] = np.repeat(np.arange(1, 11), sizes)
    return ordered.groupby("decile")[["predicted", "actual"]].agg(["sum", "size"])


def gini(actual: np.ndarray) -> float:
    return 2 * np.mean(np.cumsum(actual) / actual.sum()) - 1


def expected_metrics(target: str, group: pd.DataFrame) -> dict[str, float | None]:
    actual = group["actual"].to_numpy()
    predicted = group["predicted"].to_numpy()
    tenths = deciles(group)
    gaps = (tenths["predicted"]["sum"] - tenths["actual"]["sum"]).abs()
    if target == "activity":
        is_probability = group["is_probability"].all()
        return {
            "roc_auc": metrics.roc_auc_score(actual, predicted),
            "average_precision": metrics.average_precision_score(actual, predicted),
            "brier_score": metrics.brier_score_loss(actual, predicted)
            if is_probability
            else None,
            "accuracy": metrics.accuracy_score(actual, predicted >= 0.5)
            if is_probability
            else None,
            "expected_calibration_error": gaps.sum() / len(group)
            if is_probability
            else None,
        }
    ordered = group.sort_values(["predicted", "customer_id"], ascending=[False, True])
    correlation = (
        stats.spearmanr(predicted, actual).statistic if np.ptp(predicted) > 0 else None
    )
    bought, said = actual[actual > 0], predicted[actual > 0]
    return {
        "weighted_absolute_error": np.abs(predicted - actual).sum() / actual.sum(),
        "relative_error_of_buyers": metrics.mean_absolute_percentage_error(
            bought, said
        ),
        "r_squared": metrics.r2_score(actual, predicted),
        "total_error": predicted.sum() / actual.sum() - 1,
        "mean_absolute_error": metrics.mean_absolute_error(actual, predicted),
        "root_mean_squared_error": metrics.root_mean_squared_error(actual, predicted),
        "spearman_correlation": correlation,
        "normalised_gini": gini(ordered["actual"].to_numpy())
        / gini(np.sort(actual)[::-1]),
        "mean_decile_error": (gaps / tenths["actual"]["sum"]).mean(),
        "top_decile_share": tenths["actual"]["sum"][1] / actual.sum(),
    }


def test_every_metric_equals_the_library(sample):
    predictions = sample.frame(
        """
        select * replace (
            cast(predicted as double) as predicted, cast(actual as double) as actual
        ) from (
            from evaluations.eval_predictions
            union all by name
            from evaluations.eval_value_cases where population <> 'all'
        )
        """
    )
    ours = sample.frame("select * from marts.clv_backtest_metrics")
    key = ["population", "model_name", "as_of_date", "horizon_days", "target"]
    ours = ours.set_index([*key, "metric"])["metric_value"].to_dict()
    compared = 0
    for group_key, group in predictions.groupby(key):
        for metric, value in expected_metrics(group_key[-1], group).items():
            # routes are chosen by errors and ranks alone
            if group_key[0] not in ("all", "in_scope") and "decile" in metric:
                continue
            mine = ours.pop((*group_key, metric))
            if value is None:
                assert np.isnan(mine), (group_key, metric)
            else:
                assert mine == pytest.approx(value, abs=1e-9), (group_key, metric)
            compared += 1
    assert not ours
    assert compared > 600


def test_a_metric_without_a_value_says_why(sample):
    assert (
        sample.rows(
            "select distinct model_name, metric from marts.clv_backtest_metrics "
            "where (metric_value is null) <> (metric_note <> '')"
        )
        == []
    )
    ranks_only = sample.rows(
        "select distinct model_name from marts.clv_backtest_metrics "
        "where metric = 'brier_score' and metric_value is null"
    )
    assert sorted(ranks_only) == [("last_90_days",), ("own_rate",), ("recency_rule",)]
