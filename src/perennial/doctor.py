"""What became of the raw data: one page on a working file, after a build."""

import datetime
from dataclasses import dataclass, field

import duckdb

from perennial.faults import Fault
from perennial.macros import contract
from perennial.project import Project

_COVERAGE = """
select
    entity,
    lines_count,
    accepted_lines_count,
    excluded_lines_count,
    refused_lines_count,
    empty_columns
from input.input_coverage
where is_delivered
order by lines_count desc, entity
"""

_MISSING = """
select entity, absence_costs from input.input_coverage
where not is_delivered
order by entity
"""

_UNUSED = """
select
    what,
    entity,
    reason,
    sum(source_lines_count) as lines_count,
    min_by(
        source_file || coalesce(', line ' || source_line, ''),
        row(source_file, source_line)
    ) as example
from (
    select
        'refused' as what, entity, reject_reason as reason, source_file, source_line,
        source_lines_count
    from input.quarantine
    union all
    select
        'set aside' as what, entity, exclude_reason as reason, source_file,
        source_line, source_lines_count
    from input.excluded_rows
)
group by what, entity, reason
order by what, entity, lines_count desc, reason
"""

_FILES = """
select
    source_table,
    count(*) filter (where file_status <> 'copy') as readings_count,
    count(*) filter (where file_status = 'copy') as copies_count,
    count(*) filter (where file_status = 'replaced') as replaced_count,
    max(first_read_date) as last_read_date
from reading.files_read
group by source_table
order by source_table
"""

_HISTORY = """
with days as (
    select
        cast(timezone($zone, timezone('UTC', {time})) as date) as day,
        count(*) as rows_count,
        count(*) filter (
            where known_date > cast(timezone($zone, timezone('UTC', {time})) as date)
        ) as late_count
    from input.input_{entity}
    where {time} is not null
    group by day
),
neighbours as (
    select *, lag(day) over (order by day) as day_before from days
)
select
    min(day) as first_date,
    max(day) as last_date,
    count(*) as days_count,
    cast(sum(late_count) as bigint) as late_count,
    max_by(day_before, day - day_before) as gap_begins,
    max(day - day_before) - 1 as gap_days
from neighbours
"""

_ODDITIES = """
select
    (select count(*) from input.input_customers where is_orphan) as orphans_count,
    (select count(distinct customer_id) from input.input_customers) as customers_count,
    (select max(score_date) from intermediate.int_score_date) as score_date,
    (select count(*) from reading.schema_changes) as changes_count,
    (select max(business_time_zone) from reading.int_declared_files) as zone
"""

_IS_DEFINED = """
select count(*) = 2 from duckdb_tables()
where
    (schema_name, table_name) in
    (('marts', 'churn_definition'), ('intermediate', 'int_settings'))
"""

#: Of each kind the suggested window, or any one where none is.
_SUGGESTIONS = """
select
    definition.activity_kind,
    definition.window_days,
    definition.suggestion_reason,
    definition.gap_q90_days,
    definition.silences_count,
    definition.return_rate,
    definition.repeat_return_rate,
    settings.hiatus_days
from marts.churn_definition as definition
cross join intermediate.int_settings as settings
where definition.suggestion_reason <> 'another_window'
qualify
    row_number() over (
        partition by definition.activity_kind order by definition.window_days
    ) = 1
order by definition.activity_kind
"""

#: What is told of a suggestion, by suggestion_reason.
_REASONS = {
    "q90_of_gaps": "rounded to 30",
    "q90_below_the_shortest": "no window is shorter",
    "q90_above_the_longest": "no window is longer",
}

_WORDS = {"ordered": "orders", "used": "use"}


@dataclass(frozen=True)
class Suggestion:
    """How long a silence should be before it counts as having left.

    Attributes
    ----------
    activity_kind : str
        What is missing: ``ordered`` or ``used``.
    window_days : int
        Days of silence; tells nothing where `reason` is ``too_few_repeat_customers``.
    reason : str
        The suggestion_reason of the mart.
    gap_q90_days : int or None
        Days that nine of ten gaps between two active days do not exceed.
    silences_count : int
        Silences that lasted longer and could be followed.
    return_rate, repeat_return_rate : float or None
        Share of them that ended within 180 days: of all, and of those who had come
        more than once.
    hiatus_days : int
        What the setting says.
    """

    activity_kind: str
    window_days: int
    reason: str
    gap_q90_days: int | None
    silences_count: int
    return_rate: float | None
    repeat_return_rate: float | None
    hiatus_days: int


@dataclass(frozen=True)
class History:
    """When the accepted rows of a domain happened.

    Attributes
    ----------
    entity : str
    first_date, last_date : date
    days_count : int
        Days with a row.
    gap_days : int
        Days without one in the longest silence between two rows.
    gap_begins : date or None
        Last day before it.
    late_count : int
        Rows that became known after their own day.
    """

    entity: str
    first_date: datetime.date
    last_date: datetime.date
    days_count: int
    gap_days: int
    gap_begins: datetime.date | None
    late_count: int


@dataclass(frozen=True)
class DataPage:
    """What a build read, used and did not use.

    Attributes
    ----------
    coverage : list of tuple
        Domain, lines, accepted, set aside, refused, columns that say nothing.
    unused : list of tuple
        ``refused`` or ``set aside``, domain, reason, lines, where the first one stands.
    files : list of tuple
        Raw table, readings, copies that were not read, readings of changed files, day
        of the last reading.
    histories : list of History
    missing : list of tuple
        Domain, and what it costs.
    orphans_count, customers_count, schema_changes_count : int
    score_date : date or None
    suggestions : list of Suggestion
        None of them where the build did not come as far as the marts.
    """

    coverage: list[tuple]
    unused: list[tuple]
    files: list[tuple]
    missing: list[tuple]
    orphans_count: int
    customers_count: int
    schema_changes_count: int
    score_date: datetime.date | None
    histories: list[History] = field(default_factory=list)
    suggestions: list[Suggestion] = field(default_factory=list)


def data_page(project: Project) -> DataPage:
    """Look at a working file.

    Raises
    ------
    Fault
        If there is none, or a build holds it.
    """
    with project.reading() as connection:
        orphans, customers, score_date, changes, zone = connection.execute(
            _ODDITIES
        ).fetchone()
        page = DataPage(
            coverage=connection.execute(_COVERAGE).fetchall(),
            unused=connection.execute(_UNUSED).fetchall(),
            files=connection.execute(_FILES).fetchall(),
            missing=connection.execute(_MISSING).fetchall(),
            orphans_count=orphans,
            customers_count=customers,
            schema_changes_count=changes,
            score_date=score_date,
        )
        for entity, _, accepted, *_ in page.coverage:
            if accepted:
                try:
                    time = contract(project.root)[entity]["time"]
                    history = _history(connection, entity, time, zone or "UTC")
                except duckdb.IOException as error:  # rows that stay in their files
                    told = str(error).splitlines()[0]
                    raise Fault(f"{entity} cannot be read ({told}).") from None
                if history is not None:
                    page.histories.append(history)
        if connection.execute(_IS_DEFINED).fetchone() == (True,):
            told = connection.execute(_SUGGESTIONS).fetchall()
            page.suggestions.extend(Suggestion(*row) for row in told)
    return page


def _history(
    connection: duckdb.DuckDBPyConnection, entity: str, time: str, zone: str
) -> History | None:
    query = _HISTORY.format(entity=entity, time=time)
    first, last, days, late, gap_begins, gap = connection.execute(
        query, {"zone": zone}
    ).fetchone()
    if first is None:
        return None
    return History(entity, first, last, days, gap or 0, gap_begins, late)


def churn_windows(page: DataPage) -> list[str]:
    """Say in sentences after how long a silence a customer has left, and why.

    Parameters
    ----------
    page : DataPage
    """
    told = []
    for one in page.suggestions:
        word = _WORDS[one.activity_kind]
        if one.reason not in _REASONS:
            told.append(
                f"{word}: too few customers came back to suggest a window "
                f"(minimum_repeat_customers); hiatus_days is {one.hiatus_days}"
            )
            continue
        sentence = (
            f"{word}: {one.window_days} days, for nine of ten gaps between two days of "
            f"{word} are at most {one.gap_q90_days} days ({_REASONS[one.reason]})"
        )
        if one.silences_count:
            regulars = (
                ""
                if one.repeat_return_rate is None
                else f", and {one.repeat_return_rate:.0%} of regulars"
            )
            sentence += (
                f"; after as long a silence {one.return_rate:.0%} came back within 180 "
                f"days{regulars}"
            )
        told.append(f"{sentence}; hiatus_days is {one.hiatus_days}")
    return told


def advice(page: DataPage) -> list[str]:
    """Say in sentences what a person should look at, the most urgent first.

    Parameters
    ----------
    page : DataPage
    """
    told = []
    for entity, delivered, accepted, _, refused, _ in page.coverage:
        if not accepted:
            told.append(f"no row of {entity} is accepted")
        if refused:
            told.append(
                f"{refused:,} of {delivered:,} lines of {entity} are refused: "
                "input.quarantine has each with its text"
            )
    for one in page.histories:
        span = (one.last_date - one.first_date).days + 1
        # a week of silence in daily data is a hole; in rare rows it is none
        if one.gap_days >= 7 and one.days_count > span / 2:
            told.append(
                f"{one.entity}: nothing for {one.gap_days} days after "
                f"{one.gap_begins}, of {one.days_count:,} days with rows"
            )
        if one.late_count:
            told.append(
                f"{one.late_count:,} rows of {one.entity} became known late; "
                "as of earlier dates they do not count"
            )
    if page.orphans_count:
        told.append(
            f"{page.orphans_count:,} of {page.customers_count:,} customers stand in no "
            "list of customers, but have rows elsewhere"
        )
    if page.schema_changes_count:
        told.append(
            f"{page.schema_changes_count:,} columns came, went or changed between "
            "files: see reading.schema_changes"
        )
    for entity, *_, empty in page.coverage:
        if empty:
            told.append(f"{entity}: nothing is said of {empty}")
    return told
