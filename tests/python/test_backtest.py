"""What models said on past dates, measured in SQL, and how sure that is."""

import os
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from conftest import PERENNIAL, ROOT, Build
from scipy.stats import ks_2samp
from sklearn import metrics

pytestmark = pytest.mark.backtest

KEY = ["population", "task", "model_name", "as_of_date", "horizon_days"]
KINDS = ["plan", "segment", "acquisition_channel", "country", "tenure_band"]


# --- metrics in SQL -------------------------------------------------------------------


def expected_metrics(group: pd.DataFrame) -> dict[str, float | None]:
    happened = group["is_positive"].to_numpy(int)
    probability, score = group["probability"].to_numpy(), group["raw_score"].to_numpy()
    ordered = group.sort_values(["raw_score", "customer_id"], ascending=[False, True])
    tenths = np.array_split(np.arange(len(ordered)), 10)
    sums = ordered[["probability", "is_positive"]].to_numpy(float)
    gaps = [abs(np.subtract(*sums[tenth].sum(axis=0))) for tenth in tenths]
    share = happened.mean()
    brier = metrics.brier_score_loss(happened, probability)
    expected = {
        "brier_score": brier,
        "log_loss": metrics.log_loss(happened, probability, labels=[0, 1]),
        "expected_calibration_error": sum(gaps) / len(group),
        "positive_rate": share,
        "mean_probability": probability.mean(),
    }
    if 0 < share < 1:
        expected |= {
            "roc_auc": metrics.roc_auc_score(happened, score),
            "ks_statistic": ks_2samp(
                score[happened == 1], score[happened == 0]
            ).statistic,
            "brier_skill": 1 - brier / (share * (1 - share)),
        }
    if share:
        expected["average_precision"] = metrics.average_precision_score(happened, score)
    firsts = {
        f"{percent}_percent": -(-percent * len(group) // 100) for percent in (1, 5, 10)
    }
    if len(group) >= 100:
        firsts["100"] = 100
    for name, count in firsts.items():
        precision = sums[:count, 1].mean()
        expected[f"precision_at_{name}"] = precision
        lift = "top_decile_lift" if name == "10_percent" else f"lift_at_{name}"
        expected[lift] = precision / share if share else None
    return expected


@pytest.mark.parametrize(("connector", "least_segments"), [("master", 2), ("demo", 15)])
def test_every_metric_of_every_segment_equals_the_library(
    connector, least_segments, request
):
    """With scikit-learn and scipy, to nine digits; where there is none, it is NULL."""
    built = request.getfixturevalue(connector)
    ((newest,),) = built.rows(
        "select max(as_of_date) from evaluations.eval_churn_cases"
    )
    predictions = built.frame(
        f"""
        select said.* replace (cast(probability as double) as probability),
            'all' as "all", {", ".join(KINDS)}
        from evaluations.eval_churn_predictions as said
        inner join evaluations.eval_churn_customers using (as_of_date, customer_id)
        where as_of_date = '{newest}'
        """
    )
    ours = built.frame(
        f"select * from marts.churn_backtest_metrics where as_of_date = '{newest}'"
    ).set_index([*KEY, "segment_kind", "segment", "metric"])["metric_value"]
    ours, segments = ours.to_dict(), set()
    for kind in ["all", *KINDS]:
        for (*key, segment), group in predictions.groupby([*KEY, kind]):
            segments.add((kind, segment))
            for metric, value in expected_metrics(group).items():
                mine = ours.pop((*key, kind, segment, metric))
                assert mine == pytest.approx(value, abs=1e-9, nan_ok=True), (
                    *key,
                    segment,
                    metric,
                )
    assert all(np.isnan(value) for value in ours.values())
    assert len(segments) >= least_segments
    assert len(predictions) > 4000


@pytest.mark.parametrize("connector", ["master", "demo"])
def test_what_has_no_value_says_why(connector, request):
    built = request.getfixturevalue(connector)
    assert built.rows(
        "select distinct metric_value is null, metric_note = '' "
        "from marts.churn_backtest_metrics order by all"
    ) in ([(False, True)], [(False, True), (True, False)])


# --- intervals ------------------------------------------------------------------------


def drawn_intervals(group: pd.DataFrame, draws: int) -> pd.DataFrame:
    """Spread of metrics over customers that are drawn one by one, by numpy."""
    random = np.random.default_rng(11)
    found = []
    for _ in range(draws):
        drawn = group.sample(frac=1, replace=True, random_state=random)
        happened = drawn["is_positive"].to_numpy(int)
        found.append(
            {
                "roc_auc": metrics.roc_auc_score(happened, drawn["raw_score"]),
                "average_precision": metrics.average_precision_score(
                    happened, drawn["raw_score"]
                ),
                "brier_score": metrics.brier_score_loss(happened, drawn["probability"]),
                "log_loss": metrics.log_loss(happened, drawn["probability"]),
                "positive_rate": happened.mean(),
            }
        )
    return pd.DataFrame(found).quantile([0.025, 0.975]).diff().iloc[1]


@pytest.mark.parametrize("connector", ["sample", "demo"])
def test_an_interval_is_as_wide_as_customers_drawn_one_by_one_leave_it(
    connector, request
):
    """Groups and steps stand in for customers and scores: that costs no width."""
    built = request.getfixturevalue(connector)
    group = built.frame(
        """
        select raw_score, cast(probability as double) as probability, is_positive
        from evaluations.eval_churn_predictions
        where population = 'in_scope' and model_name = 'logistic'
            and horizon_days in (90, 91)
        qualify as_of_date = max(as_of_date) over ()
        """
    )
    ours = built.frame(
        """
        select metric, metric_high - metric_low as width
        from marts.churn_backtest_metrics
        where population = 'in_scope' and model_name = 'logistic'
            and horizon_days in (90, 91) and segment_kind = 'all'
        qualify as_of_date = max(as_of_date) over ()
        """
    ).set_index("metric")["width"]
    theirs = drawn_intervals(group, 300)
    ratios = ours[theirs.index] / theirs
    print(ratios.round(2).to_string())
    assert len(ratios) == 5
    assert ratios.between(0.7, 1.4).all()


def test_an_interval_holds_its_value_and_segments_have_none(master, demo):
    for built in (master, demo):
        assert built.rows(
            "select distinct segment_kind = 'all', metric_low is not null "
            "from marts.churn_backtest_metrics where metric_value is not null "
            "order by all"
        ) == [(False, False), (True, True)]
        assert (
            built.rows(
                "select 1 from marts.churn_backtest_metrics "
                "where metric_low > metric_value or metric_high < metric_value"
            )
            == []
        )


def test_draws_take_each_group_once_on_average(demo):
    """Poisson numbers of a hash, and not the same ones in every draw."""
    rates = demo.frame(
        "select draw, any_value(positive_rate) as rate "
        "from evaluations.eval_churn_draws "
        "inner join evaluations.eval_churn_cases using (case_number) "
        "where as_of_date = '2025-09-30' group by draw"
    )["rate"]
    ((rate, customers),) = demo.rows(
        "select distinct positives_count / customers_count, customers_count "
        "from evaluations.eval_churn_cases where as_of_date = '2025-09-30'"
    )
    error = np.sqrt(rate * (1 - rate) / customers)
    assert len(rates) == 200
    assert abs(rates.mean() - rate) < 0.3 * error
    assert 0.8 < rates.std() / error < 1.2


def test_models_are_drawn_the_same_customers(demo):
    """The share of the lost is that of the draw, whatever the model."""
    assert (
        demo.rows(
            "select 1 from evaluations.eval_churn_draws "
            "inner join evaluations.eval_churn_cases using (case_number) "
            "group by draw, as_of_date, horizon_days "
            "having max(positive_rate) > min(positive_rate)"
        )
        == []
    )


# --- tables of the backtest -----------------------------------------------------------


@pytest.mark.parametrize("connector", ["master", "demo"])
def test_the_tables_of_the_backtest_say_the_same(connector, request):
    """Scores, deciles, thresholds, bands and reliability count the same customers."""
    built = request.getfixturevalue(connector)
    ((population,),) = built.rows(
        "select min(population) from evaluations.eval_churn_cases"
    )
    key = "task, model_name, as_of_date, horizon_days"
    sums = built.rows(
        f"""
        with told as (
            select 'scores' as mart, {key}, count(*) as customers,
                count(*) filter (where is_positive) as lost
            from marts.churn_backtest_scores group by all
            union all
            select 'deciles', {key}, sum(customers_count), sum(positives_count)
            from marts.churn_lift_deciles where population = '{population}'
            group by all
            union all
            select 'bands', {key}, sum(customers_count), sum(positives_count)
            from marts.churn_confusion_matrix where population = '{population}'
            group by all
            union all
            select 'thresholds', {key}, max(flagged_count), max(caught_count)
            from marts.churn_threshold_curve where population = '{population}'
            group by all
        )
        select {key}, count(*), count(distinct customers), count(distinct lost)
        from told group by all
        """
    )
    assert {row[4:] for row in sums} == {(4, 1, 1)}
    ((scores, published),) = built.rows(
        "select count(*), count(*) filter (where is_published) "
        "from marts.churn_backtest_scores where is_in_scope"
    )
    assert built.rows(
        "select sum(customers_count), sum(published_customers_count) "
        "from marts.churn_reliability"
    ) == [(scores, published)]
    assert built.rows(
        "select sum(customers_count) from marts.churn_segment_stability "
        "where segment_kind = 'all'"
    ) == [(published,)]


def test_the_first_band_is_judged_as_by_the_library(master):
    said = master.frame(
        "select * from marts.churn_backtest_scores "
        "where is_published and as_of_date = '1998-03-31'"
    )
    flags = said["risk_band"] == "high"
    ((precision, recall, f1),) = master.rows(
        "select flagged_precision, flagged_recall, flagged_f1 "
        "from marts.churn_confusion_matrix where is_published and population = 'all' "
        "and as_of_date = '1998-03-31' and risk_band = 'high'"
    )
    expected = metrics.precision_recall_fscore_support(
        said["is_positive"], flags, average="binary"
    )
    assert (precision, recall, f1) == pytest.approx(expected[:3], abs=1e-9)


def test_what_is_said_with_many_behind_it_comes_true(master):
    """Of those of whom 70 to 75 % was said, as many were lost, and so on."""
    told = master.frame(
        """
        select customers_count, mean_probability - positive_rate as gap
        from marts.churn_reliability
        where model_name = 'logistic' and customers_count >= 300
        """
    )
    assert len(told) >= 8
    assert told["gap"].abs().max() < 0.12


def test_every_score_has_its_measure(demo, sample):
    """A horizon without a past window has none, and says so."""
    for built in (demo, sample):
        found = built.frame("select * from marts.churn_score_reliability")
        ((scores,),) = built.rows("select count(*) from marts.churn_scores_daily")
        assert len(found) == scores > 0
        short = found[found["horizon_days"] <= 91]
        assert (short["past_customers_count"] > 0).mean() > 0.9
        assert set(found[found["horizon_days"] == 273]["reliability_status"]) <= {
            "never_said_before"
        }


def test_drift_is_measured_against_the_promotion(demo):
    found = demo.frame("select * from marts.churn_drift where horizon_days = 90")
    assert len(found) == 6
    selection = found.sort_values("origin_date")["roc_auc"][:-1]
    assert found["promoted_roc_auc"].iloc[0] == pytest.approx(
        selection.mean(), abs=1e-9
    )
    assert not found["is_after_promotion"].any()
    drop = found["promoted_roc_auc"] - found["roc_auc"]
    assert found["roc_auc_drop"].tolist() == pytest.approx(drop.tolist(), abs=1e-9)
    assert (found["has_dropped"] == (drop > 0.03)).all()


# --- the report -----------------------------------------------------------------------


def report(built: Build, *arguments: object, **environment: str):
    return subprocess.run(
        [PERENNIAL, "report", "churn", "--connector", built.connector, *arguments],
        cwd=ROOT,
        env=os.environ | {"PERENNIAL_HOME": str(built.home), **environment},
        capture_output=True,
        text=True,
    )


CHARTS = ["lift", "precision_recall", "reliability", "roc", "threshold"]


@pytest.mark.parametrize("connector", ["sample", "demo"])
def test_the_report_prints_tables_and_draws_charts(connector, request, tmp_path):
    built = request.getfixturevalue(connector)
    told = report(built, "--folder", tmp_path)
    assert told.returncode == 0, told.stderr
    for title in ("Candidates", "Backtest", "Calibration", "Bands", "What to doubt"):
        assert title in told.stdout
    ((auc,),) = built.rows(
        "select printf('%.3f', metrics.metric_value) from marts.churn_backtest_metrics "
        "as metrics inner join marts.churn_backtest_choices as choices "
        "on metrics.model_name = choices.model_name "
        "and metrics.as_of_date = choices.origin_date "
        "and metrics.horizon_days = choices.horizon_days "
        "where is_published and population = 'in_scope' and segment_kind = 'all' "
        "and metrics.metric = 'roc_auc' and metrics.horizon_days in (90, 91) "
        "qualify as_of_date = max(as_of_date) over ()"
    )
    assert auc in told.stdout
    drawn = sorted(file.stem for file in tmp_path.glob("*.svg"))
    assert drawn == [f"churn_{name}" for name in CHARTS]
    before = [file.read_bytes() for file in sorted(tmp_path.iterdir())]
    assert report(built, "--folder", tmp_path).returncode == 0
    assert [file.read_bytes() for file in sorted(tmp_path.iterdir())] == before


def test_without_matplotlib_the_tables_are_printed_all_the_same(demo, tmp_path):
    (tmp_path / "matplotlib.py").write_text("raise ImportError")
    found = report(
        demo,
        "--folder",
        tmp_path,
        PYTHONPATH=os.pathsep.join([str(tmp_path), *sys.path]),
    )
    assert found.returncode == 0, found.stderr
    assert "What to doubt" in found.stdout
    lines = [line for line in found.stdout.splitlines() if "matplotlib" in line]
    assert lines == ["Charts need matplotlib: run pip install matplotlib."]
    assert list(tmp_path.glob("*.svg")) == []


def test_without_models_the_report_says_what_to_run(tmp_path):
    told = subprocess.run(
        [PERENNIAL, "report", "churn"],
        cwd=ROOT,
        env=os.environ | {"PERENNIAL_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert told.returncode == 1
    assert re.fullmatch(r"perennial: .+ run perennial build .+\n", told.stderr)
