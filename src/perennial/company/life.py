"""Who the customers are, and what becomes of them, all at once, month by month."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from perennial.company.behaviour import (
    DRIFTING,
    ENGAGED,
    LEAVING,
    ONBOARDING_FAILED,
    OWN_REASONS,
    SUPPORT_TROUBLE,
    Behaviour,
    Calendar,
)
from perennial.company.draws import choice, places, random_stream

#: How a subscription ended.
STILL_THERE, VOLUNTARY, INVOLUNTARY = range(3)

#: The company bills on these days of a month: the first and the last of them. So three
#: renewals lie within 90 days of any month end, and twelve within 365.
BILLING_DAYS = (2, 20)

NEVER = np.iinfo(np.int32).max


@dataclass
class People:
    """What is fixed about each customer; arrays of shape (customers,).

    Attributes
    ----------
    segment, channel, country : array of int8
        Places in SEGMENTS, CHANNELS and COUNTRIES.
    signup_day, start_day : array of int32
        Day of sign-up and of the first bill; NEVER where the trial led to nothing, or
        leads to something only after the history.
    start_month, billing_day : array of int32
    is_onboarded, is_yearly : array of bool
    first_plan : array of int8
    discount : array of float
        Share of the list price.
    sessions_rate, orders_rate : array of float, per month
    spend_rate : array of float, 1 / money
        Amounts of one customer are gamma distributed with shape p and this rate.
    leaving_probability : array of float
        At a renewal, engaged and with all factors 1.
    leaving_factor : array of float
        Of channel and segment.
    payment_failure_probability : array of float
    """

    segment: np.ndarray
    channel: np.ndarray
    country: np.ndarray
    signup_day: np.ndarray
    start_day: np.ndarray
    start_month: np.ndarray
    billing_day: np.ndarray
    is_onboarded: np.ndarray
    is_yearly: np.ndarray
    first_plan: np.ndarray
    discount: np.ndarray
    sessions_rate: np.ndarray
    orders_rate: np.ndarray
    spend_rate: np.ndarray
    leaving_probability: np.ndarray
    leaving_factor: np.ndarray
    payment_failure_probability: np.ndarray

    def __len__(self) -> int:
        """Count them."""
        return self.segment.size

    def part(self, which: slice | np.ndarray) -> "People":
        """Give some of them."""
        return People(**{name: column[which] for name, column in vars(self).items()})


def draw_people(customers: int, seed: int, calendar: Calendar) -> People:
    """Draw customers, in the order in which they sign up.

    Parameters
    ----------
    customers : int
    seed : int
    calendar : Calendar
    """
    random, behaviour = random_stream(seed, "people"), calendar.behaviour
    signup_day = places(random.random(customers), calendar.signups[: calendar.end + 1])
    signup_day.sort()
    segment = choice(random, behaviour.segment_shares, customers)
    channel = choice(random, behaviour.channel_shares, customers)
    country = choice(random, behaviour.country_shares, customers)

    billing_day = random.integers(*BILLING_DAYS, customers, endpoint=True)
    start_day, start_month = _first_bills(signup_day, billing_day, calendar)
    is_converted = random.random(customers) < behaviour.conversion_by_channel[channel]
    is_started = is_converted & (start_month < calendar.months)

    plans = behaviour.first_plan_by_segment.cumsum(axis=1)[segment]
    sessions_mean = behaviour.sessions_by_segment[segment]
    shape = behaviour.usage_shape
    order_shape = behaviour.order_shape
    return People(
        segment=segment,
        channel=channel,
        country=country,
        signup_day=signup_day,
        start_day=np.where(is_started, start_day, NEVER),
        start_month=np.where(is_started, start_month, NEVER),
        billing_day=billing_day,
        is_onboarded=random.random(customers)
        < behaviour.onboarding_by_channel[channel]
        + behaviour.onboarding_by_segment[segment],
        is_yearly=random.random(customers) < behaviour.yearly_share_by_segment[segment],
        first_plan=(random.random(customers)[:, None] > plans).sum(axis=1),
        discount=behaviour.discounts[
            choice(random, behaviour.discount_shares, customers)
        ],
        sessions_rate=random.gamma(shape, 1.0, customers) * sessions_mean / shape,
        orders_rate=random.gamma(
            order_shape, behaviour.orders_mean / order_shape, customers
        ),
        spend_rate=random.gamma(
            behaviour.spend_q, 1 / behaviour.spend_gamma, customers
        ),
        leaving_probability=random.beta(
            behaviour.leaving_a, behaviour.leaving_b, customers
        ),
        leaving_factor=behaviour.leaving_by_channel[channel]
        * behaviour.leaving_by_segment[segment],
        payment_failure_probability=random.beta(
            behaviour.payment_failure_a, behaviour.payment_failure_b, customers
        ),
    )


def leaving_exponents(people: People, month: int, calendar: Calendar) -> np.ndarray:
    """Give the k of ``1 - (1 - p) ** k`` at the renewals of a month.

    Returns
    -------
    array of float, shape (moods, 2, customers)
        By mood and by whether a campaign works; 0 where no renewal is due.
    """
    behaviour = calendar.behaviour
    yearly = np.where(people.is_yearly, behaviour.leaving_at_yearly_renewal, 1.0)
    january = calendar.month_of_year[month] == 0
    factor = people.leaving_factor * yearly * is_due(people, month)
    factor *= behaviour.leaving_in_january if january else 1.0
    campaign = np.stack(
        [np.ones(len(people)), behaviour.campaign_factor_by_segment[people.segment]]
    )
    return behaviour.leaving_by_mood[:, None, None] * campaign * factor


def is_due(people: People, month: int) -> np.ndarray:
    """Whether the month has a renewal: every one after the first, or every twelfth."""
    age = month - people.start_month.astype(np.int64)
    return (age > 0) & (~people.is_yearly | (age % 12 == 0))


@dataclass
class Lives:
    """What became of the customers.

    Attributes
    ----------
    mood : array of int8, shape (customers, months)
        In the month; -1 without a subscription. The renewal of the month sees it.
    plan : array of int8, shape (customers, months)
        After the bill of the month; -1 if there was none or it ended the subscription.
    is_treated : array of bool, shape (customers, months)
        Whether a campaign works at the renewal of the month.
    is_in_trouble : array of bool, shape (customers, months)
        Whether there was support trouble.
    failed_payments : array of int8, shape (customers, months)
        How often the renewal's payment failed.
    campaign_group : array of int8, shape (customers, months)
        0 not chosen, 1 treated, 2 control; only in months of a campaign.
    end_day, end_kind : array of int32 and int8, shape (customers,)
        First day without the subscription, NEVER if it goes on, and how it ended.
    end_mood, end_causes : array of int8, shape (customers,)
        Mood at the end, and the causes of the drift that led there (bits of CAUSES).
    """

    mood: np.ndarray
    plan: np.ndarray
    is_treated: np.ndarray
    is_in_trouble: np.ndarray
    failed_payments: np.ndarray
    campaign_group: np.ndarray
    end_day: np.ndarray
    end_kind: np.ndarray
    end_mood: np.ndarray
    end_causes: np.ndarray


def live(
    people: People,
    seed: int,
    calendar: Calendar,
    report: Callable[[int, int], None],
) -> Lives:
    """Let time pass.

    Parameters
    ----------
    people : People
    seed : int
    calendar : Calendar
    report : callable
        Told months done and months in all.
    """
    shape = len(people), calendar.months
    lives = Lives(
        mood=np.full(shape, -1, np.int8, order="F"),
        plan=np.full(shape, -1, np.int8, order="F"),
        is_treated=np.zeros(shape, bool, order="F"),
        is_in_trouble=np.zeros(shape, bool, order="F"),
        failed_payments=np.zeros(shape, np.int8, order="F"),
        campaign_group=np.zeros(shape, np.int8, order="F"),
        end_day=np.full(len(people), NEVER, np.int32),
        end_kind=np.zeros(len(people), np.int8),
        end_mood=np.full(len(people), -1, np.int8),
        end_causes=np.zeros(len(people), np.int8),
    )
    causes = np.zeros(len(people), np.int8)
    for month in range(calendar.months):
        _one_month(people, lives, causes, month, seed, calendar)
        report(month + 1, calendar.months)
    return lives


def _one_month(
    people: People,
    lives: Lives,
    causes: np.ndarray,
    month: int,
    seed: int,
    calendar: Calendar,
) -> None:
    """Mood, campaign, renewal, payment, plan and trouble of a month, in that order."""
    random, behaviour = random_stream(seed, "life", month), calendar.behaviour
    goes_on = np.flatnonzero(
        (people.start_month < month) & (lives.end_kind == STILL_THERE)
    )
    begins = np.flatnonzero(people.start_month == month)

    if month > 0:
        mood = _moved(random, goes_on, lives, causes, month - 1, calendar)
        lives.mood[goes_on, month] = mood
        _campaign(random, goes_on, lives, month, calendar)
        stays = _renewed(random, goes_on, people, lives, causes, month, calendar)
        stayed = goes_on[stays]
        lives.plan[stayed, month] = _changed_plan(
            random, lives.plan[stayed, month - 1], mood[stays], behaviour
        )

    drifts = (
        random.random(begins.size)
        < behaviour.first_mood_drifting[people.is_onboarded[begins].astype(int)]
    )
    lives.mood[begins, month] = np.where(drifts, DRIFTING, ENGAGED)
    reason = np.where(people.is_onboarded[begins], OWN_REASONS, ONBOARDING_FAILED)
    causes[begins] = np.where(drifts, reason, 0)
    lives.plan[begins, month] = people.first_plan[begins]

    there = np.flatnonzero(lives.plan[:, month] >= 0)
    trouble = behaviour.trouble_probability[people.segment[there]]
    lives.is_in_trouble[there, month] = random.random(there.size) < trouble


def _moved(
    random: np.random.Generator,
    who: np.ndarray,
    lives: Lives,
    causes: np.ndarray,
    month: int,
    calendar: Calendar,
) -> np.ndarray:
    """Moods after the end of a month; keeps the causes of who began to drift."""
    behaviour = calendar.behaviour
    mood = lives.mood[who, month]
    in_trouble = lives.is_in_trouble[who, month]
    shock = calendar.drift_by_shock(month)
    calm, troubled = (behaviour.moves(shock, trouble) for trouble in (False, True))
    u = random.random(who.size)
    # from drifting and leaving; the row of the engaged is replaced below
    steps = np.stack([calm, troubled]).cumsum(axis=2)[in_trouble.astype(int), mood]
    new = (u[:, None] >= steps[:, :2]).sum(axis=1).astype(np.int8)

    triggers = random.random((3, who.size))
    at_once = in_trouble & (u < behaviour.leaving_from_trouble)
    trouble = at_once | (in_trouble & (triggers[0] < behaviour.drift_from_trouble))
    trouble |= in_trouble & (mood == DRIFTING) & (new == LEAVING)
    shocked = triggers[1] < shock
    own = triggers[2] < behaviour.drift_from_own_reasons
    reasons = (
        SUPPORT_TROUBLE * trouble
        + calendar.shock_cause(month) * shocked
        + OWN_REASONS * own
    )
    is_engaged = mood == ENGAGED
    moved = np.where(at_once, LEAVING, np.where(reasons > 0, DRIFTING, ENGAGED))
    new[is_engaged] = moved[is_engaged]
    # who drifts already gathers reasons: causes overlap
    causes[who] = np.where(
        new == ENGAGED, 0, causes[who] | np.where(mood == LEAVING, 0, reasons)
    )
    return new


def _campaign(
    random: np.random.Generator,
    who: np.ndarray,
    lives: Lives,
    month: int,
    calendar: Calendar,
) -> None:
    """Choose at random on the first day; and end what began three months ago."""
    if calendar.is_campaign(month):
        behaviour = calendar.behaviour
        is_chosen = random.random(who.size) < behaviour.campaign_share
        is_control = random.random(who.size) < behaviour.control_share
        lives.campaign_group[who, month] = is_chosen * (1 + is_control)
        lives.is_treated[who, month] = is_chosen & ~is_control
    elif not calendar.campaign_ends(month):
        lives.is_treated[who, month] = lives.is_treated[who, month - 1]


def _renewed(
    random: np.random.Generator,
    who: np.ndarray,
    people: People,
    lives: Lives,
    causes: np.ndarray,
    month: int,
    calendar: Calendar,
) -> np.ndarray:
    """Who stays: neither leaves nor loses the subscription by a failed payment."""
    behaviour = calendar.behaviour
    some = people.part(who)
    exponents = leaving_exponents(some, month, calendar)
    exponent = exponents[
        lives.mood[who, month],
        lives.is_treated[who, month].astype(int),
        np.arange(who.size),
    ]
    leaves = random.random(who.size) < -np.expm1(
        exponent * np.log1p(-some.leaving_probability)
    )
    fails = is_due(some, month) & ~leaves
    fails &= random.random(who.size) < some.payment_failure_probability
    is_lost = fails & (random.random(who.size) < behaviour.payment_lost)
    tries = 1 + (random.random(who.size) < behaviour.payment_fails_again)
    lives.failed_payments[who, month] = np.where(is_lost, 3, tries * fails)

    ends = leaves | is_lost
    bill = calendar.month_starts[month] + some.billing_day - 1
    lives.end_day[who[ends]] = (bill + behaviour.grace_days * is_lost)[ends]
    lives.end_kind[who[ends]] = np.where(leaves, VOLUNTARY, INVOLUNTARY)[ends]
    lives.end_mood[who[ends]] = lives.mood[who[ends], month]
    lives.end_causes[who[ends]] = np.where(leaves, causes[who], 0)[ends]
    return ~ends


def _changed_plan(
    random: np.random.Generator,
    plan: np.ndarray,
    mood: np.ndarray,
    behaviour: Behaviour,
) -> np.ndarray:
    """Plans after the bill."""
    changes = np.stack([behaviour.plan_changes(place) for place in range(3)])
    steps = changes.cumsum(axis=2)[mood, plan]
    u = random.random(plan.size)
    return (u[:, None] >= steps[:, :2]).sum(axis=1).astype(np.int8)


def _first_bills(
    signup_day: np.ndarray,
    billing_day: np.ndarray,
    calendar: Calendar,
) -> tuple[np.ndarray, np.ndarray]:
    """Find the customer's first billing day after the trial, and its month."""
    trial_ends = signup_day + calendar.behaviour.trial_days
    month = calendar.month_of(trial_ends)
    bill = calendar.month_starts[month] + billing_day - 1
    month = month + (bill < trial_ends)
    return calendar.month_starts[month] + billing_day - 1, month
