"""How far the models of churn can be believed, read from the marts."""

import re
from dataclasses import dataclass, field

from perennial.faults import Fault
from perennial.project import Project

#: Below that, a share of customers is not told.
FEW = 30

#: Fewer customers to whom it happened, and a metric of one date says little.
FEW_POSITIVES = 100


@dataclass(frozen=True)
class Table:
    """A table to print.

    Attributes
    ----------
    title : str
    names : tuple of str
        Heads of the columns.
    rows : list of tuple
        Numbers that are counts, and texts.
    """

    title: str
    names: tuple[str, ...]
    rows: list[tuple]


@dataclass(frozen=True)
class Page:
    """What there is to say of the yes-or-no tasks of a project.

    Attributes
    ----------
    tables : list of Table
    doubts : list of str
        What to doubt, a sentence each.
    """

    tables: list[Table] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)


_LEADERBOARD = """
select task, cast(horizon_days as varchar),
    case when origins_count > 0 then cast(place as varchar) else '' end,
    model_name || case when is_chosen then ' (chosen)' else '' end,
    cast(origins_count as varchar),
    coalesce(printf('%.3f', mean_average_precision), ''),
    coalesce(printf('%.3f', mean_roc_auc), ''),
    coalesce(printf('%.1f%%', 100 * mean_brier_skill), ''),
    coalesce(printf('%.3f', mean_expected_calibration_error), '')
from marts.churn_leaderboard
where origins_count > 0 or is_chosen
order by task, horizon_days, place
"""

#: Of the candidate that is published for each origin, customers in scope.
_PUBLISHED = """
select metrics.*
from marts.churn_backtest_metrics as metrics
inner join marts.churn_backtest_choices as choices
    on metrics.task = choices.task
    and metrics.horizon_days = choices.horizon_days
    and metrics.as_of_date = choices.origin_date
    and metrics.model_name = choices.model_name
where choices.is_published and metrics.population = 'in_scope'
    and metrics.segment_kind = 'all'
"""

_BACKTEST = f"""
with wide as (
    pivot ({_PUBLISHED}) on metric in (
        'roc_auc', 'average_precision', 'brier_score', 'brier_skill',
        'expected_calibration_error', 'top_decile_lift'
    )
    using first(metric_value) as value, first(metric_low) as low,
        first(metric_high) as high
    group by task, horizon_days, as_of_date, model_name, customers_count,
        positives_count
)
select task, cast(horizon_days as varchar), cast(as_of_date as varchar), model_name,
    customers_count, positives_count,
    coalesce(printf('%.3f', roc_auc_value), ''),
    coalesce(printf('%.2f-%.2f', roc_auc_low, roc_auc_high), ''),
    coalesce(printf('%.3f', average_precision_value), ''),
    coalesce(printf('%.3f', brier_score_value), ''),
    coalesce(printf('%.1f%%', 100 * brier_skill_value), ''),
    coalesce(printf('%.3f', expected_calibration_error_value), ''),
    coalesce(printf('%.1f', top_decile_lift_value), '')
from wide
order by task, horizon_days, as_of_date
"""

_RELIABILITY = """
select task, cast(horizon_days as varchar),
    printf('%.2f to %.2f', least_probability, most_probability),
    customers_count, positives_count,
    printf('%.1f%%', 100 * mean_probability), printf('%.1f%%', 100 * positive_rate),
    printf('%.1f%% to %.1f%%', 100 * positive_rate_low, 100 * positive_rate_high),
    case
        when customers_count < $few then 'few'
        when is_true then 'came true'
        else 'did not'
    end
from marts.churn_reliability
inner join (
    select task, horizon_days, model_name from marts.churn_leaderboard where is_chosen
) using (task, horizon_days, model_name)
order by task, horizon_days, probability_bin
"""

_BANDS = """
select task, cast(horizon_days as varchar), risk_band,
    cast(sum(customers_count) as bigint) as customers,
    cast(sum(positives_count) as bigint) as positives,
    coalesce(printf('%.1f%%', 100.0 * positives / nullif(customers, 0)), ''),
    coalesce(printf('%.1f%%', 100.0 * positives
        / nullif(sum(positives) over (partition by task, horizon_days), 0)), '')
from marts.churn_confusion_matrix
where is_published and population = 'in_scope'
group by task, horizon_days, risk_band, band_place
order by task, horizon_days, band_place
"""

#: What to doubt: queries that give a sentence a row.
_DOUBTS = (
    """
    select task || ', ' || horizon_days || ' days: ' || case choice_status
        when 'no_skill' then 'no candidate beats the base rate, so that everybody has '
            || 'nearly the same probability'
        else 'no past date was for selection, so that ' || model_name
            || ' was chosen without having been judged'
        end || '.'
    from marts.churn_leaderboard
    where is_chosen and choice_status <> 'skill'
    order by task, horizon_days
    """,
    f"""
    select task || ', ' || horizon_days || ' days: ' || positives_count
        || ' were lost after ' || as_of_date || ', so that the AUC of '
        || printf('%.2f', metric_value) || ' may as well be '
        || printf('%.2f or %.2f', metric_low, metric_high) || '.'
    from ({_PUBLISHED})
    where metric = 'roc_auc' and positives_count < $few_positives
        and metric_low is not null
    qualify as_of_date = max(as_of_date) over (partition by task, horizon_days)
    order by task, horizon_days
    """,
    f"""
    select task || ', ' || horizon_days || ' days: from date to date the AUC is '
        || printf('%.2f to %.2f', min(metric_value), max(metric_value))
        || ': the next one may be anywhere in there.'
    from ({_PUBLISHED})
    where metric = 'roc_auc'
    group by task, horizon_days
    having max(metric_value) - min(metric_value) > 0.05
    order by task, horizon_days
    """,
    """
    select best.task || ', ' || best.horizon_days || ' days: ' || second.model_name
        || ' is behind ' || best.model_name || ' by '
        || printf('%.3f', best.metric_mean - second.metric_mean) || ' of '
        || replace(best.metric, '_', ' ')
        || ', which is less than the dates can tell apart.'
    from marts.churn_leaderboard as best
    inner join marts.churn_leaderboard as second
        on best.task = second.task
        and best.horizon_days = second.horizon_days
        and best.is_chosen
        and second.place = best.place + 1
        and second.has_skill
    inner join (
        select task, horizon_days, model_name, min(metric_high - metric_low) as width
        from marts.churn_backtest_metrics
        where metric = (select any_value(metric) from marts.churn_leaderboard)
            and segment_kind = 'all' and population = 'in_scope'
        group by all
    ) as spreads
        on best.task = spreads.task
        and best.horizon_days = spreads.horizon_days
        and best.model_name = spreads.model_name
    where best.metric_mean - second.metric_mean < width / 2
    order by best.task, best.horizon_days
    """,
    """
    select task || ', ' || horizon_days || ' days: of '
        || printf('%.0f to %.0f%%', 100 * least_probability, 100 * most_probability)
        || ' as ' || model_name || ' said it, '
        || printf('%.1f%%', 100 * positive_rate) || ' came true (95 %: '
        || printf('%.1f to %.1f%%', 100 * positive_rate_low, 100 * positive_rate_high)
        || ', ' || customers_count || ' customers).'
    from marts.churn_reliability
    inner join (
        select task, horizon_days, model_name
        from marts.churn_leaderboard where is_chosen
    ) using (task, horizon_days, model_name)
    where not is_true and customers_count >= $few
    order by task, horizon_days, probability_bin
    """,
    """
    select task || ', ' || horizon_days || ' days: the band ' || risk_band || ' held '
        || caught || ' of ' || lost
        || ' lost; who acts on it alone misses the others.'
    from (
        select task, horizon_days, risk_band, band_place,
            sum(positives_count) as caught,
            sum(sum(positives_count)) over (partition by task, horizon_days) as lost
        from marts.churn_confusion_matrix
        where is_published and population = 'in_scope'
        group by task, horizon_days, risk_band, band_place
    )
    where band_place = 1 and caught < 0.5 * lost
    order by task, horizon_days
    """,
    """
    select task || ', ' || horizon_days || ' days: ' || replace(segment_kind, '_', ' ')
        || ' ' || segment || ': ' || printf('%.1f%%', 100 * mean_probability)
        || ' was said, ' || printf('%.1f%%', 100 * positive_rate)
        || ' were lost (95 %: '
        || printf('%.1f to %.1f%%', 100 * positive_rate_low, 100 * positive_rate_high)
        || ').' || case when segments < 10 then '' else ' By chance alone, one in '
            || 'twenty of ' || segments || ' segments would.' end
    from (
        select *, count(*) over (partition by task, horizon_days) as segments
        from marts.churn_segment_stability where segment_kind <> 'all'
    )
    where is_too_low or is_too_high
    order by task, horizon_days, abs(mean_probability - positive_rate) desc
    """,
    """
    select task || ', ' || horizon_days || ' days: '
        || case
            when bool_or(has_dropped and is_after_promotion) then 'since ' || model_id
                || ' was promoted with an AUC of ' || printf('%.2f', promoted_roc_auc)
                || ', its kind fell to ' || printf('%.2f', min(roc_auc) filter (
                    where is_after_promotion)) || '.'
            else 'no past date is over since ' || model_id
                || ' was fitted: what is told here are fits of its kind.'
        end
    from marts.churn_drift
    group by task, horizon_days, model_id, promoted_roc_auc
    having bool_or(has_dropped and is_after_promotion)
        or not bool_or(is_after_promotion)
    order by task, horizon_days
    """,
    """
    select task || ', ' || horizon_days || ' days: ' || count(*) || ' scores of today '
        || 'stand where fewer than 30 past customers had one.'
    from (
        select * from marts.churn_score_reliability
        qualify as_of_date = max(as_of_date) over ()
    )
    where reliability_status in ('few', 'never_said_before')
    group by task, horizon_days
    order by task, horizon_days
    """,
    """
    select task || ', ' || horizon_days || ' days: ' || sum(flapping_count)
        || ' times a customer went to another band and back, on '
        || count(*) filter (where has_flapping) || ' of the last ' || count(*)
        || ' scored dates.'
    from marts.churn_band_changes
    group by task, horizon_days
    having sum(flapping_count) > 0
    order by task, horizon_days
    """,
)


def churn_page(project: Project) -> Page:
    """Read the published tables of the yes-or-no tasks, and what to doubt in them.

    Parameters
    ----------
    project : Project
        One of which something is published.

    Returns
    -------
    Page

    Raises
    ------
    Fault
        If nothing is published yet, or no candidate was judged on a past date.
    """
    with project.reading_published() as connection:
        tables = [
            Table(
                "Candidates, by what they showed on past dates for selection",
                (
                    *("task", "days", "place", "candidate", "dates"),
                    *("PR-AUC", "AUC", "skill", "calibration error"),
                ),
                connection.execute(_LEADERBOARD).fetchall(),
            ),
            Table(
                "Backtest: what was published for a past date, chosen without it, of "
                "customers in scope (ECE: calibration error; lift of the first tenth)",
                (
                    *("task", "days", "date", "published", "customers", "lost"),
                    *("AUC", "95 %", "PR-AUC", "Brier", "skill", "ECE", "lift"),
                ),
                connection.execute(_BACKTEST).fetchall(),
            ),
            Table(
                "Calibration: of so many past customers of whom the chosen candidate "
                "said so much, so many were lost",
                (
                    *("task", "days", "probability", "customers", "lost"),
                    *("said", "happened", "95 %", ""),
                ),
                connection.execute(_RELIABILITY, {"few": FEW}).fetchall(),
            ),
            Table(
                "Bands: what was published on past dates, all dates together",
                (
                    *("task", "days", "band", "customers", "lost"),
                    *("share of the band", "share of all lost"),
                ),
                connection.execute(_BANDS).fetchall(),
            ),
        ]
        if not tables[1].rows:
            raise Fault(
                "No candidate was judged on a past date: no window is over for which "
                "there were dates to learn from."
            )
        limits = {"few": FEW, "few_positives": FEW_POSITIVES}
        doubts = []
        for query in _DOUBTS:
            named = {n: v for n, v in limits.items() if re.search(rf"\${n}\b", query)}
            doubts += [line for (line,) in connection.execute(query, named).fetchall()]
    return Page([table for table in tables if table.rows], doubts)
