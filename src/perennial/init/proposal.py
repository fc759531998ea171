"""What a connector would be: shapes recognised, facts of the data, doubts in words."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from perennial.faults import UsageFault
from perennial.init.inspection import RawTable, inspect, words
from perennial.init.roles import (
    Choice,
    Roles,
    assign,
    choose,
    looks_like_cents,
    role_types,
)
from perennial.init.tables import (
    ENDINGS,
    Place,
    is_writable,
    opened,
    quoted,
    tables_of,
)
from perennial.macros import contract, macros_of, settings_catalogue

#: What others call a purchase and a refund, and a payment that came or failed.
PURCHASES = {
    *("purchase", "sale", "sales", "payment", "charge", "order", "invoice", "debit"),
    "buy",
}
REFUNDS = {"refund", "return", "credit", "credit note", "credit_note", "chargeback"}
COMPLETED = {
    *("completed", "complete", "paid", "succeeded", "success", "successful", "shipped"),
    *("fulfilled", "delivered", "closed", "settled", "captured", "done"),
}
FAILED = {
    *("failed", "declined", "void", "voided", "unpaid", "uncollectible", "error"),
    *("rejected", "canceled", "cancelled", "expired"),
}
#: Neither: set aside, with the reason.
SET_ASIDE = {
    **dict.fromkeys(
        ("pending", "open", "draft", "processing", "on hold", "authorized"), "not_paid"
    ),
    **dict.fromkeys(("refunded", "partially_refunded", "returned"), "paid_back"),
}

#: Below this share of different ids, the rows of a table are lines of its orders.
MOST_DISTINCT_LINES = 0.9

#: With fewer periods of subscriptions that ended, it is told that they are few.
LEAST_ENDED_PERIODS = 50

#: A product that is none: what a platform or a bank takes.
_FEE = re.compile(r"\b(fee|fees|charges?|commission)\b|(?<!of)fee$", re.IGNORECASE)

#: Files and tables by what they are called, for a folder or a database of them; of two
#: for one domain the first in this list is taken.
FILE_NAMES = {
    "customers": ("customers", "clients", "users", "accounts", "members", "contacts"),
    "orders": (
        *("orders", "charges", "payments", "transactions", "invoices", "purchases"),
        *("sales", "order_lines", "invoice_lines", "order_items"),
    ),
    "subscriptions": ("subscriptions", "contracts", "memberships"),
    "events": ("events", "usage", "activity", "logins", "sessions", "page_views"),
    "tickets": ("tickets", "cases", "support_tickets", "issues"),
    "touches": ("touches", "campaigns", "emails", "messages", "sends"),
}


@dataclass(frozen=True)
class Lines:
    """What the lines of invoices come to.

    Attributes
    ----------
    counts : dict of str to int
        Invoices by what becomes of them: ``purchase``, ``refund``, ``guest``, ``fee``,
        ``zero_invoice``, ``adjustment``, ``conflict``.
    refund_letters, adjustment_letters : tuple of str
        First letters of the numbers of cancellations, and of what is neither.
    fee_products : tuple of str
        Products that are none.
    """

    counts: dict[str, int]
    refund_letters: tuple[str, ...] = ()
    adjustment_letters: tuple[str, ...] = ()
    fee_products: tuple[str, ...] = ()


@dataclass
class Domain:
    """One domain of the contract, and the raw table it would come from.

    Attributes
    ----------
    entity : str
    roles : Roles
    lines : Lines or None
        Where the rows of the table are lines of invoices.
    kinds, statuses : dict of str to str
        What the table's words mean in ours.
    set_aside : dict of str to str
        Statuses that are neither completed nor failed, with the reason.
    has_guests : bool
        Whether rows without a customer are set aside.
    has_negative_refunds : bool
        Whether an amount below 0 is what tells a refund.
    doubts : list of str
    """

    entity: str
    roles: Roles
    lines: Lines | None = None
    kinds: dict[str, str] = field(default_factory=dict)
    statuses: dict[str, str] = field(default_factory=dict)
    set_aside: dict[str, str] = field(default_factory=dict)
    has_guests: bool = False
    has_negative_refunds: bool = False
    doubts: list[str] = field(default_factory=list)

    @property
    def choices(self) -> dict[str, Choice]:
        """Columns by their role."""
        return self.roles.choices

    @property
    def place(self) -> Place:
        """Where the raw table lies."""
        return self.roles.table.place

    @property
    def has_line_numbers(self) -> bool:
        """Whether a row without an id can be named after its line."""
        return self.place.files is not None and self.entity != "events"


@dataclass
class Proposal:
    """A connector as it would be written.

    Attributes
    ----------
    name : str
    root : Path
        Of the project.
    domains : dict of str to Domain
    settings : dict
        What the connector knows better than the defaults.
    history : list of str
        What can be scored from so much history, in words.
    doubts : list of str
        Of the whole, in words.
    """

    name: str
    root: Path
    domains: dict[str, Domain]
    settings: dict[str, Any] = field(default_factory=dict)
    history: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)

    @property
    def place(self) -> Place:
        """Where its first table lies; the others lie in the same database, if any."""
        return next(iter(self.domains.values())).place

    @property
    def missing(self) -> dict[str, str]:
        """Domains that are not delivered, and what that costs."""
        agreed = contract(self.root)
        return {
            entity: told["absence"]
            for entity, told in agreed.items()
            if entity not in self.domains
        }

    @property
    def lacking(self) -> dict[str, list[str]]:
        """Required roles that no column plays, by domain."""
        agreed = contract(self.root)
        told = {}
        for entity, domain in self.domains.items():
            key = agreed[entity]["key"]
            missing = [
                role
                for role in agreed[entity]["required"]
                if role not in domain.choices
                and not (role == key and domain.has_line_numbers)
                and not (role == "amount" and domain.lines)
            ]
            if missing:
                told[entity] = missing
        return told


def places(given: dict[str, str], folder: str | None) -> tuple[dict[str, Place], list]:
    """Find the raw table of each domain.

    Parameters
    ----------
    given : dict of str to str
        What a person named, by domain.
    folder : str or None
        A folder of files, or a database, whose names say the domain.

    Returns
    -------
    tuple
        The places by domain, and what was not used, in words.
    """
    found = {entity: Place.find(text) for entity, text in given.items()}
    if folder is None:
        return found, []
    named = _named_in(folder)
    doubts = []
    for entity, names in FILE_NAMES.items():
        fitting = [name for name in names if name in named]
        if fitting and entity not in found:
            found[entity] = Place.find(named.pop(fitting[0]))
        for other in fitting[1:]:
            doubts.append(
                f"{other} is not used: {entity} come from {fitting[0]}. To take it "
                f"instead, name it with --{entity}"
            )
            named.pop(other)
    if named:
        doubts.append(
            f"{', '.join(sorted(named))}: no domain is called so, and it is not used"
        )
    if not found:
        raise UsageFault(
            f"{folder} holds nothing that is called like a domain: name the tables, "
            "as in --orders FILE."
        )
    return found, doubts


def _named_in(folder: str) -> dict[str, str]:
    path = Path(folder).expanduser()
    if not path.is_dir():
        return {
            words(table): f"{folder}#{schema}.{table}"
            for schema, table in tables_of(folder)
        }
    named: dict[str, str] = {}
    for one in sorted(path.iterdir()):
        if one.is_dir():
            if any(file.suffix in ENDINGS for file in one.iterdir()):
                named[words(one.name)] = str(one)
        elif one.suffix in ENDINGS:
            # orders_2024_01.csv and orders_2024_02.csv are one table
            stem = re.sub(r"[-_.]?[0-9][-_0-9]*$", "", one.stem)
            is_several = stem != one.stem
            named[words(stem)] = str(
                path / (f"{stem}*{one.suffix}" if is_several else one.name)
            )
    return named


def propose(
    name: str, root: Path, tables: dict[str, RawTable], by_hand: list[str], zone: str
) -> Proposal:
    """Propose a connector for raw tables.

    Parameters
    ----------
    name : str
    root : Path
        Of the project.
    tables : dict of str to RawTable
        By domain.
    by_hand : list of str
        Roles that a person set, as ``orders.amount=total``; without a column none is
        to play it, and ``:cents`` says that whole numbers are hundredths.
    zone : str
        Of times that name none.
    """
    agreed = contract(root)
    domains = {
        entity: Domain(entity, assign(entity, tables[entity], agreed[entity]))
        for entity in agreed
        if entity in tables
    }
    for text in by_hand:
        _set_by_hand(domains, agreed, text)
    for domain in domains.values():
        _recognise(domain, root)
    proposal = Proposal(name, root, domains)
    proposal.settings = _settings(proposal, zone)
    if not proposal.lacking:
        proposal.history = _history(proposal)
    return proposal


def look(found: dict[str, Place]) -> dict[str, RawTable]:
    """Inspect every table."""
    return {entity: inspect(place) for entity, place in found.items()}


def _set_by_hand(domains: dict[str, Domain], agreed: dict, text: str) -> None:
    matched = re.fullmatch(r"(\w+)\.(\w+)=(.*?)(:cents)?", text.strip())
    if not matched:
        raise UsageFault(
            f"{text[:60]!r} sets no role: write DOMAIN.ROLE=COLUMN, as in "
            "orders.amount=total."
        )
    entity, role, name, cents = matched.groups()
    if entity not in domains:
        raise UsageFault(
            f"{text[:60]!r}: there is no table of {entity}; there are "
            f"{', '.join(domains)}."
        )
    domain = domains[entity]
    types = role_types(entity, agreed[entity]["columns"])
    if role not in types:
        raise UsageFault(
            f"{text[:60]!r}: {entity} have no role {role}; "
            f"they have {', '.join(types)}."
        )
    if not name:
        domain.roles.choices.pop(role, None)
        domain.roles.refused.pop(role, None)
        return
    table = domain.roles.table
    column = table.column(name)
    if column is None:
        raise UsageFault(
            f"{text[:60]!r}: the table has no column {name[:60]!r}; it has "
            f"{', '.join(one.name for one in table.columns)}."
        )
    is_in_cents = bool(cents) or looks_like_cents(table)
    try:
        domain.roles = choose(domain.roles, role, column, types[role], is_in_cents)
    except ValueError as error:
        raise UsageFault(f"{text[:60]!r}: {error}.") from None


def _recognise(domain: Domain, root: Path) -> None:
    """Find the shape of a table, what its words mean, and what to doubt of it."""
    if domain.entity == "orders":
        _recognise_orders(domain, root)
    _look_at_key(domain, contract(root)[domain.entity]["key"])
    if domain.entity == "orders" and domain.lines is None:
        _look_at_guests(domain)
    if domain.entity == "subscriptions":
        _look_at_subscriptions(domain)
    table = domain.roles.table
    if table.unreadable_names:
        domain.doubts.append(
            f"{', '.join(table.unreadable_names)}: no model can have a column of that "
            "name, and it is not read"
        )
    if table.is_sampled:
        domain.doubts.append(f"only the first {table.rows_count:,} rows were looked at")
    unused = [words(name) for name in domain.roles.unused]
    if domain.entity == "orders" and "amount_refunded" in unused:
        domain.doubts.append(
            "amount_refunded is not subtracted: nothing says when it was paid back. "
            "Deliver refunds as rows of their own"
        )


def _recognise_orders(domain: Domain, root: Path) -> None:
    """Tell orders from the lines of invoices, and leave out the roles of the other."""
    choices = domain.choices
    if _has_lines(choices):
        domain.lines = _lines(domain, root)
        _tell_lines(domain, domain.lines)
        of_the_other = ("kind", "status", "category")
    else:
        if "amount" not in choices and "price" in choices:
            price = choices["price"]
            told = f"amount is {price.column.name}: there is no column of totals"
            choices["amount"] = Choice(
                "amount", price.column, 0.5, price.reading, (*price.doubts, told)
            )
        of_the_other = ("quantity", "price", "product", "product_name")
    for role in of_the_other:
        choices.pop(role, None)
    _translate(domain)
    _look_at_currency(domain)


def _look_at_key(domain: Domain, key: str) -> None:
    choice = domain.choices.get(key)
    if choice is None:
        domain.doubts.append(
            f"there is no {key}: each row is named after its file and line, so a row "
            "that comes twice counts twice"
        )
    elif domain.lines is None and choice.column.distinct_share < 1:
        repeated = choice.column.values_count - choice.column.distinct_count
        domain.doubts.append(
            f"{choice.column.name} comes again in {repeated:,} rows: of one {key} "
            "copies are set aside, and rows that differ are refused"
        )


def _has_lines(choices: dict[str, Choice]) -> bool:
    order = choices.get("order_id")
    has_amount = "amount" in choices or {"quantity", "price"} <= choices.keys()
    return bool(
        order and has_amount and order.column.distinct_share < MOST_DISTINCT_LINES
    )


def _translate(domain: Domain) -> None:
    """Give the table's words for kinds and statuses ours."""
    choices = domain.choices
    if kind := choices.get("kind"):
        for value in kind.column.common:
            if value.lower() in PURCHASES:
                domain.kinds[value.lower()] = "purchase"
            elif value.lower() in REFUNDS:
                domain.kinds[value.lower()] = "refund"
        unknown = [one for one in kind.column.common if one.lower() not in domain.kinds]
        if len(unknown) > len(kind.column.common) / 2:
            choices.pop("kind")
            domain.kinds = {}
            domain.doubts.append(
                f"{kind.column.name} is not used: it does not tell purchases from "
                f"refunds ({', '.join(unknown[:4])})"
            )
        elif unknown:
            domain.doubts.append(
                f"{kind.column.name} says {', '.join(unknown[:4])}, which is neither a "
                "purchase nor a refund: these rows will be refused as unknown_kind"
            )
    if status := choices.get("status"):
        _translate_status(domain, status)
    amount = choices.get("amount")
    if domain.lines is None and "kind" not in choices and amount:
        if amount.column.negative_share > 0:
            domain.has_negative_refunds = True
            share = amount.column.negative_share
            domain.doubts.append(
                f"{amount.column.name} is below 0 in {share:.2%} of the rows: they are "
                "taken as refunds"
            )
        else:
            domain.doubts.append(
                "no refund is told: no column says the kind, and no amount is below 0"
            )


def _translate_status(domain: Domain, status: Choice) -> None:
    for value in status.column.common:
        said = value.lower()
        if said in COMPLETED:
            domain.statuses[said] = "completed"
        elif said in FAILED:
            domain.statuses[said] = "failed"
        elif said in SET_ASIDE:
            domain.set_aside[said] = SET_ASIDE[said]
    unknown = [
        one
        for one in status.column.common
        if one.lower() not in domain.statuses | domain.set_aside
    ]
    if len(unknown) > len(status.column.common) / 2:
        domain.choices.pop("status")
        domain.statuses, domain.set_aside = {}, {}
        domain.doubts.append(
            f"{status.column.name} is not used: it does not tell payments that failed "
            f"({', '.join(unknown[:4])}), so every row counts"
        )
        return
    if unknown:
        domain.doubts.append(
            f"{status.column.name} says {', '.join(unknown[:4])}, which is neither "
            "completed nor failed: these rows will be refused as unknown_status"
        )
    for said, reason in domain.set_aside.items():
        domain.doubts.append(
            f"orders whose {status.column.name} is {said} are set aside as {reason}"
        )
    cancelled = [one for one in domain.statuses if one.startswith("cancel")]
    if cancelled:
        domain.doubts.append(
            f"orders whose {status.column.name} is {cancelled[0]} count as failed: "
            "never revenue"
        )


def _look_at_currency(domain: Domain) -> None:
    currency = domain.choices.get("currency")
    if currency and currency.column.distinct_count > 1:
        several = ", ".join(currency.column.common[:4])
        domain.doubts.append(
            f"amounts are in {currency.column.distinct_count} currencies ({several}) "
            "and add up as if they were one: set currency, and put rates into "
            "seeds/currency_rates.csv"
        )


def _look_at_guests(domain: Domain) -> None:
    customer = domain.choices.get("customer_id")
    if customer and customer.column.filled_share < 1:
        domain.has_guests = True
        domain.doubts.append(
            f"{1 - customer.column.filled_share:.1%} of the rows name no customer: "
            "they are set aside as guest"
        )


def _look_at_subscriptions(domain: Domain) -> None:
    mrr = domain.choices.get("mrr")
    if mrr and not words(mrr.column.name).startswith(("mrr", "monthly")):
        domain.doubts.append(
            f"{mrr.column.name} is taken as the price of a month: divide by 12 what is "
            "billed by the year"
        )
    for name in domain.roles.unused:
        column = domain.roles.table.column(name)
        trials = [one for one in column.common if "trial" in one.lower()]
        if trials:
            domain.doubts.append(
                f"rows whose {name} is {trials[0]} count as subscriptions: deliver a "
                "trial as events, or set it aside"
            )


@contextmanager
def _typed(domain: Domain, root: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the raw table with a column for each role, as far as its values parse."""
    with opened(domain.place) as connection:
        columns = ", ".join(
            f"{_looked_at(choice, root)} as {role}"
            for role, choice in domain.choices.items()
        )
        connection.execute(
            f"create temporary table typed as select {columns} from raw_table"
        )
        yield connection


def _looked_at(choice: Choice, root: Path) -> str:
    """Write SQL of a role's value in the raw table, for a look at it alone."""
    reading, name = choice.reading, quoted(choice.column.name)
    is_time = reading.data_type == "timestamp" or (reading.expression or "").startswith(
        "make_timestamp"
    )
    if is_time and choice.column.is_time:
        return f"cast({name} as timestamp)"
    if is_time and reading.time_format:
        return f"try_strptime(cast({name} as varchar), '{reading.time_format}')"
    if is_time and reading.expression:
        return reading.expression.replace("{column}", f"try_cast({name} as bigint)")
    if is_time:
        return f"try_cast({name} as timestamp)"
    if reading.number:
        number = macros_of(root).rendered(reading.number)
        if "* 0.01" in number:
            return number.replace("{column}", f"try_cast({name} as bigint)")
        text = number.replace("{column}", f"cast({name} as varchar)")
        return f"try_cast({text} as decimal(18, 4))"
    text = f"nullif(trim(cast({name} as varchar)), '')"
    if choice.column.type in ("DOUBLE", "FLOAT"):
        text = f"regexp_replace({text}, '[.]0+$', '')"
    return text


def line_amount(choices: dict[str, Choice]) -> str:
    """Write SQL of what a line of an invoice comes to."""
    return "amount" if "amount" in choices else "quantity * price"


def _lines(domain: Domain, root: Path) -> Lines:
    choices = domain.choices
    customer = "customer_id" if "customer_id" in choices else "cast(null as varchar)"
    product = "product" if "product" in choices else "cast(null as varchar)"
    product_name = "product_name" if "product_name" in choices else "''"
    with _typed(domain, root) as connection:
        found = connection.execute(
            f"select {product} as product, max(coalesce({product_name}, '')) from typed"
            f" where not regexp_matches({product}, '^[0-9]') group by product"
        ).fetchall()
        fees = sorted(
            code
            for code, told in found
            if code and is_writable(code) and (_FEE.search(code) or _FEE.search(told))
        )
        connection.execute(
            f"""
            create temporary table invoices as
            select
                order_id,
                min({customer}) as customer_id,
                count(distinct {customer}) as customers_count,
                round(sum({line_amount(choices)}), 2) as amount,
                coalesce(bool_and({product} in (select unnest(?))), false) as is_fee,
                coalesce(regexp_extract(order_id, '^[A-Za-z]+'), '') as letters
            from typed
            where order_id is not null
            group by order_id
            """,
            [fees],
        )
        letters = connection.execute(
            "select letters, count(*), max(amount) from invoices"
            " group by letters order by count(*) desc, letters"
        ).fetchall()
        has_plain = any(not one and count for one, count, _ in letters)
        marks = [row for row in letters if row[0] and has_plain]
        refunds = tuple(one for one, count, most in marks if most <= 0 and count > 1)
        adjustments = tuple(one for one, *_ in marks if one not in refunds)
        counts = dict(
            connection.execute(
                """
                select
                    case
                        when customers_count > 1 then 'conflict'
                        when letters in (select unnest(?)) then 'adjustment'
                        when amount = 0 then 'zero_invoice'
                        when is_fee and customer_id is null then 'fee'
                        when customer_id is null then 'guest'
                        when letters in (select unnest(?)) or amount < 0 then 'refund'
                        else 'purchase'
                    end as fate,
                    count(*)
                from invoices
                group by fate
                order by fate
                """,
                [list(adjustments), list(refunds)],
            ).fetchall()
        )
    return Lines(counts, refunds, adjustments, tuple(fees))


def _tell_lines(domain: Domain, lines: Lines) -> None:
    count = lines.counts.get
    told = [
        "a row is a line of an invoice: they are added up, invoice by invoice, into "
        f"{count('purchase', 0):,} orders and {count('refund', 0):,} refunds"
    ]
    if lines.refund_letters:
        letters = " or ".join(lines.refund_letters)
        told.append(
            f"an invoice that begins with {letters} is taken as a refund of its own "
            "day: it does not say what it cancels"
        )
    if lines.adjustment_letters:
        letters = " or ".join(lines.adjustment_letters)
        told.append(
            f"an invoice that begins with {letters} is neither sale nor refund: "
            f"{count('adjustment', 0):,} are set aside as adjustment"
        )
    if count("zero_invoice"):
        told.append(
            f"{count('zero_invoice'):,} invoices come to 0: set aside as zero_invoice"
        )
    if count("guest"):
        told.append(
            f"{count('guest'):,} invoices name no customer: set aside as guest, for "
            "nobody can be followed from them"
        )
    if lines.fee_products:
        codes = ", ".join(lines.fee_products[:8])
        told.append(
            f"{codes} are taken as fees: {count('fee', 0):,} invoices of nothing else, "
            "and without a customer, are set aside as fee; of a customer they count"
        )
    if count("conflict"):
        told.append(
            f"{count('conflict'):,} invoices name several customers: they are refused"
        )
    domain.doubts.extend(told)


def _settings(proposal: Proposal, zone: str) -> dict[str, Any]:
    settings: dict[str, Any] = {"entities": list(proposal.domains)}
    if zone != "UTC":
        settings |= {"source_time_zone": zone, "business_time_zone": zone}
    elif _has_times_without_zone(proposal):
        proposal.doubts.append(
            "times that name no zone are taken to be UTC: say another with --time-zone"
        )
    main = proposal.domains.get("orders") or proposal.domains.get("events")
    if main and _knows_days_only(main, proposal.root):
        settings["last_day_is_complete"] = True
        proposal.doubts.append(
            "times are days, so the newest one is taken to be known to its end"
        )
    return settings


def _time(domain: Domain, root: Path) -> Choice | None:
    return domain.choices.get(contract(root)[domain.entity]["time"])


def _has_times_without_zone(proposal: Proposal) -> bool:
    for domain in proposal.domains.values():
        time = _time(domain, proposal.root)
        if time is None or time.reading.expression:
            continue
        if time.column.type == "TIMESTAMP WITH TIME ZONE":
            continue
        example = (time.column.common or ("",))[0]
        if not re.search(r"(Z|[-+][0-9]{2}(:?[0-9]{2})?)$", example[10:]):
            return True
    return False


def _knows_days_only(domain: Domain, root: Path) -> bool:
    time = _time(domain, root)
    if time is None or time.reading.expression:
        return False
    if time.column.type == "DATE":
        return True
    if time.reading.time_format:
        return "%H" not in time.reading.time_format
    return all(len(one) == 10 or one[10:] == " 00:00:00" for one in time.column.common)


def _history(proposal: Proposal) -> list[str]:
    told = []
    if "orders" in proposal.domains:
        told += _history_of_orders(proposal, proposal.domains["orders"])
    if "subscriptions" in proposal.domains:
        told += _history_of_subscriptions(
            proposal.domains["subscriptions"], proposal.root
        )
    if "orders" not in proposal.domains:
        told.append("without orders no value is expected of a customer so far")
    return told


def _history_of_orders(proposal: Proposal, domain: Domain) -> list[str]:
    choices, root = domain.choices, proposal.root
    settings = settings_catalogue(root)
    amount = line_amount(choices) if domain.lines else "amount"
    with _typed(domain, root) as connection:
        first, last, days, customers, repeating = connection.execute(
            f"""
            with bought as (
                select customer_id, cast(ordered_at as date) as day
                from typed
                where customer_id is not null and {amount} > 0
            ),
            per_customer as (
                select customer_id, count(distinct day) as days
                from bought group by customer_id
            )
            select
                (select min(day) from bought),
                (select max(day) from bought),
                (select date_diff('day', min(day), max(day)) + 1 from bought),
                (select count(*) from per_customer),
                (select count(*) from per_customer where days > 1)
            """
        ).fetchone()
    if days is None:
        return ["no customer bought anything: no score can be given"]
    told = [
        f"{days:,} days of orders, {first} to {last}, of {customers:,} customers, of "
        f"whom {repeating:,} bought on more than one day"
    ]
    least = settings["minimum_repeat_customers"]["default"]
    if repeating < least:
        told.append(
            f"fewer than {least} customers came back: no model is fitted, and scores "
            "are none or averages, as model_source and fit_status say"
        )
    for horizon in settings["horizons_days"]["default"]:
        if days <= horizon:
            told.append(
                f"{horizon} days ahead: the history is shorter than that, so nothing "
                "can be learned of it or judged by it"
            )
        elif days < 2 * horizon:
            told.append(
                f"{horizon} days ahead: a score is given, and no backtest can judge it "
                f"before there are {2 * horizon:,} days of history"
            )
    return told


def _history_of_subscriptions(domain: Domain, root: Path) -> list[str]:
    ended = "ended_at" if "ended_at" in domain.choices else "null"
    with _typed(domain, root) as connection:
        customers, ended_count = connection.execute(
            f"select count(distinct customer_id), count({ended}) from typed"
        ).fetchone()
    told = [f"{customers:,} customers subscribed, and {ended_count:,} periods ended"]
    if ended_count < LEAST_ENDED_PERIODS:
        told.append(
            f"fewer than {LEAST_ENDED_PERIODS} periods ended: too few to learn from "
            "who leaves"
        )
    return told
