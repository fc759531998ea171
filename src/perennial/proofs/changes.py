"""What a proof does to the delivered rows: another future, or none.

Every condition is written here anew from times alone, and takes nothing from the
macros that it is to prove.
"""

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

#: Facts that a row is given later, each with the columns that come with it. What
#: happened only after a date was not filled in on that date.
FILLED_IN_LATER = {
    "subscriptions": {"ended_at": ("cancel_reason", "is_voluntary")},
    "tickets": {"first_response_at": (), "resolved_at": ("csat",)},
    "touches": {"opened_at": (), "clicked_at": (), "redeemed_at": ()},
}

#: How many customers come in the future that a poisoned copy has.
FUTURE_CUSTOMERS = 1000

#: Words that the contract accepts, so that the other one is taken.
_OTHER_WORDS = {
    "kind": ("purchase", "refund"),
    "status": ("completed", "failed"),
}


@dataclass(frozen=True)
class Domain:
    """A delivered domain, as far as changes of its rows need to know it.

    Attributes
    ----------
    entity, key, time : str
        Its name, and those of its key and of the time at which a row happened.
    columns : dict
        Types of the contract's columns.
    seam : str
        Where its rows stand: a query, as one names it in a FROM.
    files : str
        The files that are read, likewise.
    zone : str
        In which days begin.
    readings : tuple of int
        Two numbers of files that are added: one that came in time, and one that came
        when the date had been scored.
    """

    entity: str
    key: str
    time: str
    columns: dict[str, str]
    seam: str
    files: str
    zone: str
    readings: tuple[int, int]

    def day(self, time: str) -> str:
        """Day on which a time of UTC lies."""
        return f"cast(timezone('{self.zone}', timezone('UTC', {time})) as date)"


#: Rows of a domain, as a query, in place of those that were delivered.
Change = Callable[[Domain, datetime.date], str]


def unchanged(domain: Domain, date: datetime.date) -> str:
    """All rows as they are."""
    return f"select * from {domain.seam}"


def truncated(domain: Domain, date: datetime.date) -> str:
    """Only what had happened and was known by the end of the date."""
    return f"""
select rows.* replace ({_not_filled_in_yet(domain, date)})
from {domain.seam} as rows
left join {domain.files} as files on rows.reading_id = files.reading_id
where {_is_known_by(domain, date)}
"""


def poisoned(domain: Domain, date: datetime.date) -> str:
    """Keep the past as it was, before a future that is absurd."""
    is_future = f"{domain.day('rows.' + domain.time)} > date '{date}'"
    later = _filled_in_otherwise(domain, date)
    spared = {domain.key, "customer_id", domain.time, *later}
    replaced = {
        column: f"case when {is_future} then {_absurd(column, kind)} "
        f"else {later.get(column, 'rows.' + column)} end as {column}"
        for column, kind in domain.columns.items()
        if column not in spared and kind != "timestamp"
    } | {column: f"{value} as {column}" for column, value in later.items()}
    return f"""
select rows.* replace ({", ".join(replaced.values())})
from {domain.seam} as rows
union all by name
{_future_rows(domain, date)}
"""


def told_late(domain: Domain, date: datetime.date) -> str:
    """More is told afterwards of what had happened by the date.

    Of one row in five a row of another key is told, half of them with a time of
    loading, half in a file that came when the date had been scored; of another one in
    five a version that says something else.
    """
    in_time, late = domain.readings
    other = ", ".join(
        f"{_absurd(column, kind)} as {column}"
        for column, kind in domain.columns.items()
        if column not in (domain.key, "customer_id", domain.time)
        and kind != "timestamp"
    )
    versions = f"""
select rows.* replace (
    {other + "," if other else ""}
    {_loaded(domain, date)} as loaded_at,
    {_place(domain, in_time)}
)
from past as rows
where draw in (0, 1)
"""
    customer = (
        ""
        if domain.key == "customer_id"
        else "case when number % 3 = 0 then rows.customer_id || ' told late' "
        "else rows.customer_id end as customer_id,"
    )
    others = f"""
select rows.* replace (
    {other + "," if other else ""}
    rows.{domain.key} || ' told late' as {domain.key},
    {customer}
    case when draw = 2 then {_loaded(domain, date)} end as loaded_at,
    {_place(domain, in_time, late)}
)
from past as rows
where draw in (2, 3)
"""
    return f"""
with past as (
    select
        rows.*,
        cast(hash(rows.{domain.key}, 'late') % 10 as integer) as draw,
        row_number() over (order by rows.{domain.key}, rows.source_file,
            rows.source_line) as number
    from {domain.seam} as rows
    left join {domain.files} as files on rows.reading_id = files.reading_id
    where
        {_is_known_by(domain, date)}
        and rows.row_fault is null
        and rows.exclude_reason is null
        and rows.{domain.key} is not null
        and rows.{domain.time} is not null
)
select * from {domain.seam}
union all by name
select * exclude (draw, number) from ({versions})
union all by name
select * exclude (draw, number) from ({others})
"""


def shuffled(domain: Domain, date: datetime.date) -> str:
    """Give the same rows in another order."""
    return f"select * from {domain.seam} order by hash({domain.key}, 'order')"


def recut(domain: Domain, date: datetime.date) -> str:
    """Give the same rows in other files: of those that came on one day, any one.

    A line of which another is a copy, or says something else, stays where it is.
    """
    return f"""
with places as (
    select
        *,
        row_number() over (
            partition by first_read_date, last_scored_date order by reading_id
        ) as place,
        count(*) over (partition by first_read_date, last_scored_date) as places_count
    from {domain.files}
    where reading_id in (select distinct reading_id from {domain.seam})
),
moved as (
    select
        rows.*,
        case
            when places.reading_id is not null and count(*) over (
                partition by rows.{domain.key}
            ) = 1
                then 1 + hash(rows.{domain.key}, 'file') % places.places_count
        end as new_place,
        places.first_read_date as read_date,
        places.last_scored_date as scored_date
    from {domain.seam} as rows
    left join places on rows.reading_id = places.reading_id
)
select moved.* exclude (new_place, read_date, scored_date) replace (
    coalesce(places.reading_id, moved.reading_id) as reading_id,
    coalesce(places.file_path, moved.file_path) as file_path,
    coalesce(places.source_file, moved.source_file) as source_file,
    coalesce(
        moved.source_line, 0
    ) + case when places.reading_id is null then 0 else 1000000 * moved.reading_id end
        as source_line
)
from moved
left join places
    on moved.new_place = places.place
    and moved.read_date = places.first_read_date
    and moved.scored_date is not distinct from places.last_scored_date
"""


def added_files(domain: Domain, date: datetime.date) -> str:
    """Rows of the list of files for those that a change adds."""
    in_time, late = domain.readings
    return f"""
select files.* replace (
    added.reading_id as reading_id,
    'added by a proof, ' || added.reading_id as file_path,
    'added by a proof, ' || added.reading_id as source_file,
    'parquet' as file_format,
    true as needs_care,
    greatest(files.first_read_date, date '{date}' + 400) as first_read_date,
    added.last_scored_date as last_scored_date
)
from (
    from {domain.files}
    where reading_id in (select distinct reading_id from {domain.seam})
    order by reading_id desc
    limit 1
) as files
cross join (
    values ({in_time}, cast(null as date)), ({late}, date '{date}')
) as added (reading_id, last_scored_date)
"""


def domain_of(entity: str, agreed: dict[str, Any], **places: Any) -> Domain:
    """Describe a domain by its part of the contract."""
    return Domain(entity, agreed["key"], agreed["time"], agreed["columns"], **places)


def _is_known_by(domain: Domain, date: datetime.date) -> str:
    happened = domain.day(f"rows.{domain.time}")
    loaded = domain.day("rows.loaded_at")
    return f"""(
        coalesce({happened} <= date '{date}', true)
        and coalesce({loaded} <= date '{date}', true)
        and (
            rows.loaded_at is not null
            or coalesce(files.last_scored_date < date '{date}', true)
        )
    )"""


def _not_filled_in_yet(domain: Domain, date: datetime.date) -> str:
    replaced = [f"rows.{domain.key} as {domain.key}"]
    for time, others in FILLED_IN_LATER.get(domain.entity, {}).items():
        is_later = f"{domain.day('rows.' + time)} > date '{date}'"
        replaced += [
            f"case when not coalesce({is_later}, false) then rows.{name} end as {name}"
            for name in (time, *others)
        ]
    return ", ".join(replaced)


def _filled_in_otherwise(domain: Domain, date: datetime.date) -> dict[str, str]:
    """Undo what happened after the date, and let happen what did not."""
    values = {}
    for time, others in FILLED_IN_LATER.get(domain.entity, {}).items():
        day = domain.day(f"rows.{time}")
        values[time] = (
            f"case when {day} > date '{date}' then null "
            f"when rows.{time} is null then greatest(rows.{domain.time}, "
            f"cast(date '{date}' + 2 as timestamp)) + to_days(cast(hash(rows."
            f"{domain.key}) % 20 as integer)) else rows.{time} end"
        )
        for name in others:
            values[name] = (
                f"case when {day} > date '{date}' then null "
                f"when rows.{time} is null and rows.{name} is null "
                f"then {_absurd(name, domain.columns[name], 'rows.')} "
                f"else rows.{name} end"
            )
    return values


def _absurd(column: str, kind: str, side: str = "rows.") -> str:
    name = f"{side}{column}"
    if column in _OTHER_WORDS:
        one, other = _OTHER_WORDS[column]
        return f"case when {name} = '{other}' then '{one}' else '{other}' end"
    if kind == "varchar":
        return "'poison'"
    if kind == "boolean":
        return f"not coalesce({name}, false)"
    if column == "birth_year":
        return "1901"
    if column == "csat":
        return f"cast(1 as {kind})"
    times = f"try_cast({name} * 1000000 as {kind})"
    return f"cast(coalesce({times}, {name}, 999999) as {kind})"


def _future_rows(domain: Domain, date: datetime.date) -> str:
    """Rows of customers who come after the date, a few each."""
    in_time, _ = domain.readings
    values = {
        domain.key: f"'future ' || number || ' ' || step || ' {domain.entity}'",
        "customer_id": "'future ' || number",
        domain.time: f"cast(date '{date}' + cast(1 + (number * 7 + step) % 40 as "
        "integer) as timestamp) + interval 12 hour",
        "source_line": "number * 10 + step",
    }
    for column, kind in domain.columns.items():
        if column not in values and column not in _OTHER_WORDS:
            values[column] = {
                "varchar": "'poison'",
                "boolean": "true",
                "timestamp": "cast(null as timestamp)",
            }.get(kind, f"cast(999 as {kind})")
    for column, (word, _) in _OTHER_WORDS.items():
        if column in domain.columns:
            values[column] = f"'{word}'"
    if domain.entity == "customers":
        values["customer_id"] = "'future ' || number"
    steps = 1 if domain.entity in ("customers", "subscriptions") else 3
    listed = ",\n    ".join(f"{value} as {name}" for name, value in values.items())
    return f"""
select {listed},
    case when seam.reading_id is not null then {in_time} end as reading_id,
    case when seam.reading_id is not null then 'added by a proof, {in_time}' end
        as file_path,
    'added by a proof, {in_time}' as source_file,
    1 as source_lines_count
from range({FUTURE_CUSTOMERS}) as numbers (number)
cross join range({steps}) as steps (step)
cross join (select max(reading_id) as reading_id from {domain.seam}) as seam
"""


def _loaded(domain: Domain, date: datetime.date) -> str:
    """When it was told: one to forty days after the date."""
    return (
        f"cast(date '{date}' + cast(1 + hash(rows.{domain.key}, 'day') % 40 as integer)"
        " as timestamp) + interval 12 hour"
    )


def _place(domain: Domain, in_time: int, late: int | None = None) -> str:
    reading = (
        f"case when rows.reading_id is null then null when draw = 3 then {late} "
        f"else {in_time} end"
        if late
        else f"case when rows.reading_id is not null then {in_time} end"
    )
    return f"""{reading} as reading_id,
    'added by a proof, ' || ({reading}) as file_path,
    coalesce('added by a proof, ' || ({reading}), rows.source_file) as source_file,
    number + case when draw < 2 then 0 else 500000000 end as source_line"""
