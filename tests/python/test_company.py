"""The demo company: draws agree with theory, and the truth with the draws."""

import filecmp
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args, get_type_hints

import duckdb
import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from scipy import stats
from scipy.special import betaln
from sklearn.metrics import roc_auc_score
from test_pages import digest
from typer.testing import CliRunner

from perennial.cli import app
from perennial.cli import generate as generate_command
from perennial.company import SIZES, files, generate, records, truth
from perennial.company.behaviour import (
    ENGAGED,
    MOODS,
    SEGMENTS,
    SHOCKS,
    Behaviour,
    Calendar,
)
from perennial.company.generate import _area
from perennial.company.life import (
    BILLING_DAYS,
    INVOLUNTARY,
    VOLUNTARY,
    Lives,
    draw_people,
    is_due,
    live,
)
from perennial.company.records import NOTHING, SECONDS_PER_DAY, Company
from perennial.faults import UsageFault

CUSTOMERS, MONTHS = 24_000, 36

#: Standard errors. Of all comparisons here, one in 15,000 that is right lies outside.
ERRORS = 4.0


def company(
    customers: int = CUSTOMERS,
    shocks: tuple[str, ...] = (),
    seed: int = 11,
    **parameters,
) -> Company:
    calendar = Calendar(MONTHS, shocks, Behaviour(**parameters))
    people = draw_people(customers, seed, calendar)
    lives = live(people, seed, calendar, lambda done, total: None)
    return Company(people, lives, calendar, seed)


def outlooks(one: Company) -> tuple[pd.DataFrame, pd.DataFrame]:
    frames = []
    for start in range(0, len(one.people), truth.CHUNK):
        part = slice(start, start + truth.CHUNK)
        lives = Lives(**{name: rows[part] for name, rows in vars(one.lives).items()})
        frames.append(
            truth.true_outlooks(one.people.part(part), lives, start, one.calendar)
        )
    return tuple(pd.concat(list(kind)) for kind in zip(*frames, strict=True))


def distance(happened: np.ndarray, p: np.ndarray) -> float:
    """Standard errors between how often something happened and its probabilities."""
    error = np.sqrt(np.sum(p * (1 - p)))
    difference = np.sum(happened) - np.sum(p)
    if error == 0:  # certain
        return 0.0 if difference == 0 else np.inf
    return difference / error


@pytest.fixture(scope="module")
def usual() -> Company:
    return company()


@pytest.fixture(scope="module")
def judged(usual) -> tuple[pd.DataFrame, pd.DataFrame]:
    return outlooks(usual)


def end_of(one: Company, month: int) -> int:
    """Last day of a month."""
    return int(one.calendar.month_starts[month + 1]) - 1


# -- the truth is what happens --------------------------------------------------------


@pytest.mark.parametrize("days", truth.HORIZONS)
def test_churn_happens_as_often_as_its_true_probability_says(usual, judged, days):
    rows = judged[0]
    # windows that do not overlap, so that their errors are independent
    months = range(11, MONTHS, truth.HORIZONS[days])
    dates = [usual.calendar.date(end_of(usual, month)) for month in months]
    over = rows[rows.as_of_date.isin(dates) & rows[f"is_churned_{days}d"].notna()]
    p = over[f"churn_probability_{days}d"].to_numpy()
    y = over[f"is_churned_{days}d"].to_numpy(dtype=bool)
    assert abs(distance(y, p)) < ERRORS
    # by probability, by mood, by campaign: each group of its own
    bins = pd.qcut(p, 10, duplicates="drop")
    for groups in (bins, over["mood"], over["is_campaign_working"]):
        for group in np.unique(np.asarray(groups).astype(str)):
            part = np.asarray(groups).astype(str) == group
            assert abs(distance(y[part], p[part])) < ERRORS, group


@pytest.mark.parametrize("days", truth.HORIZONS)
def test_leaving_and_losing_a_payment_are_told_apart(usual, judged, days):
    rows = judged[0]
    month = MONTHS - 1 - truth.HORIZONS[days]
    rows = rows[rows.as_of_date == usual.calendar.date(end_of(usual, month))]
    is_over = rows[f"is_churned_{days}d"].to_numpy(dtype=bool)
    kind = usual.lives.end_kind[rows.customer]
    voluntary = rows[f"voluntary_churn_probability_{days}d"]
    involuntary = rows[f"churn_probability_{days}d"] - voluntary
    assert abs(distance(is_over & (kind == VOLUNTARY), voluntary)) < ERRORS
    assert abs(distance(is_over & (kind == INVOLUNTARY), involuntary)) < ERRORS


@pytest.mark.parametrize("days", truth.HORIZONS)
def test_orders_come_as_often_as_expected_and_bring_what_is_expected(
    usual, judged, days
):
    month = MONTHS - 1 - truth.HORIZONS[days]
    last = end_of(usual, month)
    rows = judged[0]
    rows = rows[rows.as_of_date == usual.calendar.date(last)].set_index("customer")
    sold = pd.concat([records.orders(usual, m) for m in range(month, MONTHS)])
    sold = sold[sold["product"] != len(records.PRODUCTS) - 1]
    day = sold["ordered"] // SECONDS_PER_DAY
    bought = sold[~sold.is_refund & (day > last) & (day <= last + days)]
    count = bought.groupby("customer").size().reindex(rows.index, fill_value=0)
    expected = rows[f"expected_orders_count_{days}d"]
    # a customer's orders are Poisson, given how long the subscription lasts
    error = np.sqrt((count - expected).var() * len(rows))
    assert abs(count.sum() - expected.sum()) < ERRORS * error

    # a refund counts on the day of its order
    kept = bought[~bought.is_failed]
    refunds = sold[sold.is_refund].set_index(["month", "number"])["cents"]
    kept = kept.join(refunds.rename("back"), on=["month", "number"])
    net = (kept["cents"] + kept["back"].fillna(0)) / 100
    amount = net.groupby(kept["customer"]).sum().reindex(rows.index, fill_value=0.0)
    expected = rows[f"expected_order_amount_{days}d"]
    error = np.sqrt((amount - expected).var() * len(rows))
    assert abs(amount.sum() - expected.sum()) < ERRORS * error


@pytest.mark.parametrize("days", truth.HORIZONS)
def test_bills_bring_what_is_expected(usual, judged, days):
    month = MONTHS - 1 - truth.HORIZONS[days]
    rows = judged[0]
    rows = rows[rows.as_of_date == usual.calendar.date(end_of(usual, month))]
    who = rows.customer.to_numpy()
    billed = np.zeros(who.size)
    for later in range(month + 1, month + 1 + truth.HORIZONS[days]):
        plan = usual.lives.plan[who, later]
        price = usual.calendar.prices(later)[plan]
        net = price - np.round(price * usual.people.discount[who], 2)
        billed += np.where(plan >= 0, net, 0)
    difference = billed - rows[f"expected_subscription_amount_{days}d"].to_numpy()
    assert abs(difference.sum()) < ERRORS * np.sqrt(difference.var() * who.size)


def test_a_campaign_changes_what_its_truth_says(judged):
    responses = judged[1]
    over = responses[responses.is_churned_90d.notna()]
    for group, column in (
        ("treated", "churn_probability_if_treated"),
        ("control", "churn_probability_if_not"),
        ("not_chosen", "churn_probability_if_not"),
    ):
        rows = over[over.campaign_group == group]
        y, p = rows.is_churned_90d.to_numpy(dtype=bool), rows[column].to_numpy()
        # one day less than the truth of the month end: no bill lies between
        assert abs(distance(y, p)) < ERRORS, group


def test_uplift_differs_by_segment_in_size_and_sign():
    one = company(60_000, seed=3)
    responses = outlooks(one)[1]
    responses = responses[responses.is_churned_90d.notna()]
    responses["segment"] = one.people.segment[responses.customer]
    responses["change"] = (
        responses.churn_probability_if_treated - responses.churn_probability_if_not
    )
    true_changes = []
    for segment in range(len(SEGMENTS)):
        rows = responses[responses.segment == segment]
        seen, error = [], 0.0
        for group in ("treated", "control"):
            y = rows[rows.campaign_group == group].is_churned_90d.astype(float)
            seen.append(y.mean())
            error += y.var() / len(y)
        true_changes.append(rows.change.mean())
        assert abs(seen[0] - seen[1] - rows.change.mean()) < ERRORS * np.sqrt(error)
    solo, team, enterprise = true_changes
    assert solo > 0.001 and team < -0.005 and enterprise < -0.005


def test_who_gets_a_campaign_is_left_to_chance(usual):
    group, behaviour = usual.lives.campaign_group, usual.behaviour
    month = next(m for m in range(24, MONTHS) if usual.calendar.is_campaign(m))
    who = np.flatnonzero(usual.lives.plan[:, month - 1] >= 0)
    is_treated = group[who, month] == 1
    share = np.full(who.size, behaviour.treated_share)
    for mood in range(len(MOODS)):
        part = usual.lives.mood[who, month - 1] == mood
        assert abs(distance(is_treated[part], share[part])) < ERRORS
    is_control = group[who, month] == 2
    share = np.full(who.size, behaviour.campaign_share * behaviour.control_share)
    assert abs(distance(is_control, share)) < ERRORS


def test_three_renewals_lie_within_90_days_and_twelve_within_365():
    """The truth counts renewals in place of days, so no month end may be an exception.

    Who loses the subscription by a failed payment does so some days after the bill.
    """
    calendar = Calendar(4 * 12, (), Behaviour())  # with a leap year
    earliest, latest = np.array(BILLING_DAYS) - 1
    latest += calendar.behaviour.grace_days
    for days, count in truth.HORIZONS.items():
        month = np.arange(calendar.months)
        last = calendar.month_starts[month + 1] - 1 + days
        assert (calendar.month_starts[month + count] + latest <= last).all()
        assert (calendar.month_starts[month + count + 1] + earliest > last).all()


def worked_out_by_day(
    one: Company, customer: int, month: int, days: int
) -> dict[str, float]:
    """Multiply the steps of one customer forwards, and look at every day.

    The truth goes backwards over all customers at once, in months. This is the plain
    way for one of them: a table of probabilities by mood, campaign and plan.
    """
    b, calendar, people = one.behaviour, one.calendar, one.people
    me = people.part(np.array([customer]))
    first, last = end_of(one, month) + 1, end_of(one, month) + days
    state = np.zeros((3, 2, 3))
    lives = one.lives
    state[
        lives.mood[customer, month],
        int(lives.is_treated[customer, month]),
        lives.plan[customer, month],
    ] = 1.0
    trouble = float(lives.is_in_trouble[customer, month])
    told = dict.fromkeys(("voluntary", "involuntary", "orders", "bills"), 0.0)
    is_there = np.zeros(last + 1)
    later = month
    while calendar.month_starts[later + 1] <= last:
        shock = calendar.drift_by_shock(later)
        step = trouble * b.moves(shock, True) + (1 - trouble) * b.moves(shock, False)
        state = np.einsum("mcp,mn->ncp", state, step)
        later += 1
        trouble = float(b.trouble_probability[me.segment[0]])
        if calendar.is_campaign(later):
            share = np.array([1 - b.treated_share, b.treated_share])
            state = state.sum(axis=1)[:, None, :] * share[None, :, None]
        elif later - b.campaign_months >= 0 and calendar.is_campaign(
            later - b.campaign_months
        ):
            state = np.stack([state.sum(axis=1), 0 * state[:, 0]], axis=1)
        start, end = calendar.month_starts[later : later + 2]
        bill = start + me.billing_day[0] - 1
        before = state.sum()
        is_there[start : min(bill, last + 1)] = before
        if bill > last:
            is_there[start:] = before
            break
        age = later - me.start_month[0]
        is_renewal = age % 12 == 0 if me.is_yearly[0] else True
        k = b.leaving_by_mood[:, None] * np.array(
            [1.0, b.campaign_factor_by_segment[me.segment[0]]]
        )
        k = (
            k
            * b.leaving_by_channel[me.channel[0]]
            * b.leaving_by_segment[me.segment[0]]
        )
        k = k * (b.leaving_at_yearly_renewal if me.is_yearly[0] else 1.0)
        k = k * (b.leaving_in_january if calendar.names[later][-2:] == "01" else 1.0)
        leaves = is_renewal * (1 - (1 - me.leaving_probability[0]) ** k)
        fails = is_renewal * me.payment_failure_probability[0] * b.payment_lost
        told["voluntary"] += (state * leaves[:, :, None]).sum()
        stays = state * (1 - leaves)[:, :, None]
        lost = fails * stays.sum()
        told["involuntary"] += lost
        state = stays * (1 - fails)
        state = np.stack([state[m] @ b.plan_changes(m) for m in range(3)])
        price = calendar.prices(later)
        told["bills"] += state.sum(axis=(0, 1)) @ (
            price - np.round(price * me.discount[0], 2)
        )
        is_there[bill : min(end, last + 1)] = state.sum()
        is_there[bill : bill + b.grace_days] += lost
    weight = np.diff(calendar.orders)
    told["orders"] = float(
        me.orders_rate[0] * (weight[: last + 1] * is_there)[first:].sum()
    )
    return told


@pytest.mark.parametrize("shocks", [(), SHOCKS])
def test_the_truth_is_the_product_of_its_steps(shocks):
    one = company(600, shocks=shocks, seed=2)
    rows = outlooks(one)[0]
    compared = 0
    for month in (8, 13, 21, 23, 25, 26, 27, 34, 35):
        date = one.calendar.date(end_of(one, month))
        of_month = rows[rows.as_of_date == date].set_index("customer")
        for customer in of_month.index[::12]:
            row = of_month.loc[customer]
            is_treated = one.lives.is_treated[customer, month]
            assert row.is_campaign_working == is_treated
            assert row.mood == one.lives.mood[customer, month]
            for days in truth.HORIZONS:
                told = worked_out_by_day(one, customer, month, days)
                assert row[f"voluntary_churn_probability_{days}d"] == pytest.approx(
                    told["voluntary"], abs=2e-9
                )
                assert row[f"churn_probability_{days}d"] == pytest.approx(
                    told["voluntary"] + told["involuntary"], abs=2e-9
                )
                assert row[f"expected_orders_count_{days}d"] == pytest.approx(
                    told["orders"], abs=2e-9
                )
                assert row[f"expected_subscription_amount_{days}d"] == pytest.approx(
                    told["bills"], abs=2e-6
                )
                compared += 1
    assert compared > 150


def test_a_subscription_ends_at_a_renewal(usual):
    people, lives, calendar = usual.people, usual.lives, usual.calendar
    left = np.flatnonzero(lives.end_kind > 0)
    day = lives.end_day[left] - usual.behaviour.grace_days * (
        lives.end_kind[left] == INVOLUNTARY
    )
    month = calendar.month_of(day)
    assert (day - calendar.month_starts[month] + 1 == people.billing_day[left]).all()
    age = month - people.start_month[left]
    assert (age > 0).all()
    is_yearly = people.is_yearly[left]
    assert (age[is_yearly] % 12 == 0).all()
    assert set(np.unique(age[~is_yearly] % 12)) == set(range(12))


# -- theory ---------------------------------------------------------------------------


def plain(**parameters) -> dict:
    """Parameters of a company in which nothing but the beta distribution matters."""
    ones = np.ones(3)
    return {
        "leaving_a": 1.3,
        "leaving_b": 12.0,
        "leaving_by_mood": ones,
        "leaving_by_channel": np.ones(5),
        "leaving_by_segment": ones,
        "leaving_in_january": 1.0,
        "campaign_factor_by_segment": ones,
        "payment_lost": 0.0,
        "yearly_share_by_segment": np.zeros(3),
        **parameters,
    }


def test_retention_is_shifted_beta_geometric_where_moods_do_not_matter():
    """S(t) = B(a, b + t) / B(a, b), Fader and Hardie (2007)."""
    one = company(**plain())
    people, lives = one.people, one.lives
    begun = np.flatnonzero(people.start_month <= MONTHS - 13)
    lasted = (
        one.calendar.month_of(np.minimum(lives.end_day, one.calendar.end))
        - people.start_month
    )
    a, b = one.behaviour.leaving_a, one.behaviour.leaving_b
    for renewals in (1, 2, 3, 6, 12):
        theory = np.exp(betaln(a, b + renewals) - betaln(a, b))
        stays = lasted[begun] > renewals
        assert abs(distance(stays, np.full(begun.size, theory))) < ERRORS

    rows = outlooks(one)[0]
    first = rows[rows.as_of_date == one.calendar.date(end_of(one, 20))]
    first = first[people.start_month[first.customer] == 20]
    for days, renewals in truth.HORIZONS.items():
        theory = 1 - np.exp(betaln(a, b + renewals) - betaln(a, b))
        p = first[f"churn_probability_{days}d"]
        assert abs(p.mean() - theory) < ERRORS * p.std() / np.sqrt(len(p))
        exact = 1 - (1 - people.leaving_probability[first.customer]) ** renewals
        np.testing.assert_allclose(p, exact, atol=1e-9)


def test_moods_follow_their_chain():
    one = company(**plain(leaving_a=0.001, leaving_b=1e9))
    behaviour, lives, people = one.behaviour, one.lives, one.people
    start = 8
    who = np.flatnonzero(people.start_month == start)
    calm, troubled = (behaviour.moves(0.0, trouble) for trouble in (False, True))
    expected = np.zeros((who.size, 3))
    drifting = behaviour.first_mood_drifting[people.is_onboarded[who].astype(int)]
    expected[:, 0], expected[:, 1] = 1 - drifting, drifting
    trouble = behaviour.trouble_probability[people.segment[who]][:, None, None]
    step = (1 - trouble) * calm + trouble * troubled
    for month in range(start, MONTHS):
        for mood in range(len(MOODS)):
            seen = lives.mood[who, month] == mood
            assert abs(distance(seen, expected[:, mood])) < ERRORS, (month, mood)
        expected = np.einsum("cm,cmn->cn", expected, step)


def test_orders_are_negative_binomial(usual):
    """A gamma mixture of Poisson counts over a whole month, Ehrenberg (1959)."""
    month, behaviour = 30, usual.behaviour
    who = np.flatnonzero(
        (usual.people.start_month < month) & (usual.lives.plan[:, month] >= 0)
    )
    sold = records.orders(usual, month)
    sold = sold[~sold.is_refund & (sold["product"] != len(records.PRODUCTS) - 1)]
    counts = np.bincount(sold.customer, minlength=len(usual.people))[who]
    start, end = usual.calendar.month_starts[month : month + 2]
    weight = usual.calendar.orders[end] - usual.calendar.orders[start]
    r = behaviour.order_shape
    theory = stats.nbinom(r, r / (r + behaviour.orders_mean * weight))
    shares = [*theory.pmf(np.arange(8)), theory.sf(7)]
    seen = np.bincount(np.minimum(counts, 8), minlength=9)
    assert stats.chisquare(seen, np.array(shares) * who.size).pvalue > 1e-4


def test_amounts_are_gamma_gamma(usual):
    """Mean p g / (q - 1) over customers, Fader and Hardie (2013)."""
    b = usual.behaviour
    mean = b.spend_p / usual.people.spend_rate
    theory = b.spend_p * b.spend_gamma / (b.spend_q - 1)
    assert abs(mean.mean() - theory) < ERRORS * mean.std() / np.sqrt(mean.size)
    sold = records.orders(usual, 30)
    sold = sold[~sold.is_refund & (sold["product"] != len(records.PRODUCTS) - 1)]
    z = sold.cents / 100 * usual.people.spend_rate[sold.customer] - b.spend_p
    assert abs(z.mean()) < ERRORS * np.sqrt(b.spend_p / len(z))
    assert abs(z.var() / b.spend_p - 1) < 0.1


def test_renewals_fail_as_often_as_the_beta_distribution_says(usual):
    b, month = usual.behaviour, 28
    who = np.flatnonzero(usual.lives.plan[:, month - 1] >= 0)
    who = who[is_due(usual.people.part(who), month)]
    who = who[
        (usual.lives.end_kind[who] != VOLUNTARY)
        | (usual.calendar.month_of(usual.lives.end_day[who]) != month)
    ]
    fails = usual.lives.failed_payments[who, month] > 0
    assert abs(distance(fails, usual.people.payment_failure_probability[who])) < ERRORS
    mean = b.payment_failure_a / (b.payment_failure_a + b.payment_failure_b)
    drawn = usual.people.payment_failure_probability
    assert abs(drawn.mean() - mean) < ERRORS * drawn.std() / np.sqrt(drawn.size)


def test_a_failed_renewal_is_tried_again_and_its_loss_told(usual):
    months = [records.orders(usual, m) for m in range(1, MONTHS)]
    sold = pd.concat(months, ignore_index=True)
    tries = sold[sold["product"] == len(records.PRODUCTS) - 1]
    assert tries.is_failed.all() and (tries.cents > 0).all()
    lives, calendar = usual.lives, usual.calendar
    lost = np.flatnonzero(lives.end_kind == INVOLUNTARY)
    assert lost.size > 100
    day = tries.ordered // SECONDS_PER_DAY
    month_of_end = calendar.month_of(lives.end_day[tries.customer])
    before_end = (lives.end_day[tries.customer] - day)[
        (lives.end_kind[tries.customer] == INVOLUNTARY) & (tries.month == month_of_end)
    ]
    by_customer = before_end.groupby(tries.customer).apply(sorted)
    assert set(by_customer.index) == set(lost)
    assert all(days == [1, 4, 7] for days in by_customer)
    versions = pd.concat([records.subscriptions(usual, m) for m in range(MONTHS)])
    reasons = versions[versions.customer.isin(lost) & (versions.is_voluntary == 0)]
    assert len(reasons) == lost.size
    told = np.array(records.CANCEL_REASONS)[reasons.reason]
    assert set(told) == {"payment_failed"}


def test_usage_follows_mood_season_and_week(usual):
    b, calendar, month = usual.behaviour, usual.calendar, 30
    seen = records.events(usual, month)
    sessions = seen.drop_duplicates("session")
    start, end = calendar.month_starts[month : month + 2]
    before = np.flatnonzero(usual.people.signup_day < start - b.first_month_days)
    who = before[usual.lives.plan[before, month] >= 0]
    count = np.bincount(sessions.customer, minlength=len(usual.people))[who]
    weight = calendar.usage[end] - calendar.usage[start]
    expected = usual.people.sessions_rate[who] * weight
    expected *= b.usage_by_mood[usual.lives.mood[who, month]]
    # late rows that come after the end are not there yet: none so early
    for mood in range(len(MOODS)):
        part = usual.lives.mood[who, month] == mood
        difference = count[part] - expected[part]
        error = np.sqrt(difference.var() * part.sum())
        assert abs(difference.sum()) < ERRORS * error
    assert np.abs(count - expected).max() < 1 + 1e-9
    day = sessions.occurred // SECONDS_PER_DAY
    dates = calendar.date(day.to_numpy()).astype("datetime64[D]")
    is_weekend = (dates.astype(int) + 3) % 7 >= 5
    every = calendar.date(np.arange(start, end)).astype("datetime64[D]")
    of_weekend = np.flatnonzero((every.astype(int) + 3) % 7 >= 5) + start
    share = sum(calendar.usage[d + 1] - calendar.usage[d] for d in of_weekend) / weight
    assert abs(distance(is_weekend, np.full(len(day), share))) < ERRORS


def test_events_of_a_session_lie_on_its_day_in_the_order_of_time(usual):
    seen = records.events(usual, 20)
    day = seen.occurred // SECONDS_PER_DAY
    by_session = seen.assign(day=day).groupby("session")
    for column in ("day", "customer"):
        assert (by_session[column].min() == by_session[column].max()).all()
    assert seen.occurred.is_monotonic_increasing
    per_day = len(seen) / len(seen.assign(day=day).groupby(["customer", "day"]))
    assert per_day >= 4
    assert (day >= usual.people.signup_day[seen.customer]).all()
    assert (day < usual.active_until(seen.customer.to_numpy())).all()


def test_what_is_seen_before_a_cancellation(usual):
    """Usage falls, tickets pile up and are rated worse than those of others."""
    lives = usual.lives
    month = 30
    leavers = np.flatnonzero(
        (lives.end_kind == VOLUNTARY)
        & (usual.calendar.month_of(lives.end_day) == month)
        & (usual.people.start_month < month - 8)
    )
    sessions = {}
    for back in (6, 1):
        seen = records.events(usual, month - back).drop_duplicates("session")
        count = np.bincount(seen.customer, minlength=len(usual.people))
        sessions[back] = count[leavers].mean()
    assert sessions[1] < 0.6 * sessions[6]
    opened = pd.concat([records.tickets(usual, month - back) for back in (1, 2, 3, 4)])
    others = np.flatnonzero(
        (lives.plan[:, month] >= 0) & (usual.people.start_month < month - 8)
    )
    count = np.bincount(opened.customer, minlength=len(usual.people))
    # large customers write more and leave less, so each is compared with its own kind
    segment = usual.people.segment
    usual_count = np.array(
        [count[others][segment[others] == kind].mean() for kind in range(3)]
    )
    assert count[leavers].mean() > 1.2 * usual_count[segment[leavers]].mean()
    scored = opened[opened.csat > 0]
    is_leaver = scored.customer.isin(leavers)
    assert scored[is_leaver].csat.mean() < scored[~is_leaver].csat.mean() - 0.3


def test_a_chain_of_periods_tells_the_whole_subscription(usual):
    versions = pd.concat(
        [records.subscriptions(usual, m) for m in range(MONTHS)], ignore_index=True
    )
    last = versions.groupby(["customer", "period"]).tail(1).set_index("customer")
    last = last.sort_values(["customer", "period"])
    # a period begins where the one before it ended
    follows = last.groupby(level=0).started.shift(-1)
    is_followed = follows.notna()
    assert (last.ended[is_followed] == follows[is_followed]).all()
    final = last[~is_followed]
    ended = usual.lives.end_day[final.index].astype(np.int64)
    has_ended = usual.lives.end_kind[final.index] > 0
    assert ((final.ended != NOTHING) == has_ended).all()
    days = final.ended[has_ended] // SECONDS_PER_DAY
    assert (days == ended[has_ended]).all()
    assert len(final) == (usual.people.start_month < MONTHS).sum()
    assert final.is_voluntary[has_ended].isin([0, 1]).all()
    assert (last.is_voluntary[is_followed] == NOTHING).all()
    # no version is known before it came about, and each is told once
    keys = versions[["customer", "period", "changed"]]
    assert not keys.duplicated().any()


# -- shocks ---------------------------------------------------------------------------


def test_a_shock_moves_nothing_before_its_month(usual):
    shocked = company(shocks=SHOCKS)
    first = shocked.calendar.holiday_month
    for name in ("mood", "plan", "is_in_trouble", "campaign_group"):
        ours, theirs = (getattr(one.lives, name) for one in (usual, shocked))
        np.testing.assert_array_equal(ours[:, :first], theirs[:, :first])
    pd.testing.assert_frame_equal(
        records.events(usual, first - 1), records.events(shocked, first - 1)
    )


def test_shocks_do_what_they_are_called(usual):
    calendar = usual.calendar

    def drifters(one: Company, month: int) -> int:
        mood = one.lives.mood
        return ((mood[:, month] == ENGAGED) & (mood[:, month + 1] == 1)).sum()

    for name, month in (
        ("price_rise", calendar.price_rise_month),
        ("outage", calendar.outage_month),
    ):
        shocked = company(shocks=(name,))
        assert drifters(shocked, month) > 1.5 * drifters(usual, month)
    outage = company(shocks=("outage",))
    month = calendar.outage_month
    day = calendar.month_starts[month] + 9
    counts = [
        ((records.events(one, month).occurred // SECONDS_PER_DAY).isin([day])).sum()
        for one in (outage, usual)
    ]
    assert counts[0] < 0.4 * counts[1]
    holiday = company(shocks=("holiday",))
    month = calendar.holiday_month
    orders = [len(records.orders(one, month)) for one in (holiday, usual)]
    assert orders[0] > 1.2 * orders[1]
    risen = Calendar(MONTHS, ("price_rise",), usual.behaviour)
    assert (risen.prices(MONTHS - 1) > risen.prices(0)).all()


@pytest.mark.parametrize("shocks", [(name,) for name in SHOCKS])
def test_the_truth_knows_the_shocks(shocks):
    one = company(16_000, shocks=shocks, seed=5)
    rows = outlooks(one)[0]
    for month in (one.calendar.months - 13, one.calendar.months - 11, 25, 28):
        part = rows[rows.as_of_date == one.calendar.date(end_of(one, month))]
        y = part.is_churned_90d.to_numpy(dtype=bool)
        assert abs(distance(y, part.churn_probability_90d.to_numpy())) < ERRORS


# -- files ----------------------------------------------------------------------------


def same(left: Path, right: Path) -> bool:
    ours, theirs = (
        {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
        for folder in (left, right)
    )
    return ours == theirs and all(
        filecmp.cmp(left / name, right / name, shallow=False) for name in ours
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "demo"
    generate(folder, customers=3_000, months=18, seed=7, threads=1)
    return folder


def test_the_same_seed_gives_the_same_bytes_whatever_the_threads(made, tmp_path):
    generate(tmp_path / "again", customers=3_000, months=18, seed=7, threads=3)
    assert same(made, tmp_path / "again")
    generate(tmp_path / "other", customers=3_000, months=18, seed=8, threads=3)
    assert not same(made / "raw" / "orders", tmp_path / "other" / "raw" / "orders")


def test_what_was_planted_stands_on_top_of_what_is_true(made):
    planted = duckdb.sql(f"from '{made}/truth/planted_dirt.parquet'").df()
    planted = planted[planted.verdict != "read_right"]
    true = company_of(made)
    for domain in files.WRITERS:
        folder = made / "raw" / domain
        if domain == "events":
            count = duckdb.sql(f"select count(*) from '{folder}/*.parquet'")
            (lines,) = count.fetchone()
        else:
            lines = sum(
                len(path.read_bytes().splitlines()) - (path.suffix == ".csv")
                for path in folder.iterdir()
            )
        rows = pd.concat([getattr(records, domain)(true, m) for m in range(18)])
        if domain == "orders":
            rows = rows[rows.delivered < true.calendar.end * SECONDS_PER_DAY]
        extra = planted[planted.domain == domain].lines_count.sum()
        assert lines == len(rows) + extra, domain
    refused = planted[planted.verdict == "refused"]
    assert set(refused.domain) == set(files.WRITERS) - {"customers", "subscriptions"}


def company_of(folder: Path) -> Company:
    about = json.loads((folder / "company.json").read_text())
    calendar = Calendar(about["months"], about["shocks"], Behaviour())
    people = draw_people(about["customers"], about["seed"], calendar)
    lives = live(people, about["seed"], calendar, lambda *_: None)
    return Company(people, lives, calendar, about["seed"])


def test_refused_lines_stay_below_the_threshold_in_every_file(made):
    planted = duckdb.sql(f"from '{made}/truth/planted_dirt.parquet'").df()
    refused = planted[planted.verdict == "refused"]
    for file, lines in refused.groupby("file").lines_count.sum().items():
        path = made / "raw" / file.split("_")[0] / file
        if path.suffix == ".parquet":
            (count,) = duckdb.sql(f"select count(*) from '{path}'").fetchone()
        else:
            count = len(path.read_bytes().splitlines())
        assert lines < 0.005 * count


def test_the_oracle_is_judged_as_scikit_learn_does(made):
    rows = duckdb.sql(f"from '{made}/truth/month_ends/*.parquet'").df()
    oracle = duckdb.sql(f"from '{made}/truth/oracle.parquet'").df()
    assert len(oracle) > 15
    for one in oracle.itertuples():
        part = rows[rows.as_of_date == one.as_of_date]
        y = part[f"is_churned_{one.horizon_days}d"].astype(bool)
        p = part[f"churn_probability_{one.horizon_days}d"]
        if y.any():
            assert one.roc_auc == pytest.approx(roc_auc_score(y, p), abs=1e-8)
        assert one.churn_rate == pytest.approx(y.mean(), abs=1e-8)
        assert one.customers_count == len(part)


def test_equal_probabilities_count_half():
    p = np.array([0.1, 0.1, 0.1, 0.2, 0.2, 0.3])
    y = np.array([True, False, False, True, False, True])
    assert _area(p, y) == pytest.approx(roc_auc_score(y, p), abs=1e-9)
    assert _area(p, np.zeros(6, bool)) is None


def test_a_churn_has_causes_and_some_leave_no_trace(made):
    causes = duckdb.sql(f"from '{made}/truth/churn_causes.parquet'").df()
    voluntary = causes[causes.is_voluntary]
    by_name = voluntary.filter(like="by_")
    assert by_name.sum(axis=1).max() > 1
    assert 0.2 < voluntary.is_unobserved.mean() < 0.8
    assert not causes[~causes.is_voluntary].filter(like="by_").any(axis=None)
    drifted = voluntary[voluntary.mood != "engaged"]
    assert drifted.filter(like="by_").any(axis=1).all()


def test_the_company_is_like_real_ones(usual, judged):
    """Of subscribers, about one in twelve is lost per quarter."""
    rows = judged[0]
    rows = rows[rows.as_of_date >= pd.Timestamp("2023-12-31")]
    rows = rows[rows.is_churned_90d.notna()]
    assert 0.07 < rows.is_churned_90d.astype(float).mean() < 0.10
    assert (
        0.80
        < roc_auc_score(rows.is_churned_90d.astype(bool), rows.churn_probability_90d)
        < 0.90
    )
    assert SIZES["tiny"].customers == 2_000


def test_the_help_tells_the_sizes_as_they_are():
    hints = get_type_hints(generate_command, include_extras=True)
    _, option = get_args(hints["size"])
    told = re.findall(r"(\w+) \(([0-9,]+)[ a-z]*, ([0-9]+)[ a-z]*\)", option.help)
    assert told == [
        (name, f"{size.customers:,}", f"{size.months}") for name, size in SIZES.items()
    ]


# -- arguments ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"customers": 99}, "customers is 99"),
        ({"months": 11}, "months is 11"),
        ({"seed": -1}, "seed is -1"),
        ({"threads": 0}, "threads is 0"),
        ({"shocks": ["flood"]}, "no shock called 'flood'"),
    ],
)
def test_an_argument_out_of_range_is_told(tmp_path, arguments, told):
    usual_ones = {"customers": 200, "months": 12, "seed": 1}
    with pytest.raises(UsageFault, match=told):
        generate(tmp_path / "new", **(usual_ones | arguments))
    assert not (tmp_path / "new").exists()


def test_a_folder_that_holds_something_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UsageFault, match="not empty"):
        generate(tmp_path, customers=200, months=12, seed=1)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_the_smallest_company_and_the_command_line(tmp_path):
    out = tmp_path / "smallest"
    ran = CliRunner().invoke(
        app, ["generate", "--customers=100", "--months=12", f"--out={out}"]
    )
    assert ran.exit_code == 0, ran.output
    about = json.loads((out / "company.json").read_text())
    assert (about["customers"], about["months"], about["seed"]) == (100, 12, 7)
    assert {path.name for path in (out / "raw").iterdir()} == set(files.WRITERS)


# -- the page -------------------------------------------------------------------------


def test_the_page_tells_every_parameter_as_it_is(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs")
    import demo_company

    table = demo_company.parameters()
    assert table.count("\n") > 35
    assert table in (ROOT / "docs" / "demo-company.md").read_text()


@pytest.mark.slow
def test_the_page_shows_the_small_company(tmp_path):
    environment = os.environ | {"PERENNIAL_HOME": str(tmp_path)}
    drawn = subprocess.run(
        [sys.executable, "docs/demo_company.py", tmp_path / "charts"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert drawn.returncode == 0, drawn.stderr
    shown = sorted((ROOT / "docs" / "charts" / "company").glob("*.svg"))
    assert [file.name for file in shown] == sorted(
        file.name for file in (tmp_path / "charts").iterdir()
    )
    for file in shown:
        assert digest(file) == digest(tmp_path / "charts" / file.name), file.name
    checked = subprocess.run(
        [
            *(Path(sys.executable).parent / "cog", "--check", "-I", "docs"),
            "docs/demo-company.md",
        ],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr + "run: make render"
