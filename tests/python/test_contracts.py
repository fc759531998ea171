"""How long contracts last: published anchors, what was simulated, and the guards."""

import numpy as np
import pandas as pd
import pytest
from conftest import Build
from scipy.special import betaln

from perennial import contracts

pytestmark = pytest.mark.value

#: Survivors of 1,000 customers in per cent, after each of seven renewals, and what was
#: fitted to them: P. Fader, B. Hardie (2007), How to Project Customer Retention.
PUBLISHED = {
    "regular": ([63.1, 46.8, 38.2, 32.6, 28.9, 26.2, 24.1], 0.704, 1.182, -1680.27),
    "high end": ([86.9, 74.3, 65.3, 59.3, 55.1, 51.7, 49.1], 0.668, 3.806, -1611.16),
}


def life_table(survivors) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    alive = np.array([1000, *(10 * share for share in survivors)]).round().astype(int)
    return np.arange(1, len(alive)), alive[:-1], -np.diff(alive)


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_published_parameters_are_found(name):
    survivors, alpha, beta, log_likelihood = PUBLISHED[name]
    found = contracts.fit_retention(*life_table(survivors))
    assert found.status == "ok"
    assert (found.alpha, found.beta) == pytest.approx((alpha, beta), abs=6e-4)
    assert found.log_likelihood == pytest.approx(log_likelihood, abs=0.01)


def test_the_likelihood_is_that_of_the_papers_formulas():
    """A product over renewals is the same as beta functions of the whole life."""
    alpha, beta = 0.8, 2.5
    period, at_risk, lost = life_table(PUBLISHED["regular"][0])
    left = betaln(alpha + 1, beta + period - 1) - betaln(alpha, beta)
    stayed = betaln(alpha, beta + period[-1]) - betaln(alpha, beta)
    expected = lost @ left + (at_risk[-1] - lost[-1]) * stayed
    found = contracts.log_likelihood(alpha, beta, period, at_risk, lost)
    assert found == pytest.approx(expected, rel=1e-12)


def test_what_was_simulated_is_found_though_many_go_on():
    """Contracts are cut off at different ages, as those of a company are."""
    random = np.random.default_rng(7)
    leaving = random.beta(1.2, 8.0, 40_000)
    lasted = random.geometric(leaving)
    seen = random.integers(1, 24, leaving.size)
    period = np.arange(1, 24)
    at_risk = [(np.minimum(lasted, seen) >= t).sum() for t in period]
    lost = [((lasted == t) & (seen >= t)).sum() for t in period]
    found = contracts.fit_retention(period, np.array(at_risk), np.array(lost))
    assert found.alpha == pytest.approx(1.2, rel=0.1)
    assert found.beta == pytest.approx(8.0, rel=0.1)


def test_contracts_that_are_all_alike_are_said_to_be():
    at_risk = np.round(100_000 * 0.9 ** np.arange(10)).astype(int)
    lost = at_risk - np.round(100_000 * 0.9 ** np.arange(1, 11)).astype(int)
    found = contracts.fit_retention(np.arange(1, 11), at_risk, lost)
    assert found.status == "ok"
    assert found.alpha / (found.alpha + found.beta) == pytest.approx(0.1, abs=1e-3)
    assert "no difference" in found.note


@pytest.mark.parametrize(
    ("at_risk", "lost", "status"),
    [
        ([1000, 971], [29, 0], "too_few_lost"),
        ([1000], [400], "one_renewal"),
        ([1000, 0], [1000, 0], "one_renewal"),
        ([0], [0], "too_few_lost"),
    ],
)
def test_what_cannot_be_told_has_a_status(at_risk, lost, status):
    found = contracts.fit_retention(
        np.arange(1, len(lost) + 1), np.array(at_risk), np.array(lost)
    )
    assert found.status == status
    assert found.note
    assert np.isnan([found.alpha, found.beta]).all()


def test_no_contract_is_no_row():
    nothing = pd.DataFrame(
        columns=[
            *("segment_kind", "segment_value", "period_months"),
            *("period_number", "at_risk_count", "lost_count"),
        ]
    )
    assert contracts.fit_segments(nothing).empty


# --- the risk to leave within a month


def months_of(next_date: str, due: float = 0.2, at_risk: int = 100_000) -> pd.DataFrame:
    """Exact counts of two plans, of which one is left half as often."""
    rows = []
    for plan, odds in (("pro", 0.05), ("solo", 0.1)):
        for state, times in (("none", 1.0), ("due", due / 0.05), ("bound", 0.01)):
            for tenure in range(24):
                here = odds * times * (1 + tenure) ** -0.5
                lost = round(at_risk * here / (1 + here))
                rows.append((plan, state, tenure, at_risk, lost))
    names = ["plan", "contract_state", "tenure_months", "at_risk_count", "lost_count"]
    return pd.DataFrame(rows, columns=names).assign(next_date=pd.Timestamp(next_date))


def origins(*dates: str) -> pd.DataFrame:
    return pd.DataFrame({"as_of_date": pd.to_datetime(list(dates))})


def test_risks_are_those_that_customer_months_were_drawn_from():
    months = months_of("2024-01-31")
    found = contracts.fit_hazards(months, origins("2024-01-31"))
    assert set(found["hazard_status"]) == {"ok"}
    both = months.merge(found, on=["plan", "contract_state", "tenure_months"])
    assert len(both) == len(months)
    drawn = both["lost_count_x"] / both["at_risk_count_x"]
    np.testing.assert_allclose(both["leaving_probability"], drawn, rtol=0.02, atol=1e-4)
    assert (both["at_risk_count_x"] == both["at_risk_count_y"]).all()
    # whoever has another plan is somewhere between
    by_plan = found.pivot_table(
        "leaving_probability", ["contract_state", "tenure_months"], "plan"
    )
    assert (by_plan["pro"] < by_plan["any_other"]).all()
    assert (by_plan["any_other"] < by_plan["solo"]).all()


def test_a_month_that_ends_after_the_origin_teaches_nothing():
    known, later = months_of("2024-01-31"), months_of("2024-02-29", due=0.8)
    dates = origins("2024-01-31", "2024-02-28", "2024-02-29")
    alone = contracts.fit_hazards(known, dates)
    both = contracts.fit_hazards(pd.concat([known, later]), dates)
    is_before = both["origin_date"] < "2024-02-29"
    assert is_before.any() and not is_before.all()
    pd.testing.assert_frame_equal(
        both[is_before].reset_index(drop=True),
        alone[alone["origin_date"] < "2024-02-29"].reset_index(drop=True),
    )
    newest = [one[one["origin_date"] == "2024-02-29"] for one in (both, alone)]
    assert not np.allclose(*(one["leaving_probability"] for one in newest))


@pytest.mark.parametrize(
    ("counts", "status"),
    [
        ([(100, 29)], "too_few_lost"),
        ([(100, 71)], "too_few_kept"),
        ([], "too_few_lost"),
        ([(60, 30)], "ok"),
    ],
)
def test_risks_that_cannot_be_told_have_a_status(counts, status):
    months = months_of("2024-01-31").iloc[: len(counts)].copy()
    months["at_risk_count"] = [at_risk for at_risk, _ in counts]
    months["lost_count"] = [lost for _, lost in counts]
    found = contracts.fit_hazards(months, origins("2024-01-31"))
    assert set(found["hazard_status"]) == {status}
    assert found["leaving_probability"].notna().all() == (status == "ok")
    if status != "ok":
        assert len(found) == 1 and found["hazard_note"].all()
        # a key of its own all the same
        assert found[["plan", "contract_state", "tenure_months"]].notna().all(axis=None)
        assert found["at_risk_count"].item() == months["at_risk_count"].sum()


def test_without_an_origin_there_is_no_risk():
    assert contracts.fit_hazards(months_of("2024-01-31"), origins()).empty


def test_what_is_left_of_contracts_came(demo):
    """Of each past date, the months that were paid for as they were expected."""
    told = demo.frame(
        """
        select as_of_date, sum(predicted) as expected, sum(actual) as came,
            count(*) as customers_count
        from evaluations.eval_value_cases
        where model_name = 'hazard' and population = 'contractual'
        group by as_of_date, horizon_days
        """
    )
    assert len(told) >= 6
    assert (told["customers_count"] > 100).all()
    np.testing.assert_allclose(told["expected"], told["came"].astype(float), rtol=0.15)


@pytest.mark.parametrize("days", [90, 365])
def test_contracts_bring_what_the_company_itself_expects(demo, days):
    """Of every date, by the probabilities that lives were drawn with."""
    months = demo.home / "demo" / "truth" / "month_ends" / "*.parquet"
    told = demo.frame(
        f"""
        select count(*) as customers_count,
            corr(expected_amount, true_amount) as correlation,
            sum(expected_amount) / sum(true_amount) as level,
            max(expected_paid_months) as most_months
        from (
            select scores.*, truth.expected_order_amount_{days}d
                + truth.expected_subscription_amount_{days}d as true_amount
            from scores.score_value_contracts as scores
            inner join '{months}' as truth using (customer_id, as_of_date)
            where scores.horizon_days = {days}
        )
        group by as_of_date
        """
    )
    assert len(told) >= 4
    assert (told["customers_count"] > 500).all()
    assert (told["correlation"] > 0.93).all()
    np.testing.assert_allclose(told["level"], 1, atol=0.1)
    assert (told["most_months"] <= days * 12 / 365).all()


def curves(built: Build) -> pd.DataFrame:
    return built.frame(
        "select * from marts.contract_retention "
        "order by segment_kind, segment_value, period_months, period_number"
    )


def test_curves_are_those_of_the_demo_company(demo):
    """Counted again in Python, from the contracts one by one."""
    of_all = curves(demo).query("segment_kind == 'all' and period_months == 1")
    lives = demo.frame("select * from intermediate.int_contract_lives")
    lives = lives[lives["period_months"] == 1]
    for row in of_all.dropna(subset=["at_risk_count"]).itertuples():
        came = lives[lives["renewals_count"] >= row.period_number]
        lost = came["is_lost"] & (came["renewals_count"] == row.period_number)
        assert (row.at_risk_count, row.lost_count) == (len(came), lost.sum())
    kept = of_all["observed_renewal_rate"].dropna().to_numpy(float)
    told = of_all["observed_survival"].dropna().to_numpy(float)
    np.testing.assert_allclose(told, np.cumprod(kept), atol=1e-6)
    # and each contract is in one curve of its plan, and in one of its cohort
    first = curves(demo).query("period_number == 1")
    sums = first.groupby(["segment_kind", "period_months"])["at_risk_count"].sum()
    for months in first["period_months"].unique():
        assert sums["plan", months] == sums["cohort", months] == sums["all", months]


def test_what_is_expected_goes_on_after_what_was_seen(demo):
    """And stays within what chance allows of what was observed."""
    told = curves(demo)
    fitted = told[told["retention_status"] == "ok"]
    assert {("all", 1), ("plan", 1)} <= set(
        fitted[["segment_kind", "period_months"]].itertuples(index=False, name=None)
    )
    of_all = fitted.query("segment_kind == 'all' and period_months == 1")
    rates = of_all["expected_renewal_rate"].to_numpy(float)
    assert (np.diff(rates) >= 0).all()
    np.testing.assert_allclose(
        of_all["expected_survival"], np.cumprod(rates), atol=1e-5
    )
    assert of_all["at_risk_count"].isna().sum() == 12
    seen = of_all.dropna(subset=["at_risk_count"]).query("at_risk_count >= 30")
    gaps = seen["observed_survival"] - seen["expected_survival"]
    assert gaps.abs().max() < 0.05


def test_without_subscriptions_there_is_no_curve(sample):
    assert curves(sample).empty
