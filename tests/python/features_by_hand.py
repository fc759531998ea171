"""Every feature a second way: loops over the rows known by a date, and none of our SQL.

It follows what the catalogue says of a feature, and is slow and plain on purpose.
"""

import csv
import operator
from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from itertools import pairwise
from statistics import median

from conftest import ROOT, Build

ENTITIES = ("customers", "orders", "subscriptions", "events", "tickets", "touches")

#: The time that places a row among the days.
TIMES = {
    "orders": "ordered_at",
    "subscriptions": "started_at",
    "events": "occurred_at",
    "tickets": "opened_at",
    "touches": "sent_at",
}

OPERATORS = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
}


def rows_of(seed: str) -> list[dict[str, str]]:
    path = ROOT / "seeds" / "features" / f"{seed}.csv"
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


WEIGHTS = {row["module"]: Decimal(row["weight"]) for row in rows_of("module_weights")}
CORE = {row["module"] for row in rows_of("module_weights") if row["is_core"] == "true"}
KEY_ACTIONS = {row["event_name"] for row in rows_of("key_actions")}
RULES = rows_of("lifecycle_rules")


def accepted_rows(build: Build) -> dict[str, list[dict]]:
    """All rows that were accepted, with the day on which each happened."""
    accepted = {}
    with build.open() as connection:
        for entity in ENTITIES:
            result = connection.execute(f"select * from input.input_{entity}")
            names = [column[0] for column in result.description]
            rows = [dict(zip(names, row, strict=True)) for row in result.fetchall()]
            for row in rows:
                row["day"] = day_of(row.get(TIMES.get(entity)))
            accepted[entity] = rows
    return accepted


def day_of(time: datetime | None) -> date | None:
    return None if time is None else time.date()


def days_from(first: date | None, last: date | None) -> int | None:
    return None if first is None or last is None else (last - first).days


def rounded(number: Fraction, places: int = 6) -> float:
    """Round half away from zero, from the exact number."""
    scaled = number * 10**places
    sign = -1 if scaled < 0 else 1
    return sign * float(Fraction(int(abs(scaled) + Fraction(1, 2)), 10**places))


def ratio(above, below) -> float | None:
    if above is None or not below:
        return None
    return rounded(Fraction(above) / Fraction(below))


def stands(row: dict, as_of: date) -> bool:
    """Whether the row had happened, was known, and was not told again by then."""
    if row["day"] > as_of or row["known_date"] > as_of:
        return False
    return row["superseded_date"] is None or row["superseded_date"] > as_of


def known_by(rows: Iterable[dict], as_of: date) -> dict[str, list[dict]]:
    """The rows that stand at the end of a date, by customer."""
    known = defaultdict(list)
    for row in rows:
        if stands(row, as_of):
            known[row["customer_id"]].append(row)
    return known


class Window:
    """The days of a stretch of so many that ends with a date, or just before that."""

    def __init__(self, as_of: date, days: int, before: bool = False):
        last = as_of - timedelta(days=days) if before else as_of
        self.first, self.last = last - timedelta(days=days - 1), last

    def __contains__(self, day: date) -> bool:
        return self.first <= day <= self.last


def customers_known(accepted: dict, as_of: date) -> dict[str, dict]:
    """Who was listed by then, and who was named by a row that was known by then."""
    named = {
        row["customer_id"]
        for entity in TIMES
        for row in accepted[entity]
        if row["known_date"] <= as_of and (entity != "events" or row["day"] <= as_of)
    }
    nothing = dict.fromkeys(
        ["signed_up_at", "country", "acquisition_channel", "segment", "birth_year"]
    )
    known = dict.fromkeys(named, nothing)
    for row in accepted["customers"]:
        if (
            row["source_file"] is not None
            and (row["known_date"] is None or row["known_date"] <= as_of)
            and (row["superseded_date"] is None or row["superseded_date"] > as_of)
        ):
            known[row["customer_id"]] = row
    return known


def customer_features(row: dict, as_of: date) -> dict:
    signed_up_date = day_of(row["signed_up_at"])
    return {
        "signed_up_date": signed_up_date,
        "days_since_sign_up": days_from(signed_up_date, as_of),
        "country": row["country"],
        "acquisition_channel": row["acquisition_channel"],
        "segment": row["segment"],
        "age_years": row["birth_year"] and as_of.year - row["birth_year"],
    }


def is_failed(order: dict) -> bool:
    return order["status"] == "failed"


def purchase_features(orders: list[dict], as_of: date) -> dict:
    bought = [o for o in orders if o["kind"] == "purchase" and not is_failed(o)]
    refunds = [o for o in orders if o["kind"] == "refund" and not is_failed(o)]
    amounts, refunded = defaultdict(Decimal), defaultdict(Decimal)
    for order in bought:
        amounts[order["day"]] += order["amount"]
    for refund in refunds:
        refunded[refund["day"]] += refund["amount"]
    days = sorted(amounts)
    total, paid_back = sum(amounts.values()), -sum(refunded.values())
    features = {
        "orders_count": len(bought),
        "order_days_count": len(days),
        "total_order_amount": total,
        "total_refund_amount": paid_back,
        "categories_count": len({o["category"] for o in bought} - {None}),
    }
    for name, window in {
        **{f"{n}d": Window(as_of, n) for n in (7, 30, 90, 365)},
        "90d_before": Window(as_of, 90, before=True),
    }.items():
        within = [day for day in days if day in window]
        features[f"order_days_count_{name}"] = len(within)
        features[f"order_amount_{name}"] = sum(amounts[day] for day in within)
    features["order_velocity"] = ratio(
        Fraction(features["order_days_count_30d"], 30),
        Fraction(features["order_days_count_90d"], 90),
    )
    if not days:
        return features
    gaps = [(later - earlier).days for earlier, later in pairwise(days)]
    repeats = [
        amounts[day] + refunded[day]
        for day in days[1:]
        if not refunded[day] or amounts[day] + refunded[day] > 0
    ]
    return features | {
        "repeat_order_days_count": len(days) - 1,
        "first_order_date": days[0],
        "last_order_date": days[-1],
        "days_first_to_last_order": (days[-1] - days[0]).days,
        "days_since_first_order": (as_of - days[0]).days,
        "days_since_last_order": (as_of - days[-1]).days,
        "median_days_between_orders": median(gaps) if gaps else None,
        "order_gap_variation": variation(gaps),
        "first_order_day_amount": amounts[days[0]],
        "last_order_day_amount": amounts[days[-1]],
        "largest_order_day_amount": max(amounts.values()),
        "repeat_order_amount": sum(repeats),
        "mean_order_day_amount": float(total / len(days)),
        "mean_repeat_order_day_amount": (
            float(sum(repeats) / len(repeats)) if repeats else None
        ),
        "refund_rate": ratio(paid_back, total),
    }


def variation(gaps: list[int]) -> float | None:
    """Standard deviation of all gaps over their mean."""
    if not gaps:
        return None
    mean = Fraction(sum(gaps), len(gaps))
    variance = sum((gap - mean) ** 2 for gap in gaps) / len(gaps)
    root = (Decimal(variance.numerator) / Decimal(variance.denominator)).sqrt()
    return rounded(Fraction(root) / mean)


def engagement_features(events: list[dict], signed_up_date, as_of: date) -> dict:
    days = {event["day"] for event in events}
    first_use_date = min(days, default=None)
    features = {
        "first_use_date": first_use_date,
        "days_since_first_use": days_from(first_use_date, as_of),
        "last_use_date": max(days, default=None),
        "sessions_count": sessions_count(events),
        "active_days_count": len(days),
    }
    features["days_since_last_use"] = days_from(features["last_use_date"], as_of)
    features["streak_days"] = next(
        (n for n in range(90) if as_of - timedelta(days=n) not in days), 90
    )
    for name, window in {
        **{f"{n}d": Window(as_of, n) for n in (7, 30, 90)},
        "30d_before": Window(as_of, 30, before=True),
    }.items():
        within = [event for event in events if event["day"] in window]
        features[f"sessions_count_{name}"] = sessions_count(within)
        features[f"events_count_{name}"] = len(within)
        features[f"active_days_count_{name}"] = len({e["day"] for e in within})
        features[f"core_seconds_{name}"] = seconds(
            event for event in within if event["module"] in CORE
        )
        features[f"seconds_{name}"] = seconds(within)
    modules = {e["module"] for e in events if e["day"] in Window(as_of, 90)} - {None}
    first_key_action_date = min(
        (event["day"] for event in events if event["event_name"] in KEY_ACTIONS),
        default=None,
    )
    until_key_action = days_from(signed_up_date, first_key_action_date)
    days_there = days_from(signed_up_date, as_of)
    if until_key_action is not None and until_key_action <= 30:
        is_activated = True
    else:
        is_activated = False if days_there is not None and days_there >= 30 else None
    if days:
        days_so_far = features["days_since_first_use"] + 1
        usual = Fraction(features["sessions_count"], days_so_far)
        features["usual_monthly_sessions"] = ratio(30 * usual, 1)
        for n in (30, 90):
            lately = Fraction(features[f"sessions_count_{n}d"], min(n, days_so_far))
            features[f"sessions_vs_usual_{n}d"] = ratio(lately, usual)
    return features | {
        "session_velocity": ratio(
            Fraction(features["sessions_count_30d"], 30),
            Fraction(features["sessions_count_90d"], 90),
        ),
        "daily_active_minutes_90d": ratio(features["seconds_90d"], 60 * 90),
        "core_share_90d": ratio(features["core_seconds_90d"], features["seconds_90d"]),
        "modules_count_90d": len(modules),
        "adoption_score_90d": ratio(
            sum(WEIGHTS.get(module, 0) for module in modules), sum(WEIGHTS.values())
        ),
        "days_to_first_key_action": until_key_action,
        "is_activated_30d": is_activated,
    }


def sessions_count(events: Iterable[dict]) -> int:
    """Count a session on each day on which it was used."""
    used = {(event["session_id"], event["day"]) for event in events}
    return sum(session_id is not None for session_id, _ in used)


def seconds(events: Iterable[dict]) -> int:
    return sum(event["duration_seconds"] or 0 for event in events)


def live_on(versions: list[dict], as_of: date) -> list[dict]:
    """Subscriptions that ran at the end of a date, by what was known then."""
    return [
        version
        for version in versions
        if stands(version, as_of)
        and (version["ended_at"] is None or day_of(version["ended_at"]) > as_of)
    ]


def revenue_on(versions: list[dict], as_of: date) -> Decimal:
    return sum((v["mrr"] or Decimal() for v in live_on(versions, as_of)), Decimal())


def subscription_features(versions: list[dict], as_of: date) -> dict:
    """Versions are all of the customer: what was known before tells of changes."""
    begun = [version for version in versions if stands(version, as_of)]
    live = live_on(versions, as_of)
    prices = [version["mrr"] for version in live if version["mrr"] is not None]
    discounts = [v["discount_amount"] for v in live if v["discount_amount"] is not None]
    contract_end = max(
        (day_of(v["contract_ends_at"]) for v in live if v["contract_ends_at"]),
        default=None,
    )
    plans = sorted(
        (-(v["mrr"] or 0), v["subscription_id"], v["plan"]) for v in live if v["plan"]
    )
    changes = [0, 0]
    moments = {
        moment
        for version in versions
        for moment in (
            max(version["day"], version["known_date"]),
            version["superseded_date"],
            day_of(version["ended_at"]),
        )
        if moment is not None and moment in Window(as_of, 365)
    }
    for moment in moments:
        day_before = moment - timedelta(days=1)
        if live_on(versions, moment) and live_on(versions, day_before):
            now, then = revenue_on(versions, moment), revenue_on(versions, day_before)
            changes[0] += now > then
            changes[1] += now < then
    return {
        "is_subscribed": bool(live),
        "plan": plans[0][2] if plans else None,
        "mrr": (sum(prices) if prices else None) if live else 0,
        "discount_share": ratio(sum(discounts) if discounts else None, sum(prices)),
        "periods_count": len(begun),
        "subscription_tenure_days": days_from(
            min((version["day"] for version in begun), default=None), as_of
        ),
        "days_to_contract_end": days_from(as_of, contract_end),
        "has_contract": contract_end is not None and contract_end > as_of,
        "mrr_change_90d": revenue_on(versions, as_of)
        - revenue_on(versions, as_of - timedelta(days=90)),
        "upgrades_count_365d": changes[0],
        "downgrades_count_365d": changes[1],
    }


def failure_features(orders: list[dict], as_of: date) -> dict:
    days = [order["day"] for order in orders if is_failed(order)]
    return {
        "failed_payments_count_30d": sum(day in Window(as_of, 30) for day in days),
        "failed_payments_count_90d": sum(day in Window(as_of, 90) for day in days),
        "days_since_last_failed_payment": days_from(max(days, default=None), as_of),
    }


def is_by(time: datetime | None, as_of: date) -> bool:
    return time is not None and day_of(time) <= as_of


def mean(numbers: list) -> Fraction | None:
    return Fraction(sum(numbers)) / len(numbers) if numbers else None


def hours_until(ticket: dict, name: str) -> Fraction:
    whole = ticket[name].replace(microsecond=0)
    taken = whole - ticket["opened_at"].replace(microsecond=0)
    return Fraction(taken.days * 86400 + taken.seconds, 3600)


def support_features(tickets: list[dict], as_of: date) -> dict:
    def opened(days: int, before: bool = False) -> list[dict]:
        return [t for t in tickets if t["day"] in Window(as_of, days, before)]

    def ratings(days: int, before: bool = False) -> list[Decimal]:
        return [
            ticket["csat"]
            for ticket in opened(days, before)
            if ticket["csat"] is not None
            and (is_by(ticket["resolved_at"], as_of) or ticket["resolved_at"] is None)
        ]

    def hours(name: str) -> list[Fraction]:
        return [hours_until(t, name) for t in opened(90) if is_by(t[name], as_of)]

    last = max(
        tickets,
        key=lambda t: (t["opened_at"], t["ticket_id"], t["loaded_at"] or datetime.min),
        default={"day": None, "category": None},
    )
    now, then = mean(ratings(90)), mean(ratings(90, before=True))
    year = mean(ratings(365))
    return {
        "tickets_count_30d": len(opened(30)),
        "tickets_count_90d": len(opened(90)),
        "tickets_count_30d_before": len(opened(30, before=True)),
        "open_tickets_count": sum(not is_by(t["resolved_at"], as_of) for t in tickets),
        "last_ticket_category": last["category"],
        "days_since_last_ticket": days_from(last["day"], as_of),
        "first_response_hours_90d": ratio(mean(hours("first_response_at")), 1),
        "resolution_hours_90d": ratio(mean(hours("resolved_at")), 1),
        "rated_tickets_count_90d": len(ratings(90)),
        "csat_mean_90d": ratio(now, 1),
        "csat_mean_365d": ratio(year, 1),
        "csat_trend": None if now is None or then is None else rounded(now - then),
    }


def marketing_features(touches: list[dict], as_of: date) -> dict:
    sent = [touch for touch in touches if not touch["is_control"]]
    lately = [touch for touch in sent if touch["day"] in Window(as_of, 90)]
    openings = [
        day_of(touch["opened_at"]) for touch in sent if is_by(touch["opened_at"], as_of)
    ]

    def rate(name: str) -> float | None:
        return ratio(sum(is_by(touch[name], as_of) for touch in lately), len(lately))

    return {
        "touches_count": len(sent),
        "open_rate": ratio(len(openings), len(sent)),
        "touches_count_30d": sum(t["day"] in Window(as_of, 30) for t in sent),
        "touches_count_90d": len(lately),
        "offers_count_30d": sum(
            t["day"] in Window(as_of, 30) and t["offer"] is not None for t in sent
        ),
        "days_since_last_touch": days_from(
            max((touch["day"] for touch in sent), default=None), as_of
        ),
        "is_in_control_group_90d": any(
            t["is_control"] and t["day"] in Window(as_of, 90) for t in touches
        ),
        "open_rate_90d": rate("opened_at"),
        "click_rate_90d": rate("clicked_at"),
        "redemption_rate_90d": rate("redeemed_at"),
        "days_since_last_open": days_from(max(openings, default=None), as_of),
    }


def first_days_features(own: dict, orders: list, events: list, as_of: date) -> dict:
    def first_days(first: date | None) -> Window | None:
        """Thirty days, once the last of them is over."""
        last = first and first + timedelta(days=29)
        return Window(last, 30) if last and last <= as_of else None

    bought_in = first_days(own.get("first_order_date"))
    used_in = first_days(own["signed_up_date"])
    features = {
        "has_ordered": own["orders_count"] > 0,
        "has_used": own["last_use_date"] is not None,
        "has_ticket": own["days_since_last_ticket"] is not None,
    }
    if bought_in:
        bought = [
            order["amount"]
            for order in orders
            if order["kind"] == "purchase"
            and not is_failed(order)
            and order["day"] in bought_in
        ]
        features["first_30d_order_amount"] = sum(bought)
        features["first_30d_orders_count"] = len(bought)
    if used_in:
        features["first_30d_sessions_count"] = sessions_count(
            event for event in events if event["day"] in used_in
        )
    return features


def score_features(own: dict) -> dict:
    """The scores, of features as they are published."""
    since_use = own["days_since_last_use"]
    lateness = 0 if since_use is None else max(90 - since_use, 0)
    sessions = own["sessions_count_30d"] + own["sessions_count_30d_before"]
    share = Fraction(own["sessions_count_30d"], sessions) if sessions else 0
    adoption = Fraction(str(own["adoption_score_90d"]))
    core_share = Fraction(str(own["core_share_90d"] or 0))
    active_share = Fraction(own["active_days_count_30d"], 30)
    contract_days = own["days_to_contract_end"]
    return {
        "sessions_per_active_day_90d": ratio(
            own["sessions_count_90d"], own["active_days_count_90d"]
        ),
        "events_per_session_90d": ratio(
            own["events_count_90d"], own["sessions_count_90d"]
        ),
        "behavioral_score": rounded(50 * Fraction(lateness, 90) + 50 * share),
        "transactional_value_k": ratio(own["order_amount_365d"], 1000),
        "support_ticket_volume_30d": own["tickets_count_30d"],
        "engagement_score": rounded(
            Fraction(100, 3) * (active_share + adoption + core_share)
        ),
        "contract_days_remaining": contract_days and max(contract_days, 0),
    }


def lifecycle_features(own: dict) -> dict:
    stage = None
    for number in sorted({int(rule["rule_number"]) for rule in RULES}, reverse=True):
        rules = [rule for rule in RULES if int(rule["rule_number"]) == number]
        if all(
            own.get(rule["feature_name"]) is not None
            and OPERATORS[rule["operator"]](
                own[rule["feature_name"]], float(rule["value"])
            )
            for rule in rules
        ):
            stage = rules[0]["stage"]
    return {
        "lifecycle_stage": stage,
        "upsell_signal": (
            stage and stage == "value" and own["adoption_score_90d"] >= 0.8
        ),
    }


def fifths(everybody: dict[str, dict], feature: str, sign: int) -> dict[str, int]:
    """Five groups of those who ordered; what does not divide goes to the first ones."""
    places = sorted(
        (sign * own[feature], customer_id)
        for customer_id, own in everybody.items()
        if own["orders_count"]
    )
    size, larger = divmod(len(places), 5)
    sizes = [size + (fifth < larger) for fifth in range(5)]
    fifth_of_place = [n + 1 for n, size in enumerate(sizes) for _ in range(size)]
    return {
        customer_id: fifth
        for (_, customer_id), fifth in zip(places, fifth_of_place, strict=True)
    }


def add_rfm(everybody: dict[str, dict]) -> None:
    recency = fifths(everybody, "days_since_last_order", -1)
    frequency = fifths(everybody, "order_days_count", 1)
    monetary = fifths(everybody, "total_order_amount", 1)
    for customer_id in recency:
        r, f, m = (part[customer_id] for part in (recency, frequency, monetary))
        everybody[customer_id] |= {
            "recency_quintile": r,
            "frequency_quintile": f,
            "monetary_quintile": m,
            "rfm_score": float(
                (Decimal(4 * r + 3 * f + 3 * m) / 10).quantize(
                    Decimal("0.1"), ROUND_HALF_UP
                )
            ),
        }


def add_cohorts(everybody: dict[str, dict], as_of: date) -> None:
    cohorts, channels = defaultdict(list), defaultdict(list)
    for own in everybody.values():
        signed_up = own["signed_up_date"]
        if signed_up is not None:
            cohorts[signed_up.year, signed_up.month].append(own)
            if signed_up + timedelta(days=180) <= as_of:
                came_back = bool(own.get("repeat_order_days_count"))
                channels[own["acquisition_channel"]].append(came_back)
    for own in everybody.values():
        signed_up = own["signed_up_date"]
        if signed_up is not None:
            cohort = cohorts[signed_up.year, signed_up.month]
            for name, feature in (
                ("sessions_vs_cohort", "sessions_count_90d"),
                ("amount_vs_cohort", "order_amount_90d"),
            ):
                of_all = mean([other[feature] for other in cohort])
                own[name] = ratio(own[feature], of_all)
        channel = own["acquisition_channel"]
        if channel is not None and channels[channel]:
            own["channel_quality"] = ratio(
                sum(channels[channel]), len(channels[channel])
            )


def features_by_hand(accepted: dict, as_of: date) -> dict[str, dict]:
    """All features of all customers known by a date; a feature left out is NULL."""
    known = {entity: known_by(accepted[entity], as_of) for entity in TIMES}
    versions = defaultdict(list)
    for row in accepted["subscriptions"]:
        versions[row["customer_id"]].append(row)
    everybody = {}
    for customer_id, row in customers_known(accepted, as_of).items():
        of = {entity: rows.get(customer_id, []) for entity, rows in known.items()}
        own = customer_features(row, as_of)
        own |= purchase_features(of["orders"], as_of)
        own |= engagement_features(of["events"], own["signed_up_date"], as_of)
        own |= subscription_features(versions[customer_id], as_of)
        own |= failure_features(of["orders"], as_of)
        own |= support_features(of["tickets"], as_of)
        own |= marketing_features(of["touches"], as_of)
        own |= first_days_features(own, of["orders"], of["events"], as_of)
        own |= score_features(own)
        own |= lifecycle_features(own)
        everybody[customer_id] = own
    add_rfm(everybody)
    add_cohorts(everybody, as_of)
    return everybody
