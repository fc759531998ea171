"""What is published, how the last runs went, and who writes now."""

from dataclasses import dataclass, field

import duckdb

from perennial.faults import Fault
from perennial.project import Project
from perennial.publishing import run_log, snapshots
from perennial.publishing.lock import holder
from perennial.publishing.tables import RUN, SCHEMA, TABLES, connect

#: As many of the last runs, and of the dearest steps, are told.
RUNS, STEPS = 5, 10

_RUNS = """
select cast(started_at as varchar), status, coalesce(cast(seconds as varchar), ''),
    steps_count, failed_count, coalesce(message, ''), run_id
from (
    select *,
        count(*) filter (where kind <> 'run') over one as steps_count,
        count(*) filter (where status in ('error', 'fail')) over one as failed_count
    from ({log})
    window one as (partition by run_id)
)
where kind = 'run'
order by started_at desc
limit {count}
"""

_DEAREST = """
select step, kind, status, cast(seconds as varchar), coalesce(rows_count, 0)
from ({log})
where kind <> 'run'
    and run_id = (select max_by(run_id, started_at) from ({log}) where kind = 'run')
order by seconds desc nulls last, step
limit {count}
"""

_MARTS = f"select table_name, rows_count, run_id from {SCHEMA}.{TABLES} order by 1"

_MODELS = f"""
select task, cast(horizon_days as varchar), coalesce(model_id, 'none'), model_name,
    score_status, count(*)
from {SCHEMA}.churn_scores_daily
where as_of_date = (select score_date from {SCHEMA}.{RUN})
group by all
order by all
"""


@dataclass
class Page:
    """What there is to say.

    Attributes
    ----------
    lines : list of str
    tables : list of tuple
        Title, heads of the columns, rows.
    """

    lines: list[str] = field(default_factory=list)
    tables: list[tuple] = field(default_factory=list)


def status_page(project: Project) -> Page:
    """Look at a connector; nothing of it waits for a build.

    Raises
    ------
    Fault
        If the log of the runs cannot be read.
    """
    page = Page()
    now = holder(project)
    is_there = "" if project.working_file.exists() else " (not there)"
    page.lines = [
        f"working file:   {project.working_file}{is_there}",
        f"published file: {project.published_file}",
        f"writing now:    {now or 'nobody'}",
    ]
    try:
        _tell_published(project, page)
    except Fault as fault:
        page.lines.append(str(fault))
    log = run_log.log_query(project)
    try:
        with connect() as connection:
            runs = connection.execute(_RUNS.format(log=log, count=RUNS)).fetchall()
            steps = connection.execute(_DEAREST.format(log=log, count=STEPS)).fetchall()
    except duckdb.Error as error:
        raise Fault(
            f"The log in {run_log.folder(project)} cannot be read: "
            f"{str(error).splitlines()[0][:200]}"
        ) from None
    names = ("began, UTC", "status", "seconds", "steps", "failed", "told", "run")
    page.tables.insert(0, ("Last runs", names, runs))
    names = ("step", "kind", "status", "seconds", "rows")
    page.tables.insert(1, ("Dearest steps of the last run", names, steps))
    return page


def _tell_published(project: Project, page: Page) -> None:
    run = ""
    if project.published_file.exists():
        _, run = snapshots.name_of(project.published_file)
    with project.reading_published() as connection:
        refused, completeness, customers = connection.execute(
            f"select refused_share, completeness, customers_count from {SCHEMA}.{RUN}"
        ).fetchone()
        marts = connection.execute(_MARTS).fetchall()
        models = connection.execute(_MODELS).fetchall()
    kept = len(snapshots.newest_first(project))
    page.lines += [
        f"published:      {run}",
        f"                {customers:,} customers, {_share(refused)} of the lines in "
        f"quarantine, {_share(completeness)} of values and scores there",
        f"snapshots:      {kept} in {project.snapshots_folder}",
    ]
    names = ("task", "days", "model", "candidate", "status", "customers")
    page.tables.append(("Models that score", names, models))
    page.tables.append(("Published marts", ("mart", "rows", "built by run"), marts))


def _share(value: float | None) -> str:
    return "nothing" if value is None else f"{value:.2%}"
