"""How the demo company's customers behave: every rate, and the calendar.

All numbers of the latent model stand here. docs/demo-company.md tells them in formulas.
They were chosen once: for a churn of about 8.5 % a quarter, which is what subscription
software for small companies reports, and for causes of which most leave a trace.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from perennial.company.draws import cumulated
from perennial.faults import UsageFault

#: The company's history ends with this day, whatever its length.
LAST_MONTH = np.datetime64("2025-12")

#: Truth looks this many months beyond the end: a true probability needs no outcome.
MONTHS_AHEAD = 12

#: Days in a mean month; rates are per month of this length.
DAYS_PER_MONTH = 365.25 / 12

SHOCKS = ("price_rise", "outage", "holiday")

SEGMENTS = ("solo", "team", "enterprise")
CHANNELS = ("organic", "search", "paid_social", "partner", "referral")
COUNTRIES = ("US", "DE", "GB", "FR", "BR", "IN")
PLANS = ("starter", "team", "business")

#: A mood is never delivered. It moves usage, answers to mail, and the will to leave.
MOODS = ("engaged", "drifting", "leaving")
ENGAGED, DRIFTING, LEAVING = range(3)

#: What made an engaged customer drift; several may be true at once.
CAUSES = ("onboarding_failed", "support_trouble", "price_rise", "outage", "own_reasons")
ONBOARDING_FAILED, SUPPORT_TROUBLE, PRICE_RISE, OUTAGE, OWN_REASONS = (
    1 << place for place in range(len(CAUSES))
)


def _row(*values: float):
    return field(default_factory=lambda: np.array(values))


@dataclass(frozen=True)
class Behaviour:
    """Parameters of the latent model.

    Where a parameter has several values they follow SEGMENTS, CHANNELS, COUNTRIES,
    PLANS or MOODS. docs/demo-company.md renders this list with the values.

    Attributes
    ----------
    signup_growth
        Growth of sign-ups per month, on top of the season.
    segment_shares, channel_shares, country_shares
        Who comes, and from where.
    trial_days
        The first bill comes on the first billing day after so many days.
    conversion_by_channel
        Probability that a trial becomes a subscription.
    onboarding_by_channel, onboarding_by_segment
        Their sum is the probability that onboarding works.
    yearly_share_by_segment
        Share of the customers with a contract of a year; the others pay by the month.
    first_plan_by_segment
        Shares of the plans, a row for each segment.
    discounts, discount_shares
        Shares of the list price that are waived, and how many get them.
    usage_shape
        Shape of the gamma distribution of sessions per month.
    sessions_by_segment
        Its mean.
    usage_by_mood
        Factors of the sessions.
    usage_in_first_month, first_month_days
        Factors in the first days, where onboarding failed and where it worked.
    events_per_session
        One and a Poisson number; this is their mean.
    order_shape, orders_mean
        Gamma distribution of one-off orders per month of subscription.
    spend_p, spend_q, spend_gamma
        Amounts are gamma distributed with shape p and a rate of the customer's own,
        which is gamma distributed with shape q and rate gamma.
    refund_probability, failed_order_probability
        Per order.
    tickets_by_segment, tickets_by_mood
        Their product is the mean number of usual tickets per month.
    trouble_probability
        Probability, by segment, of support trouble in a month.
    tickets_in_trouble
        One and a Poisson number of tickets on top; this is their mean.
    open_probability
        Of a letter, by mood.
    first_mood_drifting
        Probability to begin adrift, where onboarding failed and where it worked.
    drift_from_own_reasons, drift_from_trouble, drift_from_price_rise, drift_from_outage
        Probabilities of what makes an engaged customer drift, at a month's end.
    leaving_from_trouble
        Probability that trouble makes an engaged customer want to leave at once.
    recovery_from_drifting, drifting_to_leaving, drifting_to_leaving_in_trouble
        Probabilities out of drifting, per month.
    leaving_to_drifting
        Probability to change one's mind, per month.
    leaving_a, leaving_b
        Beta distribution of the probability p of leaving at a renewal.
    leaving_by_mood, leaving_by_channel, leaving_by_segment
        Factors of the exponent k in 1 - (1 - p) ** k.
    leaving_at_yearly_renewal, leaving_in_january
        The same, at the renewal of a year, and in January.
    payment_failure_a, payment_failure_b
        Beta distribution of the probability that the payment of a renewal fails.
    payment_lost
        Share of the failed renewals that end the subscription.
    payment_fails_again
        Share of the others whose second try fails too.
    grace_days
        A payment that is lost ends the subscription so many days later.
    upgrade_probability, downgrade_probability
        Per billing day, by mood.
    plan_prices
        List price per month.
    price_rise
        Share on top, from the month of that shock on.
    campaign_share, control_share
        Share of the customers chosen for a campaign, and of these that get nothing.
    campaign_months
        For so many renewals it works.
    campaign_factor_by_segment
        Factor of k while it works: above 1 it does harm.
    late_share, late_event_share
        Share of orders that are recorded late, and of sessions of offline devices.
    """

    signup_growth: float = 0.015
    segment_shares: np.ndarray = _row(0.55, 0.35, 0.10)
    channel_shares: np.ndarray = _row(0.28, 0.27, 0.20, 0.13, 0.12)
    country_shares: np.ndarray = _row(0.45, 0.17, 0.14, 0.10, 0.08, 0.06)
    trial_days: int = 14
    conversion_by_channel: np.ndarray = _row(0.90, 0.88, 0.76, 0.90, 0.93)
    onboarding_by_channel: np.ndarray = _row(0.78, 0.74, 0.52, 0.82, 0.84)
    onboarding_by_segment: np.ndarray = _row(-0.06, 0.02, 0.10)
    yearly_share_by_segment: np.ndarray = _row(0.25, 0.40, 0.60)
    first_plan_by_segment: np.ndarray = field(
        default_factory=lambda: np.array(
            [[0.85, 0.14, 0.01], [0.30, 0.62, 0.08], [0.02, 0.33, 0.65]]
        )
    )
    discounts: np.ndarray = _row(0.0, 0.10, 0.20)
    discount_shares: np.ndarray = _row(0.75, 0.15, 0.10)

    usage_shape: float = 3.0
    sessions_by_segment: np.ndarray = _row(2.0, 2.7, 3.8)
    usage_by_mood: np.ndarray = _row(1.0, 0.30, 0.03)
    usage_in_first_month: np.ndarray = _row(0.6, 1.6)
    first_month_days: int = 30
    events_per_session: float = 4.4
    order_shape: float = 0.7
    orders_mean: float = 0.9
    spend_p: float = 4.0
    spend_q: float = 5.0
    spend_gamma: float = 40.0
    refund_probability: float = 0.02
    failed_order_probability: float = 0.01
    tickets_by_segment: np.ndarray = _row(0.10, 0.16, 0.28)
    tickets_by_mood: np.ndarray = _row(1.0, 2.2, 1.2)
    trouble_probability: np.ndarray = _row(0.024, 0.030, 0.036)
    tickets_in_trouble: float = 3.2
    open_probability: np.ndarray = _row(0.55, 0.20, 0.03)

    first_mood_drifting: np.ndarray = _row(0.55, 0.06)
    drift_from_own_reasons: float = 0.028
    drift_from_trouble: float = 0.30
    leaving_from_trouble: float = 0.12
    drift_from_price_rise: float = 0.15
    drift_from_outage: float = 0.20
    recovery_from_drifting: float = 0.08
    drifting_to_leaving: float = 0.12
    drifting_to_leaving_in_trouble: float = 0.40
    leaving_to_drifting: float = 0.03

    leaving_a: float = 10.0
    leaving_b: float = 900.0
    leaving_by_mood: np.ndarray = _row(1.0, 5.0, 25.0)
    leaving_by_channel: np.ndarray = _row(0.90, 1.00, 1.45, 0.90, 0.75)
    leaving_by_segment: np.ndarray = _row(1.20, 0.95, 0.65)
    leaving_at_yearly_renewal: float = 4.0
    leaving_in_january: float = 1.25
    payment_failure_a: float = 2.0
    payment_failure_b: float = 75.0
    payment_lost: float = 0.22
    payment_fails_again: float = 0.4
    grace_days: int = 7

    upgrade_probability: np.ndarray = _row(0.012, 0.002, 0.0)
    downgrade_probability: np.ndarray = _row(0.002, 0.020, 0.030)
    plan_prices: np.ndarray = _row(29.0, 99.0, 299.0)
    price_rise: float = 0.15

    campaign_share: float = 0.5
    control_share: float = 0.3
    campaign_months: int = 3
    campaign_factor_by_segment: np.ndarray = _row(1.10, 0.62, 0.45)

    late_share: float = 0.02
    late_event_share: float = 0.01

    @property
    def treated_share(self) -> float:
        """Probability that a customer gets a campaign."""
        return self.campaign_share * (1 - self.control_share)

    def moves(self, drift_by_shock: float, is_in_trouble: bool) -> np.ndarray:
        """Give the transition matrix of the mood over a month end.

        Parameters
        ----------
        drift_by_shock : float
            Probability that a shock of that month makes a customer drift.
        is_in_trouble : bool
            Whether the customer had support trouble in the month.

        Returns
        -------
        array of float, shape (3, 3)
            From (row) to (column), in the order of MOODS.
        """
        triggers = np.array(
            [
                self.drift_from_trouble if is_in_trouble else 0.0,
                drift_by_shock,
                self.drift_from_own_reasons,
            ]
        )
        drift = 1 - np.prod(1 - triggers)
        at_once = self.leaving_from_trouble if is_in_trouble else 0.0
        recovery = self.recovery_from_drifting
        worse = (
            self.drifting_to_leaving_in_trouble
            if is_in_trouble
            else self.drifting_to_leaving
        )
        return np.array(
            [
                [(1 - at_once) * (1 - drift), (1 - at_once) * drift, at_once],
                [recovery, 1 - recovery - worse, worse],
                [0.0, self.leaving_to_drifting, 1 - self.leaving_to_drifting],
            ]
        )

    def plan_changes(self, mood: int) -> np.ndarray:
        """Give the transition matrix of the plan at a billing day, row to column."""
        up, down = self.upgrade_probability[mood], self.downgrade_probability[mood]
        return np.array(
            [
                [1 - up, up, 0.0],
                [down, 1 - up - down, up],
                [0.0, down, 1 - down],
            ]
        )


class Calendar:
    """Months, days and their weights, from the first month to a year after the last.

    Days are whole numbers from 0, the first day of the first month.

    Parameters
    ----------
    months : int
        Months of history; the last is LAST_MONTH.
    shocks : sequence of str
        Some of SHOCKS.
    behaviour : Behaviour

    Attributes
    ----------
    first_day : datetime64[D]
    month_starts : array of int, shape (months + MONTHS_AHEAD + 2,)
        First day of each month.
    end : int
        First day after the history.
    usage, orders : array of float
        Cumulated weight of the days before each day; a mean month weighs 1.
    signups : array of float
        The same, growth included.
    """

    #: Most and least of a year, January to December.
    USAGE_SEASON = (
        1.06,
        1.04,
        1.06,
        1.02,
        1.0,
        0.97,
        0.90,
        0.86,
        1.04,
        1.06,
        1.05,
        0.94,
    )
    ORDER_SEASON = (
        0.92,
        0.90,
        0.98,
        0.98,
        1.0,
        0.98,
        0.88,
        0.84,
        1.04,
        1.08,
        1.25,
        1.15,
    )
    SIGNUP_SEASON = (1.25, 1.1, 1.05, 1.0, 0.95, 0.9, 0.8, 0.8, 1.15, 1.1, 1.0, 0.9)

    #: Monday to Sunday.
    USAGE_WEEK = (1.20, 1.25, 1.25, 1.20, 1.10, 0.55, 0.45)
    ORDER_WEEK = (1.15, 1.20, 1.15, 1.10, 1.10, 0.70, 0.60)

    def __init__(
        self, months: int, shocks: Sequence[str], behaviour: Behaviour
    ) -> None:
        self.months = months
        self.shocks = check_shocks(shocks)
        self.behaviour = behaviour
        first = LAST_MONTH - (months - 1)
        every_month = first + np.arange(months + MONTHS_AHEAD + 2)
        starts = every_month.astype("datetime64[D]")
        self.first_day = starts[0]
        self.month_starts = (starts - self.first_day).astype(int)
        self.names = [str(month) for month in every_month]
        self.month_of_year = every_month.astype(int) % 12
        self.end = int(self.month_starts[months])
        self._weigh_days()

    def _weigh_days(self) -> None:
        days = np.arange(self.month_starts[-1])
        dates = self.first_day + days
        weekday = (dates.astype("datetime64[D]").astype(int) + 3) % 7
        month = dates.astype("datetime64[M]").astype(int) % 12
        usage = np.array(self.USAGE_SEASON)[month] * np.array(self.USAGE_WEEK)[weekday]
        orders = np.array(self.ORDER_SEASON)[month] * np.array(self.ORDER_WEEK)[weekday]
        age = (days / DAYS_PER_MONTH) * np.log1p(self.behaviour.signup_growth)
        signups = np.array(self.SIGNUP_SEASON)[month] * np.exp(age)
        signups = signups * np.array(self.USAGE_WEEK)[weekday]
        if "outage" in self.shocks:
            start = self.month_starts[self.outage_month] + 9
            usage[start : start + 3] *= 0.15
        if "holiday" in self.shocks:
            start = self.month_starts[self.holiday_month]
            orders[start : start + 10] *= 2.5
            usage[start + 20 : start + 31] *= 0.5
        self.usage = cumulated(usage / DAYS_PER_MONTH)
        self.orders = cumulated(orders / DAYS_PER_MONTH)
        self.signups = cumulated(signups)

    @property
    def price_rise_month(self) -> int:
        """The month from which on plans cost more, if that shock is on."""
        return self.months - 10

    @property
    def outage_month(self) -> int:
        """The month of the three bad days, if that shock is on."""
        return self.months - 8

    @property
    def holiday_month(self) -> int:
        """The December a year before the last, if there was one."""
        return self.months - (13 if self.months > 12 else 1)

    def drift_by_shock(self, month: int) -> float:
        """Probability that a shock of the month makes an engaged customer drift."""
        if "price_rise" in self.shocks and month == self.price_rise_month:
            return self.behaviour.drift_from_price_rise
        if "outage" in self.shocks and month == self.outage_month:
            return self.behaviour.drift_from_outage
        return 0.0

    def shock_cause(self, month: int) -> int:
        """Give the cause that goes with it."""
        return PRICE_RISE if month == self.price_rise_month else OUTAGE

    def prices(self, month: int) -> np.ndarray:
        """List price per month of each plan, to whole cents."""
        has_risen = "price_rise" in self.shocks and month >= self.price_rise_month
        factor = 1 + self.behaviour.price_rise * has_risen
        return np.round(self.behaviour.plan_prices * factor, 2)

    def is_campaign(self, month: int) -> bool:
        """Whether a campaign is sent on the month's first day: March and September."""
        return self.month_of_year[month] in (2, 8)

    def campaign_ends(self, month: int) -> bool:
        """Whether no campaign works any more from this month on."""
        before = month - self.behaviour.campaign_months
        return before >= 0 and self.is_campaign(before)

    def month_of(self, day: np.ndarray) -> np.ndarray:
        """Month in which each day lies."""
        return np.searchsorted(self.month_starts, day, side="right") - 1

    def date(self, day: np.ndarray) -> np.ndarray:
        """Give the days as datetime64[D]."""
        return self.first_day + np.asarray(day)


def check_shocks(shocks: Sequence[str]) -> tuple[str, ...]:
    """Shocks in their order, each once.

    Raises
    ------
    UsageFault
        If one of them is unknown.
    """
    unknown = sorted(set(shocks) - set(SHOCKS))
    if unknown:
        raise UsageFault(
            f"There is no shock called {unknown[0][:40]!r}: "
            f"choose from {', '.join(SHOCKS)}."
        )
    return tuple(name for name in SHOCKS if name in shocks)
