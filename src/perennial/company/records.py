"""The rows that the company's systems would hold: what is seen of the latent lives.

Each function gives one domain's rows of one month as numbers; `files` writes them with
their names. What a row draws depends on seed, domain and month alone.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from perennial.company.behaviour import (
    ENGAGED,
    MOODS,
    Behaviour,
    Calendar,
)
from perennial.company.draws import choice, cumulated, places, random_stream
from perennial.company.life import (
    NEVER,
    STILL_THERE,
    VOLUNTARY,
    Lives,
    People,
    is_due,
)

#: A value that is not there, in columns of whole numbers.
NOTHING = -1

SECONDS_PER_DAY = 86_400

#: When bills are made: before anybody works, so a last day has no usage.
BILLING_SECOND = 6 * 3600

EVENT_NAMES = (
    "login",
    "invoice_created",
    "invoice_sent",
    "report_viewed",
    "payment_matched",
    "receipt_uploaded",
    "export_downloaded",
    "automation_edited",
    "onboarding_completed",
)
EVENT_MODULES = (
    "start",
    "invoices",
    "invoices",
    "reports",
    "payments",
    "receipts",
    "reports",
    "automation",
    "start",
)
_EVENT_SHARES = np.array([0.0, 0.27, 0.20, 0.17, 0.14, 0.12, 0.06, 0.04])
_ONBOARDED = len(EVENT_NAMES) - 1

PRODUCTS = ("templates", "storage", "training", "extra_seat", "consulting", "renewal")
_PRODUCT_SHARES = np.array([0.38, 0.24, 0.16, 0.14, 0.08])
_RENEWAL = len(PRODUCTS) - 1

TOPICS = ("how_to", "billing", "feature_request", "bug", "slow")
_TOPIC_SHARES = np.array([[0.50, 0.28, 0.22, 0.0, 0.0], [0.08, 0.07, 0.0, 0.55, 0.30]])

CANCEL_REASONS = (
    "too_hard",
    "poor_support",
    "price",
    "reliability",
    "switched",
    "no_longer_needed",
    "payment_failed",
    "upgrade",
    "downgrade",
)
_PAYMENT_FAILED, _UPGRADE, _DOWNGRADE = 6, 7, 8

#: Share of those who leave by themselves that say why.
_TELLS_WHY = 0.55


@dataclass(frozen=True)
class Company:
    """A company and its history."""

    people: People
    lives: Lives
    calendar: Calendar
    seed: int

    @property
    def behaviour(self) -> Behaviour:
        """Parameters of its customers."""
        return self.calendar.behaviour

    def random(self, domain: str, month: int) -> np.random.Generator:
        """Random numbers of a domain and month."""
        return random_stream(self.seed, domain, month)

    def active_until(self, who: np.ndarray) -> np.ndarray:
        """First day on which customers do nothing any more."""
        trial_end = self.people.signup_day[who] + self.behaviour.trial_days
        never_started = self.people.start_day[who] == NEVER
        return np.where(never_started, trial_end, self.lives.end_day[who])


def customers(company: Company, month: int) -> pd.DataFrame:
    """Who signed up in the month."""
    people, calendar = company.people, company.calendar
    start, end = calendar.month_starts[month : month + 2]
    who = np.arange(*np.searchsorted(people.signup_day, [start, end]))
    random = company.random("customers", month)
    birth_year = 1962 + (random.beta(2.2, 2.4, who.size) * 42).astype(int)
    is_told = random.random(who.size) < 0.85
    return pd.DataFrame(
        {
            "customer": who,
            "signed_up": people.signup_day[who] * SECONDS_PER_DAY
            + _signup_second(company.seed, who),
            "country": people.country[who],
            "channel": people.channel[who],
            "segment": people.segment[who],
            "birth_year": np.where(is_told, birth_year, NOTHING),
        }
    ).sort_values("signed_up", kind="stable", ignore_index=True)


def events(company: Company, month: int) -> pd.DataFrame:
    """Usage of the month, in the order of time; the late ones too.

    People have habits: how many sessions a month has is its expectation, rounded up or
    down at random. On which days they lie follows week and season.
    """
    people, calendar, behaviour = company.people, company.calendar, company.behaviour
    start, end = calendar.month_starts[month : month + 2]
    everyone = np.arange(np.searchsorted(people.signup_day, end))
    who = everyone[company.active_until(everyone) > start]
    random = company.random("events", month)

    day, customer = _session_days(company, random, who, month)
    second = (random.triangular(7, 13, 21, day.size) * 3600).astype(np.int64)
    on_signup_day = day == people.signup_day[customer]
    after_signup = _signup_second(company.seed, customer) + 60
    second = np.where(on_signup_day, np.maximum(second, after_signup), second)
    count = 1 + random.poisson(behaviour.events_per_session - 1, day.size)

    onboarded = _onboardings(company, who, month)
    first = day.size
    day = np.concatenate([day, onboarded["day"]])
    customer = np.concatenate([customer, onboarded["customer"]])
    second = np.concatenate([second, onboarded["second"]])
    count = np.concatenate([count, np.ones(onboarded["day"].size, np.int64)])

    is_late = random.random(day.size) < behaviour.late_event_share
    late_by = random.integers(1, 11, day.size)
    synced = (day + late_by) * SECONDS_PER_DAY + 3 * 3600

    session = np.repeat(np.arange(day.size), count)
    place = np.arange(session.size) - np.repeat(count.cumsum() - count, count)
    gap = np.where(place > 0, random.integers(15, 130, session.size), 0).cumsum()
    gap -= np.repeat(gap[count.cumsum() - count], count)
    name = 1 + choice(random, _EVENT_SHARES[1:], session.size)
    name = np.where(place == 0, 0, name)
    name = np.where(session >= first, _ONBOARDED, name)
    frame = pd.DataFrame(
        {
            "customer": customer[session],
            "occurred": (day * SECONDS_PER_DAY + second)[session] + gap,
            "name": name,
            "session": session,
            "duration": 5 + random.geometric(1 / 70, session.size),
            "synced": np.where(is_late, synced, NOTHING)[session],
        }
    )
    frame = frame.sort_values("occurred", kind="stable", ignore_index=True)
    frame["number"] = np.arange(1, len(frame) + 1)
    return frame[frame["synced"] < calendar.end * SECONDS_PER_DAY]


def _session_days(
    company: Company, random: np.random.Generator, who: np.ndarray, month: int
) -> tuple[np.ndarray, np.ndarray]:
    """Days of the sessions of a month, and whose they are."""
    people, calendar, behaviour = company.people, company.calendar, company.behaviour
    start, end = calendar.month_starts[month : month + 2]
    mood = company.lives.mood[who, month]
    by_mood = behaviour.usage_by_mood[np.where(mood < 0, ENGAGED, mood)]
    failed, worked = behaviour.usage_in_first_month
    is_new = people.signup_day[who] > start - behaviour.first_month_days
    most = np.where(is_new, max(failed, worked), 1.0)
    weights = calendar.usage[start : end + 1]
    weights = weights - weights[0]
    expected = people.sessions_rate[who] * by_mood * most * weights[-1]
    count = np.floor(expected + random.random(who.size)).astype(int)
    customer = np.repeat(who, count)
    day = start + places(random.random(customer.size), weights)
    in_first_month = day < people.signup_day[customer] + behaviour.first_month_days
    factor = np.where(
        in_first_month, np.where(people.is_onboarded[customer], worked, failed), 1.0
    )
    is_kept = random.random(customer.size) * np.repeat(most, count) < factor
    is_kept &= day >= people.signup_day[customer]
    is_kept &= day < company.active_until(customer)
    return day[is_kept], customer[is_kept]


def _onboardings(
    company: Company, who: np.ndarray, month: int
) -> dict[str, np.ndarray]:
    """Give the event that tells that onboarding worked, within two weeks of sign-up."""
    people, calendar = company.people, company.calendar
    start, end = calendar.month_starts[month : month + 2]
    after = 1 + _hashed(company.seed, "onboarding", who) % 13
    day = people.signup_day[who] + after.astype(np.int64)
    is_now = people.is_onboarded[who] & (day >= start) & (day < end)
    is_now &= day < company.active_until(who)
    second = 8 * 3600 + _hashed(company.seed, "onboarded", who) % (10 * 3600)
    return {
        "day": day[is_now],
        "customer": who[is_now],
        "second": second[is_now].astype(np.int64),
    }


def orders(company: Company, month: int) -> pd.DataFrame:
    """Orders made in the month, their refunds, and failed payments."""
    people, calendar, behaviour = company.people, company.calendar, company.behaviour
    start, end = calendar.month_starts[month : month + 2]
    lives = company.lives
    who = np.flatnonzero((people.start_day < end) & (lives.end_day > start))
    random = company.random("orders", month)
    weights = calendar.orders[start : end + 1] - calendar.orders[start]
    count = random.poisson(people.orders_rate[who] * weights[-1])
    customer = np.repeat(who, count)
    day = start + places(random.random(customer.size), weights)
    amount = random.gamma(behaviour.spend_p, 1 / people.spend_rate[customer])
    is_failed = random.random(customer.size) < behaviour.failed_order_probability
    is_refunded = random.random(customer.size) < behaviour.refund_probability
    bought = pd.DataFrame(
        {
            "customer": customer,
            "ordered": day * SECONDS_PER_DAY
            + (random.triangular(7, 13, 21, day.size) * 3600).astype(np.int64),
            "cents": np.maximum((amount * 100).round(), 1).astype(np.int64),
            "is_refund": False,
            "product": choice(random, _PRODUCT_SHARES, day.size),
            "is_failed": is_failed,
        }
    )
    is_there = (day >= people.start_day[customer]) & (day < lives.end_day[customer])
    bought = bought[is_there]
    bought["number"] = np.arange(1, len(bought) + 1)
    refunded = bought[is_refunded[is_there] & ~bought["is_failed"]].copy()
    days_later = random.integers(1, 15, len(refunded))
    refunded["ordered"] += days_later * SECONDS_PER_DAY
    refunded["cents"] *= -1
    refunded["is_refund"] = True

    is_late = random.random(len(bought)) < behaviour.late_share
    late_by = random.integers(1, 26, len(bought))
    recorded = (bought["ordered"] // SECONDS_PER_DAY + late_by) * SECONDS_PER_DAY + 7200
    bought["recorded"] = np.where(is_late, recorded, NOTHING)
    refunded["recorded"] = NOTHING
    failed = _failed_renewals(company, month)
    everything = pd.concat([bought, refunded, failed], ignore_index=True)
    everything["delivered"] = np.where(
        everything["recorded"] == NOTHING, everything["ordered"], everything["recorded"]
    )
    everything["month"] = month
    return everything


def _failed_renewals(company: Company, month: int) -> pd.DataFrame:
    """One row for every try: on the billing day, three and six days later."""
    people, calendar, lives = company.people, company.calendar, company.lives
    who = np.flatnonzero(lives.failed_payments[:, month])
    tries = lives.failed_payments[who, month].astype(int)
    customer = np.repeat(who, tries)
    number = np.arange(customer.size) - np.repeat(tries.cumsum() - tries, tries)
    day = calendar.month_starts[month] + people.billing_day[customer] - 1 + 3 * number
    plan = lives.plan[customer, month - 1]
    price = calendar.prices(month)[plan]
    bill = price - np.round(price * people.discount[customer], 2)
    months = np.where(people.is_yearly[customer], 12, 1)
    return pd.DataFrame(
        {
            "customer": customer,
            "ordered": day * SECONDS_PER_DAY + BILLING_SECOND,
            "cents": (bill * months * 100).round().astype(np.int64),
            "is_refund": False,
            "product": _RENEWAL,
            "is_failed": True,
            "number": np.arange(1, customer.size + 1),
            "recorded": NOTHING,
        }
    )


def subscriptions(company: Company, month: int) -> pd.DataFrame:
    """Versions of subscription periods that came about in the month."""
    people, calendar, lives = company.people, company.calendar, company.lives
    bill = calendar.month_starts[month] + people.billing_day - 1
    plan = lives.plan[:, month]
    before = lives.plan[:, month - 1] if month > 0 else np.full(len(people), -1)
    begins = people.start_month == month
    goes_on = (before >= 0) & (plan >= 0)
    changes = goes_on & (before != plan)
    is_ended = lives.end_kind != STILL_THERE
    ends = is_ended & (calendar.month_of(lives.end_day) == month)
    has_new_price = not np.array_equal(
        calendar.prices(month), calendar.prices(max(month - 1, 0))
    )
    renewed = (
        goes_on
        & ~changes
        & ((people.is_yearly & is_due(people, month)) | has_new_price)
    )
    random = company.random("subscriptions", month)
    reason = _cancel_reasons(company, random)
    by_plan = np.where(plan > before, _UPGRADE, _DOWNGRADE)

    def versions(which: np.ndarray, its_plan: np.ndarray, at: int) -> pd.DataFrame:
        who = np.flatnonzero(which)
        period, period_start = _periods(company, who, at)
        price = calendar.prices(at)[its_plan[who]]
        # of the contract that was running or begins
        age = np.minimum(at, month) - people.start_month[who]
        contract_month = people.start_month[who] + 12 * (1 + age // 12)
        contract_end = (
            calendar.month_starts[contract_month] + people.billing_day[who] - 1
        )
        return pd.DataFrame(
            {
                "customer": who,
                "period": period,
                "started": period_start * SECONDS_PER_DAY + BILLING_SECOND,
                "plan": its_plan[who],
                "is_yearly": people.is_yearly[who],
                "price_cents": (price * 100).round().astype(np.int64),
                "discount_cents": (np.round(price * people.discount[who], 2) * 100)
                .round()
                .astype(np.int64),
                "contract_end": np.where(
                    people.is_yearly[who],
                    contract_end * SECONDS_PER_DAY + BILLING_SECOND,
                    NOTHING,
                ),
                "ended": NOTHING,
                "reason": NOTHING,
                "is_voluntary": NOTHING,
                "changed": bill[who] * SECONDS_PER_DAY + BILLING_SECOND,
            }
        )

    left = versions(ends, before, month - 1)
    left["ended"] = lives.end_day[left["customer"]] * SECONDS_PER_DAY + BILLING_SECOND
    left["changed"] = left["ended"]
    left["reason"] = reason[left["customer"]]
    left["is_voluntary"] = (lives.end_kind[left["customer"]] == VOLUNTARY).astype(int)
    changed = versions(changes, before, month - 1)
    changed["ended"] = changed["changed"]
    changed["reason"] = by_plan[changed["customer"]]
    current = versions(begins | changes | renewed, plan, month)
    return pd.concat([left, changed, current], ignore_index=True).sort_values(
        ["changed", "customer", "period"], kind="stable", ignore_index=True
    )


def _periods(
    company: Company, who: np.ndarray, month: int
) -> tuple[np.ndarray, np.ndarray]:
    """Find number and first day of the period that runs after the bill of a month."""
    people, calendar = company.people, company.calendar
    plans = company.lives.plan[who, : month + 1]
    changes = (plans[:, 1:] != plans[:, :-1]) & (plans[:, :-1] >= 0)
    changes &= plans[:, 1:] >= 0
    number = 1 + changes.sum(axis=1)
    months = np.arange(1, month + 1)
    last = np.max(changes * months, axis=1, initial=0)
    last = np.where(last > 0, last, people.start_month[who])
    return number, calendar.month_starts[last] + people.billing_day[who] - 1


def _cancel_reasons(company: Company, random: np.random.Generator) -> np.ndarray:
    """Tell what people say as they leave: a cause, a reason of their own, nothing."""
    causes = company.lives.end_causes.astype(int)
    count = causes.size
    place = np.argmax(causes[:, None] & (1 << np.arange(4)) > 0, axis=1)
    own = np.array([2, 4, 5])[random.integers(0, 3, count)]
    said = np.where(causes & 15 > 0, place, own)
    said = np.where(random.random(count) < _TELLS_WHY, said, NOTHING)
    is_voluntary = company.lives.end_kind == VOLUNTARY
    return np.where(is_voluntary, said, _PAYMENT_FAILED)


def tickets(company: Company, month: int) -> pd.DataFrame:
    """Tickets opened in the month."""
    people, calendar, behaviour = company.people, company.calendar, company.behaviour
    lives = company.lives
    start, end = calendar.month_starts[month : month + 2]
    who = np.flatnonzero(lives.mood[:, month] >= 0)
    random = company.random("tickets", month)
    mood = lives.mood[who, month]
    rate = behaviour.tickets_by_segment[people.segment[who]]
    usual = random.poisson(rate * behaviour.tickets_by_mood[mood])
    in_trouble = lives.is_in_trouble[who, month]
    more = in_trouble * (1 + random.poisson(behaviour.tickets_in_trouble - 1, who.size))
    customer = np.concatenate([np.repeat(who, usual), np.repeat(who, more)])
    is_trouble = np.arange(customer.size) >= usual.sum()
    first = np.maximum(start, people.start_day[customer])
    last = np.minimum(end, lives.end_day[customer])
    u = random.random(customer.size)
    day = np.where(
        is_trouble,
        first + (u * (last - first)).astype(int),
        start + (u * (end - start)).astype(int),
    )
    second = (random.uniform(8, 18, day.size) * 3600).astype(np.int64)
    opened = day * SECONDS_PER_DAY + second
    hours = np.where(is_trouble, 22.0, 5.0)
    response = opened + (random.exponential(hours) * 3600).astype(np.int64) + 300
    hours = np.where(is_trouble, 70.0, 18.0)
    resolved = response + (random.exponential(hours) * 3600).astype(np.int64) + 600
    its_mood = lives.mood[customer, month]
    mean = np.where(is_trouble, 2.2, np.array([4.4, 3.3, 2.7])[its_mood])
    score = random.normal(mean, 0.8).round().clip(1, 5).astype(int)
    is_scored = random.random(day.size) < 0.65
    end_of_time = calendar.end * SECONDS_PER_DAY
    frame = pd.DataFrame(
        {
            "customer": customer,
            "opened": opened,
            "topic": _topics(random, is_trouble),
            "responded": np.where(response < end_of_time, response, NOTHING),
            "resolved": np.where(resolved < end_of_time, resolved, NOTHING),
            "csat": np.where(is_scored & (resolved < end_of_time), score, NOTHING),
        }
    )
    frame = frame[(day >= first) & (day < last)]
    frame = frame.sort_values("opened", kind="stable", ignore_index=True)
    frame["number"] = np.arange(1, len(frame) + 1)
    return frame


def _topics(random: np.random.Generator, is_trouble: np.ndarray) -> np.ndarray:
    u = random.random(is_trouble.size)
    usual, trouble = (places(u, cumulated(shares)) for shares in _TOPIC_SHARES)
    return np.where(is_trouble, trouble, usual)


#: How often others than subscribers open a letter.
_OPENS_ON_TRIAL, _OPENS_AFTERWARDS = 0.30, 0.04

#: A letter is sent on the seventh, up to ninety days after the end.
_LETTER_DAY, _LETTERS_AFTER_END = 6, 90


def touches(company: Company, month: int) -> pd.DataFrame:
    """Send the letter of the month, and campaigns with their control group."""
    people, calendar, behaviour = company.people, company.calendar, company.behaviour
    lives = company.lives
    random = company.random("touches", month)
    start = calendar.month_starts[month]
    day = start + _LETTER_DAY
    everyone = np.arange(np.searchsorted(people.signup_day, day))
    until = company.active_until(everyone).astype(np.int64) + _LETTERS_AFTER_END
    readers = everyone[until > day]
    chosen = np.flatnonzero(lives.campaign_group[:, month])
    is_control = lives.campaign_group[chosen, month] == 2

    mood = lives.mood[readers, month]
    opens = behaviour.open_probability[mood.clip(0, len(MOODS) - 1)]
    has_ended = lives.end_day[readers] <= day
    opens = np.where(mood < 0, _OPENS_ON_TRIAL, opens)
    opens = np.where(has_ended, _OPENS_AFTERWARDS, opens)
    campaign_opens = 0.2 + 0.5 * behaviour.open_probability[lives.mood[chosen, month]]
    opens = np.concatenate([opens, np.where(is_control, 0.0, campaign_opens)])

    customer = np.concatenate([readers, chosen])
    is_campaign = np.arange(customer.size) >= readers.size
    sent = np.where(
        is_campaign,
        start * SECONDS_PER_DAY + 10 * 3600,
        day * SECONDS_PER_DAY + 9 * 3600,
    )
    opened = sent + 60 + (random.exponential(9 * 3600, sent.size)).astype(np.int64)
    clicked = opened + random.integers(5, 300, sent.size)
    redeemed = clicked + random.integers(3600, 10 * SECONDS_PER_DAY, sent.size)
    is_opened = random.random(sent.size) < opens
    is_clicked = is_opened & (random.random(sent.size) < 0.25)
    is_redeemed = is_clicked & is_campaign & (random.random(sent.size) < 0.5)
    end_of_time = calendar.end * SECONDS_PER_DAY

    def seen(time: np.ndarray, it_was: np.ndarray) -> np.ndarray:
        return np.where(it_was & (time < end_of_time), time, NOTHING)

    frame = pd.DataFrame(
        {
            "customer": customer,
            "sent": sent,
            "is_campaign": is_campaign,
            "is_control": np.concatenate([np.zeros(readers.size, bool), is_control]),
            "opened": seen(opened, is_opened),
            "clicked": seen(clicked, is_clicked),
            "redeemed": seen(redeemed, is_redeemed),
        }
    ).sort_values(["sent", "customer"], kind="stable", ignore_index=True)
    frame["number"] = np.arange(1, len(frame) + 1)
    return frame


def _signup_second(seed: int, who: np.ndarray) -> np.ndarray:
    """Second of the day of a sign-up, the same wherever it is needed."""
    return (8 * 3600 + _hashed(seed, "signup", who) % (10 * 3600)).astype(np.int64)


def _hashed(seed: int, name: str, who: np.ndarray) -> np.ndarray:
    """Give a random number per customer, without a stream (SplitMix64, Steele 2014)."""
    start = random_stream(seed, name).integers(0, 2**63, dtype=np.uint64)
    z = np.asarray(who, np.uint64) * np.uint64(0x9E3779B97F4A7C15) + start
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
