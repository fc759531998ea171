"""Whether a build may be published: all of it ran, passed, and is complete."""

from dataclasses import dataclass

import duckdb

from perennial.faults import Fault
from perennial.publishing.tables import Manifest

#: Selectors of which a build publishes, though it makes only a part.
SELECTORS = ("inference_daily", "training", "full")

#: What dbt says of a node that did what it should; a warning stops nothing.
PASSED = frozenset({"success", "pass", "warn", "no-op"})

#: As many names are told.
FEW = 3

#: Due and there: a value of each customer and horizon, and a score of each in scope. Of
#: what nobody has, no row could say more than its status does.
_COMPLETENESS = """
with clock as (
    select max(score_date) as score_date from {db}.intermediate.int_score_date
),
horizons as (
    select 'value' as task, horizon_days, count(expected_amount) as there,
        greatest(
            count(*),
            (
                select count(*) from {db}.marts.dim_customers
                where as_of_date is not null
            )
        ) as due
    from {db}.marts.clv_scores, clock
    where as_of_date = score_date
    group by horizon_days
    union all
    select population.task, population.horizon_days, coalesce(scored.there, 0),
        population.due
    from (
        select task, horizon_days, count(*) as due
        from {db}.registry.score_population
        group by task, horizon_days
    ) as population
    left join (
        select task, horizon_days, count(probability) as there
        from {db}.marts.churn_scores_daily, clock
        where as_of_date = score_date
        group by task, horizon_days
    ) as scored
        on population.task = scored.task
        and population.horizon_days = scored.horizon_days
)
select task, cast(horizon_days as bigint), cast(there as bigint), cast(due as bigint)
from horizons
order by task, horizon_days
"""

_REFUSED = """
select sum(refused_lines_count) / nullif(sum(lines_count), 0)
from {db}.input.input_coverage
where is_delivered
"""


class GateFault(Fault):
    """A build that went through is not good enough to be published."""


@dataclass(frozen=True)
class Verdict:
    """What may be published.

    Attributes
    ----------
    kept : set of str
        Marts that it left as they were: these must be those that are published.
    completeness : float or None
        Share of what is due and is there; None if nothing is due.
    refused_share : float or None
        Share of delivered lines in quarantine; None if none was delivered.
    settings_hash : str
        Hash of the settings that marts may depend on.
    """

    kept: set[str]
    completeness: float | None
    refused_share: float | None
    settings_hash: str


def left_out(
    manifest: Manifest, results: dict[str, str], selector: str | None
) -> str | None:
    """Say in a line why a run publishes nothing, as it built only a part; else None.

    Parameters
    ----------
    manifest : Manifest
    results : dict of str
        What dbt said of each node that it ran, by its id.
    selector : str or None
        The named selection that was built.
    """
    if selector in SELECTORS:
        return None
    missing = {one for one in manifest.nodes if one not in results}
    if not missing:
        return None
    marts = [name for name, one in manifest.mart_ids.items() if one in missing]
    what = f"{len(missing)} of {len(manifest.nodes)} tables and tests were left out"
    if marts:
        what += f", marts among them ({_few(marts)})"
    return f"Nothing was published: {what}. Build without a selection to publish."


def judge(
    connection: duckdb.DuckDBPyConnection,
    database: str,
    manifest: Manifest,
    results: dict[str, str],
    run_id: str,
) -> Verdict:
    """Judge a run of which everything that was asked for was built.

    Parameters
    ----------
    connection : DuckDBPyConnection
    database : str
        Name under which the working file is attached, as SQL.
    manifest : Manifest
    results : dict of str
        What dbt said of each node that it ran, by its id.
    run_id : str

    Raises
    ------
    GateFault
        If it may not be published.
    """
    if manifest.run_id != run_id:
        raise GateFault(
            "Nothing was published: another dbt has parsed the project meanwhile, so "
            "nobody can tell what was built. Build again."
        )
    failed = [one for one, status in results.items() if status not in PASSED]
    if failed:
        names = [one.split(".")[2] for one in failed]
        raise GateFault(f"Nothing was published: {_few(names)} did not pass.")
    least, settings_hash = connection.execute(
        "select least_completeness, settings_hash"
        f" from {database}.intermediate.int_settings"
    ).fetchone()
    built = {name for name, one in manifest.mart_ids.items() if one in results}
    found = connection.execute(_COMPLETENESS.format(db=database)).fetchall()
    there = sum(row[2] for row in found if row[2])
    due = sum(row[3] for row in found if row[2])
    completeness = there / due if due else None
    # each horizon by itself: a large one would hide what a small one lacks
    for task, days, has, wants in found:
        if has and has / wants < least:
            what = "a value" if task == "value" else f"a score of {task}"
            raise GateFault(
                f"Nothing was published: {has:,} of {wants:,} customers "
                f"({has / wants:.2%}) have {what} for {days} days, and at least "
                f"{least:.2%} should (the setting least_completeness)."
            )
    (refused,) = connection.execute(_REFUSED.format(db=database)).fetchone()
    kept = manifest.marts.keys() - built
    share = None if refused is None else float(refused)
    return Verdict(kept, completeness, share, settings_hash)


def unpublished(
    connection: duckdb.DuckDBPyConnection,
    published: str | None,
    contents: dict[str, str],
) -> list[str]:
    """Name the marts that are not those that are published now.

    Parameters
    ----------
    connection : DuckDBPyConnection
    published : str or None
        Name under which the published file is attached, if there is one.
    contents : dict of str
        Hash of each mart that a run left as it was.
    """
    if published is None:
        return sorted(contents)
    rows = connection.execute(
        f"select table_name, content_hash from {published}.marts.published_tables"
    ).fetchall()
    known = dict(rows)
    return sorted(name for name, one in contents.items() if known.get(name) != one)


def _few(names: list[str]) -> str:
    names = sorted(names)
    more = f" and {len(names) - FEW} more" if len(names) > FEW else ""
    return ", ".join(names[:FEW]) + more
