"""Raw files as the company's systems would drop them: by domain and month."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pandas as pd

from perennial.company import records
from perennial.company.behaviour import CHANNELS, COUNTRIES, PLANS, SEGMENTS
from perennial.company.dirt import Planted, plant_in_events, plant_in_text
from perennial.company.records import (
    CANCEL_REASONS,
    EVENT_MODULES,
    EVENT_NAMES,
    PRODUCTS,
    SECONDS_PER_DAY,
    TOPICS,
    Company,
)

#: From this month before the end on, letters have a subject.
MONTHS_WITH_SUBJECT = 12

_CSV = "format csv, header true, timestampformat '%Y-%m-%d %H:%M:%S'"
_JSON = "format json, timestampformat '%Y-%m-%d %H:%M:%S'"
_PARQUET = "format parquet, compression zstd"

_of_worker = threading.local()


def customer_id(number: str) -> str:
    """Give SQL of a customer's id."""
    return f"'c' || lpad(cast({number} + 1 as varchar), 7, '0')"


def write_customers(company: Company, month: int, folder: Path) -> list[Planted]:
    """Write who signed up in the month, as CSV."""
    id_of = customer_id("customer")
    query = f"""
        select
            {id_of} as customer_id,
            {_time("signed_up", company)} as signed_up_at,
            {_named("country", COUNTRIES)} as country,
            {_named("channel", CHANNELS)} as channel,
            {_named("segment", SEGMENTS)} as company_size,
            case when birth_year >= 0 then birth_year end as birth_year,
            {id_of} || '@example.com' as email
        from rows
        order by signed_up, customer
    """
    return _write_text(company, "customers", month, folder, "csv", query)


def write_orders(company: Company, month: int, folder: Path) -> list[Planted]:
    """Write orders that became known in the month, as CSV."""
    frames = [records.orders(company, m) for m in (month - 1, month) if m >= 0]
    start, end = company.calendar.month_starts[month : month + 2] * SECONDS_PER_DAY
    rows = pd.concat(frames, ignore_index=True)
    rows = rows[(rows["delivered"] >= start) & (rows["delivered"] < end)]
    names = company.calendar.names
    months = [name.replace("-", "") for name in names[: month + 1]]
    query = f"""
        select
            case when is_refund then 'r' when product = {len(PRODUCTS) - 1} then 'f'
                else 'o' end
                || {_named("month", months)} || '-'
                || lpad(cast(number as varchar), 7, '0') as order_number,
            {customer_id("customer")} as customer_id,
            {_time("ordered", company)} as ordered_at,
            cast(cents / 100 as decimal(18, 2)) as amount,
            case when is_refund then 'refund' else 'purchase' end as type,
            {_named("product", PRODUCTS)} as product,
            case when is_failed then 'failed' else 'paid' end as payment_status,
            {_time("recorded", company)} as recorded_at
        from rows
        order by delivered, order_number
    """
    return _write_text(company, "orders", month, folder, "csv", query, rows)


def write_subscriptions(company: Company, month: int, folder: Path) -> list[Planted]:
    """Write what changed in subscriptions in the month, as JSON lines."""
    query = f"""
        select
            's' || lpad(cast(customer + 1 as varchar), 7, '0') || '-' || period
                as subscription_id,
            {customer_id("customer")} as customer_id,
            {_time("started", company)} as started_at,
            {_named("plan", PLANS)} as plan,
            case when is_yearly then 'yearly' else 'monthly' end as term,
            cast(price_cents / 100 as decimal(18, 2)) as monthly_price,
            cast(discount_cents / 100 as decimal(18, 2)) as monthly_discount,
            {_time("contract_end", company)} as contract_ends_at,
            {_time("ended", company)} as ended_at,
            {_named("reason", CANCEL_REASONS)} as cancel_reason,
            case when is_voluntary >= 0 then is_voluntary = 1 end as is_voluntary,
            {_time("changed", company)} as changed_at
        from rows
        order by changed, customer, period
    """
    return _write_text(company, "subscriptions", month, folder, "jsonl", query)


def write_events(company: Company, month: int, folder: Path) -> list[Planted]:
    """Write usage as Parquet: what came at once, and what came in the next month."""
    rows = records.events(company, month)
    name = company.calendar.names[month]
    next_month = company.calendar.month_starts[month + 1] * SECONDS_PER_DAY
    tag = name.replace("-", "")
    query = f"""
        select
            'e{tag}-' || lpad(cast(number as varchar), 9, '0') as event_id,
            {customer_id("customer")} as customer_id,
            {_time("occurred", company)} as occurred_at,
            {_named("name", EVENT_NAMES)} as event_name,
            's{tag}-' || lpad(cast(session as varchar), 8, '0') as session_id,
            cast(duration as bigint) as duration_seconds,
            {_named("name", EVENT_MODULES)} as module,
            {_time("synced", company)} as synced_at
        from rows
        order by number
    """
    is_next = rows["synced"] >= next_month
    planted = []
    parts = {f"events_{name}.parquet": rows[~is_next]}
    if is_next.any():
        late_name = company.calendar.names[month + 1]
        parts[f"events_{late_name}_offline.parquet"] = rows[is_next]
    for file, part in parts.items():
        path = folder / "events" / file
        with _single_thread() as connection:
            connection.register("rows", part)
            connection.execute(f"create or replace table delivered as {query}")
            if "offline" not in file:
                planted += plant_in_events(company, month, file, connection)
            # a whole month is a few row groups; each of a size of its own
            connection.execute(
                f"copy (from delivered) to '{_quoted(path)}' ({_PARQUET})"
            )
    return planted


def write_tickets(company: Company, month: int, folder: Path) -> list[Planted]:
    """Write tickets opened in the month, as JSON lines."""
    tag = company.calendar.names[month].replace("-", "")
    query = f"""
        select
            't{tag}-' || lpad(cast(number as varchar), 6, '0') as ticket_id,
            {customer_id("customer")} as customer_id,
            {_time("opened", company)} as opened_at,
            {_named("topic", TOPICS)} as topic,
            {_time("responded", company)} as first_response_at,
            {_time("resolved", company)} as resolved_at,
            case when csat >= 0 then csat end as csat
        from rows
        order by number
    """
    return _write_text(company, "tickets", month, folder, "jsonl", query)


def write_touches(company: Company, month: int, folder: Path) -> list[Planted]:
    """Write letters and campaigns of the month, as CSV."""
    name = company.calendar.names[month]
    has_subject = month >= company.calendar.months - MONTHS_WITH_SUBJECT
    subject = f"""
        case when is_campaign then 'Learn it in an hour' else 'News of {name}' end
            as subject,
    """
    query = f"""
        select
            'm{name.replace("-", "")}-' || lpad(cast(number as varchar), 7, '0')
                as touch_id,
            {customer_id("customer")} as customer_id,
            {_time("sent", company)} as sent_at,
            case when is_campaign then 'campaign-' else 'letter-' end || '{name}'
                as campaign,
            'email' as channel,
            {subject if has_subject else ""}
            is_control,
            {_time("opened", company)} as opened_at,
            {_time("clicked", company)} as clicked_at,
            {_time("redeemed", company)} as redeemed_at,
            case when is_campaign then 'free training' end as offer
        from rows
        order by number
    """
    return _write_text(company, "touches", month, folder, "csv", query)


#: By domain, what writes a month of it; the longest work first.
WRITERS: dict[str, Callable[[Company, int, Path], list[Planted]]] = {
    "events": write_events,
    "touches": write_touches,
    "orders": write_orders,
    "subscriptions": write_subscriptions,
    "tickets": write_tickets,
    "customers": write_customers,
}


def write_table(frame: pd.DataFrame, path: Path, query: str = "from rows") -> None:
    """Write a frame as Parquet, by one thread, so that its bytes are the same."""
    with _single_thread() as connection:
        connection.register("rows", frame)
        connection.execute(f"copy ({query}) to '{_quoted(path)}' ({_PARQUET})")


def _write_text(
    company: Company,
    domain: str,
    month: int,
    folder: Path,
    ending: str,
    query: str,
    rows: pd.DataFrame | None = None,
) -> list[Planted]:
    if rows is None:
        rows = getattr(records, domain)(company, month)
    if rows.empty and ending == "jsonl":  # of zero bytes, which no reader takes
        return []
    path = folder / domain / f"{domain}_{company.calendar.names[month]}.{ending}"
    with _single_thread() as connection:
        connection.register("rows", rows)
        options = _CSV if ending == "csv" else _JSON
        connection.execute(f"copy ({query}) to '{_quoted(path)}' ({options})")
    return plant_in_text(company, domain, month, path)


@contextmanager
def _single_thread() -> Iterator[duckdb.DuckDBPyConnection]:
    """Give the engine to one worker: with a thread of its own, the order is one too."""
    if not hasattr(_of_worker, "connection"):
        _of_worker.connection = duckdb.connect(config={"threads": 1})
    try:
        yield _of_worker.connection
    finally:
        _of_worker.connection.unregister("rows")


def _time(column: str, company: Company) -> str:
    """Give SQL of a time, from seconds since the first day; NULL if there is none."""
    first = company.calendar.first_day
    return (
        f"case when {column} >= 0 "
        f"then timestamp '{first}' + to_seconds(cast({column} as bigint)) end"
    )


def _named(column: str, names: tuple[str, ...] | list[str]) -> str:
    """Give SQL of the name at a place; NULL where there is none."""
    listed = ", ".join(f"'{name}'" for name in names)
    return f"case when {column} >= 0 then ([{listed}])[{column} + 1] end"


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
