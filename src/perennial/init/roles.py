"""Which column plays which role of the input contract, and how sure that is."""

from dataclasses import dataclass, field, replace
from typing import Any

from perennial.init.inspection import Column, RawTable, words

#: Names that a column of each role goes by, the likeliest first.
NAMES: dict[str, dict[str, tuple[str, ...]]] = {
    "customers": {
        "customer_id": (
            *("customer_id", "id", "customer", "customer_no", "customer_number"),
            *("client_id", "account_id", "user_id", "member_id", "contact_id"),
        ),
        "signed_up_at": (
            *("signed_up_at", "signup_date", "sign_up_date", "signup_at"),
            *("registered_at", "registration_date", "created_at", "created"),
            *("created_date", "joined_at", "customer_since"),
        ),
        "country": ("country", "country_code", "address_country", "billing_country"),
        "acquisition_channel": (
            *("acquisition_channel", "channel", "source", "utm_source"),
            *("referrer", "lead_source"),
        ),
        "segment": ("segment", "customer_segment", "company_size", "tier", "industry"),
        "birth_year": ("birth_year", "year_of_birth"),
        "email": ("email", "e_mail", "email_address", "mail"),
    },
    "orders": {
        "order_id": (
            *("order_id", "invoice", "invoice_id", "invoice_no", "invoice_number"),
            *("order_no", "order_number", "order", "charge_id", "payment_id"),
            *("transaction_id", "receipt_id", "id"),
        ),
        "customer_id": (
            *("customer_id", "customer", "customer_no", "customer_number", "client_id"),
            *("account_id", "user_id", "member_id", "buyer_id", "shopper_id"),
        ),
        "ordered_at": (
            *("ordered_at", "order_date", "invoice_date", "order_time", "paid_at"),
            *("purchased_at", "purchase_date", "transaction_date", "payment_date"),
            *("created_at", "created", "date", "timestamp", "datetime", "time", "day"),
        ),
        "amount": (
            *("amount", "total", "order_amount", "total_amount", "order_total"),
            *("grand_total", "total_price", "net_amount", "amount_paid", "revenue"),
            *("line_total", "line_amount", "sales", "value", "dollar_value", "spend"),
            *("amount_cents", "total_cents", "amount_in_cents", "gross_amount"),
        ),
        "kind": ("kind", "type", "transaction_type", "order_type"),
        "category": ("category", "product_category", "product", "department"),
        "currency": ("currency", "currency_code"),
        "status": (
            *("status", "payment_status", "order_status", "financial_status", "state"),
        ),
    },
    "subscriptions": {
        "subscription_id": ("subscription_id", "subscription", "contract_id", "id"),
        "customer_id": (
            *("customer_id", "customer", "customer_no", "client_id", "account_id"),
            *("user_id", "member_id"),
        ),
        "started_at": (
            *("started_at", "start_date", "start", "subscribed_at", "begins_at"),
            *("created_at", "created", "activated_at", "from_date"),
        ),
        "plan": ("plan", "plan_name", "plan_id", "product", "price_id", "tier"),
        "mrr": (
            *("mrr", "monthly_price", "monthly_amount", "monthly_fee", "plan_amount"),
            *("price", "amount", "mrr_cents", "amount_cents"),
        ),
        "discount_amount": ("discount_amount", "monthly_discount", "discount"),
        "ended_at": (
            *("ended_at", "end_date", "end", "ends_at", "canceled_at", "cancelled_at"),
            *("churned_at", "terminated_at", "to_date"),
        ),
        "contract_ends_at": (
            *("contract_ends_at", "contract_end", "current_period_end", "renews_at"),
        ),
        "cancel_reason": (*("cancel_reason", "cancellation_reason", "churn_reason"),),
        "is_voluntary": ("is_voluntary", "voluntary"),
    },
    "events": {
        "event_id": ("event_id", "id", "uuid", "message_id", "insert_id"),
        "customer_id": (
            *("customer_id", "customer", "user_id", "account_id", "client_id"),
            *("member_id", "distinct_id"),
        ),
        "occurred_at": (
            *("occurred_at", "event_time", "timestamp", "event_timestamp", "time"),
            *("created_at", "created", "datetime", "date"),
        ),
        "event_name": ("event_name", "event", "event_type", "action", "name", "type"),
        "session_id": ("session_id", "session", "visit_id"),
        "duration_seconds": ("duration_seconds", "duration", "seconds"),
        "module": ("module", "feature", "screen", "page", "area"),
    },
    "tickets": {
        "ticket_id": ("ticket_id", "ticket", "case_id", "issue_id", "id"),
        "customer_id": (
            *("customer_id", "customer", "user_id", "account_id", "requester_id"),
            *("client_id",),
        ),
        "opened_at": ("opened_at", "created_at", "created", "submitted_at", "date"),
        "category": ("category", "topic", "type", "subject", "reason"),
        "first_response_at": (
            *("first_response_at", "first_reply_at", "first_replied_at"),
        ),
        "resolved_at": ("resolved_at", "solved_at", "closed_at"),
        "csat": ("csat", "satisfaction", "rating", "satisfaction_score"),
    },
    "touches": {
        "touch_id": ("touch_id", "message_id", "send_id", "id"),
        "customer_id": (
            *("customer_id", "customer", "user_id", "contact_id", "recipient_id"),
        ),
        "sent_at": ("sent_at", "sent", "send_time", "delivered_at", "created_at"),
        "campaign_id": ("campaign_id", "campaign", "campaign_name"),
        "channel": ("channel", "medium", "type"),
        "is_control": ("is_control", "control", "holdout", "control_group"),
        "opened_at": ("opened_at", "open_time"),
        "clicked_at": ("clicked_at", "click_time"),
        "redeemed_at": ("redeemed_at", "converted_at"),
        "offer": ("offer", "coupon", "promotion", "discount"),
    },
}

#: Roles beside those of the contract: when a row became known, and what makes an order
#: of the lines of an invoice.
EXTRA_NAMES: dict[str, dict[str, tuple[str, ...]]] = {
    "*": {"loaded_at": ("loaded_at",)},
    "orders": {
        "quantity": ("quantity", "qty", "units", "item_quantity", "count"),
        "price": ("price", "unit_price", "item_price", "price_each", "unit_cost"),
        "product": (
            *("stock_code", "product_id", "product_code", "sku", "item_id", "item"),
            *("article", "article_no"),
        ),
        "product_name": ("description", "product_name", "item_name", "title"),
    },
}

EXTRA_TYPES = {
    "loaded_at": "timestamp",
    "quantity": "quantity",
    "price": "price",
    "product": "varchar",
    "product_name": "varchar",
}

#: Roles that are empty for most customers, and rightly so.
OFTEN_EMPTY = {
    *("ended_at", "contract_ends_at", "cancel_reason", "is_voluntary", "resolved_at"),
    *("discount_amount", "first_response_at", "csat", "opened_at", "clicked_at"),
    *("redeemed_at", "offer", "loaded_at", "session_id", "duration_seconds", "module"),
}

#: Another candidate within so much of the best one is told.
CLOSE_SCORES = 0.15

#: Below this share of values that parse, a column cannot play a role.
LEAST_SHARE = 0.5

#: Forms of money as text: whether a comma is the decimal point, and what is told.
_MONEY_TEXT = {
    "thousands": (False, "commas between thousands, which are taken out"),
    "decimal_comma": (True, "a decimal comma, which is read as a point"),
    "money_sign": (False, "a currency sign, which is taken out"),
    "money_sign_decimal_comma": (
        True,
        "a currency sign, which is taken out, and a decimal comma",
    ),
}


@dataclass(frozen=True)
class Reading:
    """How a column's values become those of a role.

    Attributes
    ----------
    data_type : str
        What the source declares.
    share : float
        Share of the values that parse.
    time_format : str or None
    expression : str or None
        SQL in the staging model, with ``{column}`` in it, and perhaps a macro; None to
        take it as it is.
    number : str or None
        The same for a look at the raw table alone, where it is a number.
    doubts : tuple of str
    """

    data_type: str
    share: float
    time_format: str | None = None
    expression: str | None = None
    number: str | None = None
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Choice:
    """A column for a role.

    Attributes
    ----------
    role : str
    column : Column
    score : float
        From 0 to 1, by name and by content.
    reading : Reading
    doubts : tuple of str
        What a person should look at, in words.
    is_chosen_by_hand : bool
    """

    role: str
    column: Column
    score: float
    reading: Reading
    doubts: tuple[str, ...] = ()
    is_chosen_by_hand: bool = False


@dataclass
class Roles:
    """The columns of one table, and the roles they are proposed for.

    Attributes
    ----------
    entity : str
    table : RawTable
    choices : dict of str to Choice
        By role.
    refused : dict of str to str
        Roles for which a column has the name but not the content, in words.
    """

    entity: str
    table: RawTable
    choices: dict[str, Choice] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)

    @property
    def doubts(self) -> list[str]:
        """Doubts of all choices, and names that promised more than they hold."""
        told = [doubt for one in self.choices.values() for doubt in one.doubts]
        return told + list(self.refused.values())

    @property
    def unused(self) -> list[str]:
        """Names of columns that play no role."""
        used = {one.column.name for one in self.choices.values()}
        return [one.name for one in self.table.columns if one.name not in used]


def role_types(entity: str, columns: dict[str, str]) -> dict[str, str]:
    """Types of every role of a domain: those of the contract, and the extra ones."""
    extra = {**EXTRA_NAMES["*"], **EXTRA_NAMES.get(entity, {})}
    return {**columns, **{role: EXTRA_TYPES[role] for role in extra}}


def assign(entity: str, table: RawTable, agreed: dict[str, Any]) -> Roles:
    """Propose a column for each role of a domain, each column for one role at most.

    Parameters
    ----------
    entity : str
    table : RawTable
    agreed : dict
        What the contract says of the domain.
    """
    types = role_types(entity, agreed["columns"])
    names = {**NAMES[entity], **EXTRA_NAMES["*"], **EXTRA_NAMES.get(entity, {})}
    is_in_cents = looks_like_cents(table)
    roles = Roles(entity, table)
    scored: list[tuple[float, float, str, Column, Reading]] = []
    for role, type_ in types.items():
        for column in table.columns:
            name_score = _name_score(column, names[role])
            reading = read_as(column, type_, is_in_cents)
            if not name_score or not column.values_count:
                continue
            if reading.share < LEAST_SHARE:
                told = _misnamed(role, type_, column, reading)
                roles.refused.setdefault(role, told)
            else:
                score = 0.7 * name_score + 0.3 * reading.share * column.filled_share
                scored.append((round(score, 3), name_score, role, column, reading))
    scored.sort(key=lambda one: -one[0])
    used: set[str] = set()
    for score, _, role, column, reading in scored:
        if role not in roles.choices and column.name not in used:
            used.add(column.name)
            roles.choices[role] = Choice(role, column, score, reading)
    _by_content_alone(roles, agreed, types, used, is_in_cents)
    for role in roles.choices:
        roles.refused.pop(role, None)
    required = set(agreed["required"])
    for role, choice in roles.choices.items():
        rivals = [
            (other, score)
            for score, name_score, other_role, other, _ in scored
            if other_role == role
            and other.name != choice.column.name
            and name_score >= 0.55
            and choice.score - score <= CLOSE_SCORES
            and other.name not in used
        ]
        roles.choices[role] = with_doubts(choice, rivals, entity, role in required)
    roles.choices = {
        role: roles.choices[role] for role in types if role in roles.choices
    }
    return roles


def choose(
    roles: Roles, role: str, column: Column, type_: str, is_in_cents: bool
) -> Roles:
    """Give a role to a column that a person chose.

    Raises
    ------
    ValueError
        If the values of the column cannot be of the role's type; with a sentence.
    """
    reading = read_as(column, type_, is_in_cents)
    if reading.share < LEAST_SHARE:
        raise ValueError(_misnamed(role, type_, column, reading))
    choices = {
        other: one
        for other, one in roles.choices.items()
        if one.column.name != column.name or other == role
    }
    choice = Choice(role, column, 1.0, reading, is_chosen_by_hand=True)
    choices[role] = with_doubts(choice, [], roles.entity, role not in OFTEN_EMPTY)
    refused = {one: told for one, told in roles.refused.items() if one != role}
    return replace(roles, choices=choices, refused=refused)


def looks_like_cents(table: RawTable) -> bool:
    """Whether a table is of a payment service: epoch times, and whole amounts."""
    return any(
        column.shares.get("epoch_seconds", 0) >= 0.95
        and words(column.name).split("_")[0] in ("created", "start", "period", "paid")
        for column in table.columns
    )


def _name_score(column: Column, names: tuple[str, ...]) -> float:
    name = words(column.name)
    plain = name.replace("_", "")
    for rank, known in enumerate(names):
        if name == known or plain == known.replace("_", ""):
            return 1.0 - 0.02 * rank
    for rank, known in enumerate(names):
        if known != "id" and name.endswith(f"_{known}"):
            return 0.65 - 0.02 * rank
    return 0.0


def _by_content_alone(
    roles: Roles,
    agreed: dict[str, Any],
    types: dict[str, str],
    used: set[str],
    is_in_cents: bool,
) -> None:
    """For a required time or amount without a name, take the only column that fits."""
    for role in agreed["required"]:
        if role in roles.choices or types[role] == "varchar":
            continue
        fitting = []
        for column in roles.table.columns:
            reading = read_as(column, types[role], is_in_cents)
            is_time = types[role] == "timestamp"
            if (
                column.name not in used
                and reading.share >= 0.95
                and column.filled_share >= 0.5
                and (is_time or column.longest_fraction in (1, 2))
            ):
                fitting.append((column, reading))
        if len(fitting) == 1:
            column, reading = fitting[0]
            used.add(column.name)
            told = (
                f"{column.name} is taken as {role} by what it holds alone: its name "
                "says nothing of it"
            )
            reading = replace(reading, doubts=(*reading.doubts, told))
            roles.choices[role] = Choice(role, column, 0.3, reading)
        elif fitting:
            several = " or ".join(column.name for column, _ in fitting[:4])
            roles.refused[role] = (
                f"{role} could be {several}: no name says which, so none is taken"
            )


def with_doubts(
    choice: Choice,
    rivals: list[tuple[Column, float]],
    entity: str,
    is_required: bool,
) -> Choice:
    """Add to a choice what a person should look at."""
    column, role, reading = choice.column, choice.role, choice.reading
    told = list(reading.doubts)
    if rivals:
        others = ", ".join(f"{other.name} ({score:.2f})" for other, score in rivals[:3])
        told.append(
            f"{role} is {column.name} ({choice.score:.2f}), and could be {others}"
        )
    if reading.share < 1:
        is_few = reading.share >= 0.9995
        share = "a few" if is_few else f"{1 - reading.share:.1%}"
        told.append(
            f"{share} of the values of {column.name} are no {_noun(reading)}: their "
            "rows will be refused"
        )
    if column.filled_share < 1 and (
        is_required or (column.filled_share <= 0.5 and role not in OFTEN_EMPTY)
    ):
        what = "half empty" if 0.4 <= column.filled_share <= 0.6 else "not always there"
        told.append(
            f"{column.name} is {what}: {1 - column.filled_share:.1%} of the rows have "
            f"no {role}"
        )
    if (
        role.endswith("_id")
        and column.common
        and all(value.endswith(".0") for value in column.common)
    ):
        told.append(
            f"{column.name} holds ids that end in .0, as a tool writes that took them "
            "for numbers: another table may have them without"
        )
    return replace(choice, doubts=tuple(told))


def _noun(reading: Reading) -> str:
    if reading.time_format or reading.data_type == "timestamp":
        return "time"
    if reading.number:
        return "amount"
    return {"boolean": "yes or no"}.get(reading.data_type, "number")


def _misnamed(role: str, type_: str, column: Column, reading: Reading) -> str:
    noun = {"timestamp": "time", "boolean": "yes or no", "varchar": "text"}
    what = noun.get(type_, "number")
    example = f", for instance {column.common[0][:30]!r}" if column.common else ""
    return (
        f"{column.name} is called like {role}, but {reading.share:.0%} of its values "
        f"are a {what} that can be read{example}"
    )


def read_as(column: Column, type_: str, is_in_cents: bool = False) -> Reading:
    """Say how a column's values would be read as a type of the contract.

    Parameters
    ----------
    column : Column
    type_ : str
        As the contract has it, or ``quantity`` or ``price``.
    is_in_cents : bool
        Whether whole amounts of the table are hundredths.
    """
    if type_ == "varchar":
        return Reading("varchar", 1.0)
    if type_ == "timestamp":
        return _as_time(column)
    if type_ == "boolean":
        share = 1.0 if column.type == "BOOLEAN" else column.shares.get("boolean", 0)
        return Reading("boolean", share)
    if type_ in ("integer", "bigint"):
        return Reading(type_, column.shares.get("integer", 0))
    if type_ == "quantity":
        scale = min(column.longest_fraction, 3)
        data_type = f"decimal(18, {scale})" if scale else "bigint"
        return Reading(data_type, column.shares.get("decimal", 0), number="{column}")
    if type_ == "price":
        return _as_decimal(column, max(2, min(column.longest_fraction, 4)), False)
    return _as_decimal(column, 2, type_ == "decimal(18, 2)" and is_in_cents)


def _as_time(column: Column) -> Reading:
    if column.is_time:
        return Reading("timestamp", 1.0)
    formats = column.time_formats
    if formats:
        doubts = ()
        other = next((one for one in formats[1:] if one[:2] != formats[0][:2]), None)
        if other:
            doubts = (
                f"{column.name} reads as {formats[0]} and as {other} alike: the first "
                "is taken, look at a day after the 12th",
            )
        return Reading(
            "timestamp", column.shares[formats[0]], formats[0], doubts=doubts
        )
    for unit, factor in (("seconds", "1000000"), ("milliseconds", "1000")):
        share = column.shares.get(f"epoch_{unit}", 0)
        if share >= 0.95:
            return Reading(
                "bigint",
                share,
                expression=f"make_timestamp({{column}} * {factor})",
                doubts=(f"{column.name} is read as {unit} since 1970, in UTC",),
            )
    return Reading("timestamp", column.shares.get("iso_time", 0))


def _as_decimal(column: Column, scale: int, is_in_cents: bool) -> Reading:
    name, shares = column.name, column.shares
    plain = shares.get("decimal", 0)
    says_cents = any(one in ("cents", "minor") for one in words(name).split("_"))
    if (is_in_cents or says_cents) and shares.get("integer", 0) >= 0.95:
        return Reading(
            "bigint",
            shares["integer"],
            expression="cast({column} * 0.01 as decimal(18, 2))",
            number="{column} * 0.01",
            doubts=(
                f"{name} is read as hundredths (cents): {column.common[0]} is "
                f"{_hundredth(column.common[0])}. A currency without cents, as JPY, "
                "would be wrong by that",
            ),
        )
    if plain >= LEAST_SHARE:
        return _as_plain_decimal(column, scale, plain)
    for form, (is_comma_decimal, told) in _MONEY_TEXT.items():
        share = shares.get(form, 0)
        if share >= LEAST_SHARE:
            doubt = f"{name} has {told}, as in {_longest(column)}"
            if form == "thousands" and shares.get("decimal_comma", 0) >= 0.95:
                doubt = (
                    f"{name} has commas, as in {_longest(column)}, that may stand "
                    "between thousands or before decimals: the former is taken"
                )
            comma = ", decimal_comma=true" if is_comma_decimal else ""
            call = f"plain_number('{{column}}'{comma})"
            parsed = (
                f"parsed_money({call})"
                if scale == 2
                else f"parsed_decimal({call}, 18, {scale})"
            )
            return Reading(
                "varchar",
                share,
                expression=f"{{{{ {parsed} }}}}",
                number=f"{{{{ {call} }}}}",
                doubts=(doubt,),
            )
    return Reading(f"decimal(18, {scale})", plain)


def _as_plain_decimal(column: Column, scale: int, share: float) -> Reading:
    fraction = column.longest_fraction
    if fraction <= scale:
        doubts = ()
        is_whole = column.shares.get("integer", 0) == 1 and scale == 2
        if is_whole and column.values_count >= 20 and _is_large(column):
            doubts = (
                f"{column.name} holds whole numbers alone: if they are cents, say "
                f"so with {column.name}:cents",
            )
        return Reading(f"decimal(18, {scale})", share, number="{column}", doubts=doubts)
    declared = f"decimal(18, {fraction})" if fraction <= 6 else "double"
    exact = "{column}" if fraction <= 6 else "cast({column} as decimal(18, 6))"
    return Reading(
        declared,
        share,
        expression=f"cast(round({exact}, {scale}) as decimal(18, {scale}))",
        number="{column}",
        doubts=(
            f"{column.name} has up to {fraction} digits after the point: they are "
            f"rounded to {scale}",
        ),
    )


def _is_large(column: Column) -> bool:
    numbers = [float(one) for one in column.common if one.lstrip("+-").isdigit()]
    return bool(numbers) and sorted(numbers)[len(numbers) // 2] >= 100


def _hundredth(text: str) -> str:
    return f"{int(text) / 100:,.2f}"


def _longest(column: Column) -> str:
    return repr(max(column.common, key=len)[:30])
