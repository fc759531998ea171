"""The true probabilities, worked out and not simulated.

What a customer does next is a Markov chain over (mood, whether a campaign works, plan).
Its step from one month end to the next is written here once more, backwards, in
probabilities; tests compare it with what `life` drew.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from perennial.company.behaviour import MOODS, PLANS, Behaviour, Calendar
from perennial.company.life import (
    Lives,
    People,
    is_due,
    leaving_exponents,
)

#: Months and days of the two windows: three and twelve renewals lie in them.
HORIZONS = {90: 3, 365: 12}

#: Customers worked out at once, so that their arrays stay in the processor's cache.
CHUNK = 8_000

_MONTHS = max(HORIZONS.values())


def expected_spend(people: People, behaviour: Behaviour) -> np.ndarray:
    """Money that an order brings on average, by customer, refunds taken off."""
    kept = (1 - behaviour.failed_order_probability) * (1 - behaviour.refund_probability)
    return kept * behaviour.spend_p / people.spend_rate


@dataclass
class Outlook:
    """What is to be expected from a month end on, by state and customer.

    Attributes
    ----------
    voluntary, involuntary : array of float, shape (moods, 2, customers)
        Probability of leaving before the last month of the window is over.
    orders : array of float, shape (moods, 2, customers)
        Weighted months of ordering, to be multiplied by the rate.
    revenue : array of float, shape (moods, 2, plans, customers)
        Money of the bills.
    """

    voluntary: np.ndarray
    involuntary: np.ndarray
    orders: np.ndarray
    revenue: np.ndarray

    @classmethod
    def nothing(cls, customers: int) -> "Outlook":
        """At the end of the window."""
        states = len(MOODS), 2
        return cls(
            *(np.zeros((*states, customers)) for _ in range(3)),
            np.zeros((*states, len(PLANS), customers)),
        )

    def each(self, change) -> "Outlook":
        """Change all four alike."""
        return Outlook(*(change(values) for values in vars(self).values()))


class Renewals:
    """What a bill of one month does, in probabilities, for some customers.

    Attributes
    ----------
    leaves, lost, stays : array of float, shape (moods, 2, customers)
    """

    def __init__(self, people: People, month: int, calendar: Calendar) -> None:
        self.behaviour = behaviour = calendar.behaviour
        exponents = leaving_exponents(people, month, calendar)
        remains = np.exp(exponents * np.log1p(-people.leaving_probability))
        fails = people.payment_failure_probability * is_due(people, month)
        self.leaves = 1 - remains
        self.lost = remains * (fails * behaviour.payment_lost)
        self.stays = remains - self.lost
        start, next_start = calendar.month_starts[month : month + 2]
        bill = start + people.billing_day - 1
        orders = calendar.orders
        self.ordering_if_leaves = orders[bill] - orders[start]
        self.ordering_if_lost = orders[bill + behaviour.grace_days] - orders[start]
        self.ordering = orders[next_start] - orders[start]
        prices = calendar.prices(month)[:, None]
        # as billed: the discount is rounded to cents, then taken off
        self.bills = prices - np.round(prices * people.discount, 2)

    def before(self, later: Outlook) -> Outlook:
        """Give the outlook before the bill, from the one at the end of the month."""
        revenue = np.empty_like(later.revenue)
        for mood in range(len(MOODS)):
            change = self.behaviour.plan_changes(mood)
            after = later.revenue[mood] + self.bills
            for plan in range(len(PLANS)):
                mixed = sum(
                    change[plan, new] * after[:, new]
                    for new in range(len(PLANS))
                    if change[plan, new] > 0
                )
                revenue[mood, :, plan] = self.stays[mood] * mixed
        return Outlook(
            self.leaves + self.stays * later.voluntary,
            self.lost + self.stays * later.involuntary,
            self.leaves * self.ordering_if_leaves
            + self.lost * self.ordering_if_lost
            + self.stays * (self.ordering + later.orders),
            revenue,
        )


def _over_month_end(
    outlook: Outlook, month: int, calendar: Calendar
) -> tuple[Outlook, Outlook]:
    """Outlooks at the end of a month, without and with support trouble in it.

    `outlook` is the one after the mood has moved and the campaign was drawn.
    """
    drawn = _before_campaign(outlook, month + 1, calendar)
    return tuple(
        _before_move(drawn, month, trouble, calendar) for trouble in (False, True)
    )


def _before_campaign(outlook: Outlook, month: int, calendar: Calendar) -> Outlook:
    if calendar.is_campaign(month):
        share = calendar.behaviour.treated_share

        def draw(values: np.ndarray) -> np.ndarray:
            mixed = share * values[:, 1] + (1 - share) * values[:, 0]
            return np.stack([mixed, mixed], axis=1)

        return outlook.each(draw)
    if calendar.campaign_ends(month):
        return outlook.each(lambda values: np.stack([values[:, 0]] * 2, axis=1))
    return outlook


def _before_move(
    outlook: Outlook,
    month: int,
    trouble: bool,
    calendar: Calendar,
) -> Outlook:
    matrix = calendar.behaviour.moves(calendar.drift_by_shock(month), trouble)

    def move(values: np.ndarray) -> np.ndarray:
        return np.stack(
            [
                sum(p * values[new] for new, p in enumerate(row) if p > 0)
                for row in matrix
            ]
        )

    return outlook.each(move)


def true_outlooks(
    people: People,
    lives: Lives,
    first: int,
    calendar: Calendar,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Truth of some customers at every month end with a subscription.

    Parameters
    ----------
    people, lives : People and Lives
        Of the customers `first` to `first + len(people)`.
    first : int
        Place of the first one.

    Returns
    -------
    DataFrame
        One row per customer and month end: see docs/demo-company.md for the columns.
    DataFrame
        One row per customer and campaign: probability of leaving within 90 days of
        the month end before it, with and without it.
    """
    renewals = {
        month: Renewals(people, month, calendar)
        for month in range(1, calendar.months + _MONTHS)
    }
    trouble = calendar.behaviour.trouble_probability[people.segment]
    rows: dict[int, dict] = {month: {} for month in range(calendar.months)}
    responses = []
    for end in range(1, calendar.months + _MONTHS):
        later = Outlook.nothing(len(people))
        for month in range(end - 1, max(end - _MONTHS, 0) - 1, -1):
            billed = renewals[month + 1].before(later)
            calm, troubled = _over_month_end(billed, month, calendar)
            later = Outlook(
                *(
                    (1 - trouble) * a + trouble * b
                    for a, b in zip(
                        vars(calm).values(), vars(troubled).values(), strict=True
                    )
                )
            )
            days = next((d for d, n in HORIZONS.items() if n == end - month), None)
            if days is None or month >= calendar.months:
                continue
            rows[month] |= _at_month_end(
                calm, troubled, days, month, end, people, lives, calendar
            )
            if (
                days == 90
                and calendar.is_campaign(month + 1)
                and month + 1 < calendar.months
            ):
                responses.append(_response(billed, month, first, lives, calendar))
    truth = [
        _frame(columns, month, first, people, lives, calendar)
        for month, columns in rows.items()
    ]
    return pd.concat(truth, ignore_index=True), (
        pd.concat(responses, ignore_index=True) if responses else pd.DataFrame()
    )


def _here(lives: Lives, month: int) -> np.ndarray:
    """Places of the customers with a subscription at the end of a month."""
    return np.flatnonzero(lives.plan[:, month] >= 0)


def _at_month_end(
    calm: Outlook,
    troubled: Outlook,
    days: int,
    month: int,
    end: int,
    people: People,
    lives: Lives,
    calendar: Calendar,
) -> dict[str, np.ndarray]:
    """Give the columns of a window, of the customers in the state that each is in."""
    who = _here(lives, month)
    state = lives.mood[who, month], lives.is_treated[who, month].astype(int)
    in_trouble = lives.is_in_trouble[who, month]

    def chosen(name: str, *more: np.ndarray) -> np.ndarray:
        place = (*state, *more, who)
        return np.where(
            in_trouble, getattr(troubled, name)[place], getattr(calm, name)[place]
        )

    voluntary, involuntary = chosen("voluntary"), chosen("involuntary")
    # the window ends some days off the month's end: who is still there orders so long
    last = calendar.month_starts[month + 1] - 1 + days
    rest = calendar.orders[last + 1] - calendar.orders[calendar.month_starts[end + 1]]
    orders = chosen("orders") + (1 - voluntary - involuntary) * rest
    return {
        f"churn_probability_{days}d": voluntary + involuntary,
        f"voluntary_churn_probability_{days}d": voluntary,
        f"expected_orders_count_{days}d": people.orders_rate[who] * orders,
        f"expected_subscription_amount_{days}d": chosen(
            "revenue", lives.plan[who, month]
        ),
    }


def _frame(
    columns: dict[str, np.ndarray],
    month: int,
    first: int,
    people: People,
    lives: Lives,
    calendar: Calendar,
) -> pd.DataFrame:
    who = _here(lives, month)
    day = calendar.month_starts[month + 1] - 1
    frame = {
        "customer": first + who,
        "as_of_date": calendar.date(np.full(who.size, day)),
        "mood": lives.mood[who, month],
        "is_campaign_working": lives.is_treated[who, month],
    }
    spend = expected_spend(people, calendar.behaviour)[who]
    end = lives.end_day[who]
    for days in HORIZONS:
        for name in (
            f"churn_probability_{days}d",
            f"voluntary_churn_probability_{days}d",
            f"expected_orders_count_{days}d",
        ):
            frame[name] = columns[name].round(9)
        subscription = columns[f"expected_subscription_amount_{days}d"]
        orders = columns[f"expected_orders_count_{days}d"] * spend
        frame[f"expected_order_amount_{days}d"] = orders.round(6)
        frame[f"expected_subscription_amount_{days}d"] = subscription.round(6)
        is_over = day + days < calendar.end
        frame[f"is_churned_{days}d"] = pd.array(
            end <= day + days if is_over else [None] * who.size, dtype="boolean"
        )
    return pd.DataFrame(frame)


def _response(
    billed: Outlook,
    month: int,
    first: int,
    lives: Lives,
    calendar: Calendar,
) -> pd.DataFrame:
    """Tell what the campaign of the next month changes, for who is there to get it."""
    who = _here(lives, month)
    state = lives.mood[who, month]
    in_trouble = lives.is_in_trouble[who, month]
    calm = _before_move(billed, month, False, calendar)
    troubled = _before_move(billed, month, True, calendar)

    def churn(treated: int) -> np.ndarray:
        a, b = (
            (o.voluntary + o.involuntary)[state, treated, who] for o in (calm, troubled)
        )
        return np.where(in_trouble, b, a).round(9)

    groups = np.array(["not_chosen", "treated", "control"])
    day = calendar.month_starts[month + 1]
    return pd.DataFrame(
        {
            "customer": first + who,
            "campaign_id": f"campaign-{calendar.names[month + 1]}",
            "as_of_date": calendar.date(np.full(who.size, day - 1)),
            "campaign_group": groups[lives.campaign_group[who, month + 1]],
            "churn_probability_if_treated": churn(1),
            "churn_probability_if_not": churn(0),
            "is_churned_90d": pd.array(
                lives.end_day[who] <= day + 89
                if day + 89 < calendar.end
                else [None] * who.size,
                dtype="boolean",
            ),
        }
    )
