"""How far expected values can be believed, read from the marts."""

from perennial.faults import Fault
from perennial.project import Project
from perennial.report import Page, Table

#: Fewer past dates, and the bounds of a total say little.
FEW_ORIGINS = 3

#: So far below what they should hold, bounds are doubted.
COVERAGE_GAP = 0.03

_TOTALS = """
select cast(horizon_days as varchar), customers_count,
    coalesce(printf('%,.0f', cast(expected_amount as double)), ''),
    coalesce(printf('%,.0f', cast(expected_value as double)), ''),
    origins_count,
    coalesce(printf('%,.0f', cast(amount_low as double)), ''),
    coalesce(printf('%,.0f', cast(amount_high as double)), '')
from marts.clv_totals
order by horizon_days
"""

_ROUTES = """
select cast(routes.horizon_days as varchar), routes.clv_route,
    coalesce(routes.model_name, 'none'), replace(routes.chosen_on, '_', ' '),
    count(*),
    coalesce(printf('%,.0f', cast(sum(scores.expected_amount) as double)), ''),
    printf('%.0f%%', 100.0 * count(*) filter (where scores.bounds_source <> 'none')
        / count(*))
from marts.clv_routes as routes
inner join marts.clv_scores as scores
    on routes.customer_id = scores.customer_id
    and routes.horizon_days = scores.horizon_days
group by routes.horizon_days, routes.clv_route, routes.model_name, routes.chosen_on
order by routes.horizon_days, sum(scores.expected_amount) desc nulls last, 2
"""

_LEADERBOARD = """
select cast(horizon_days as varchar), clv_route,
    model_name || case when is_published then ' (published)' else '' end,
    replace(chosen_on, '_', ' '), origins_count,
    coalesce(printf('%.1f%%', 100 * mean_absolute_total_error), ''),
    coalesce(printf('%.3f', mean_normalised_gini), ''),
    coalesce(printf('%.2f', mean_root_mean_squared_error), '')
from marts.clv_leaderboard
where as_of_date = (select max(as_of_date) from marts.clv_leaderboard)
    and (origins_count > 0 or is_published)
order by horizon_days, customers_count desc, clv_route, place
"""

_BACKTEST = """
with wide as (
    pivot (
        select horizon_days, as_of_date, model_name, customers_count, metric,
            metric_value
        from marts.clv_backtest_metrics
        where target = 'value' and population = 'all'
            and model_name in ('published', 'channel_mean')
    ) on metric in (
        'total_error', 'weighted_absolute_error', 'mean_absolute_error',
        'root_mean_squared_error', 'normalised_gini', 'spearman_correlation',
        'top_decile_share'
    )
    using first(metric_value)
)
select cast(horizon_days as varchar), cast(as_of_date as varchar),
    replace(model_name, 'channel_mean', 'baseline'), customers_count,
    coalesce(printf('%+.1f%%', 100 * total_error), ''),
    coalesce(printf('%.2f', weighted_absolute_error), ''),
    coalesce(printf('%.2f', mean_absolute_error), ''),
    coalesce(printf('%.2f', root_mean_squared_error), ''),
    coalesce(printf('%.3f', normalised_gini), ''),
    coalesce(printf('%.3f', spearman_correlation), ''),
    coalesce(printf('%.1f%%', 100 * top_decile_share), '')
from wide
order by horizon_days, as_of_date, model_name desc
"""

_COVERAGE = """
select cast(horizon_days as varchar), cast(as_of_date as varchar), population,
    customers_count,
    coalesce(printf('%.1f%%', 100 * max(covered_share) filter (
        where nominal_share = 0.8)), ''),
    coalesce(printf('%.1f%%', 100 * max(covered_share) filter (
        where nominal_share = 0.9)), ''),
    printf('%.2f', max(mean_width) filter (where nominal_share = 0.8)),
    case when max(from_past_errors_count) = customers_count then 'past errors'
        when max(from_past_errors_count) = 0 then 'purchase model'
        else 'both' end
from marts.clv_coverage
where decile = 0
group by horizon_days, as_of_date, population, customers_count
order by horizon_days, as_of_date, customers_count desc, population
"""

_DECILES = """
select cast(horizon_days as varchar), value_decile, customers_count,
    printf('%,.0f', cast(expected_value as double)),
    printf('%.1f%%', 100 * expected_value_share),
    printf('%,.0f', cast(past_amount as double))
from marts.value_deciles
order by horizon_days, value_decile
"""

#: What to doubt: queries that give a sentence a row.
_DOUBTS = (
    f"""
    select horizon_days || ' days: ' || case origins_count
        when 0 then 'no past window is over, so that nothing tells how far off the '
            || 'total may be.'
        else 'the bounds of the total are the errors of ' || origins_count
            || ' past date' || case when origins_count > 1 then 's' else '' end
            || ', which is too few to bound anything.' end
    from marts.clv_totals
    where origins_count < {FEW_ORIGINS}
    order by horizon_days
    """,
    """
    select horizon_days || ' days: ' || printf('%,.0f', count(*)) || ' customers ('
        || clv_route || ') are valued by ' || model_name
        || ', which no past date was asked about.'
    from marts.clv_routes
    where chosen_on = 'nothing' and model_name is not null
    group by horizon_days, clv_route, model_name
    order by horizon_days, count(*) desc
    """,
    f"""
    select horizon_days || ' days: of ' || population || ' on ' || as_of_date || ', '
        || printf('%.1f%%', 100 * covered_share) || ' brought an amount between bounds '
        || 'that were to hold ' || printf('%.0f%%', 100 * nominal_share) || '.'
    from marts.clv_coverage
    where decile = 0 and customers_count >= 100
        and covered_share < nominal_share - {COVERAGE_GAP}
    order by horizon_days, as_of_date, population, nominal_share
    """,
    """
    select published.horizon_days || ' days: on ' || published.as_of_date
        || ' what was published ranked customers no better than the mean of their '
        || 'channel did.'
    from marts.clv_backtest_metrics as published
    inner join marts.clv_backtest_metrics as baseline
        on published.horizon_days = baseline.horizon_days
        and published.as_of_date = baseline.as_of_date
        and published.target = baseline.target
        and published.metric = baseline.metric
        and published.population = baseline.population
    where published.model_name = 'published' and baseline.model_name = 'channel_mean'
        and published.target = 'value' and published.metric = 'normalised_gini'
        and published.population = 'all'
        and published.metric_value <= baseline.metric_value
    order by published.horizon_days, published.as_of_date
    """,
    """
    select 'As of ' || as_of_date || ', who orders more often spends '
        || case when amount_correlation > 0 then 'more' else 'less' end
        || ' at a time: the correlation is ' || printf('%.2f', amount_correlation)
        || ', and Gamma-Gamma takes it to be 0.'
    from marts.btyd_parameters
    where model_name = 'gamma_gamma' and abs(amount_correlation) > 0.3
    group by as_of_date, amount_correlation
    qualify as_of_date = max(as_of_date) over ()
    """,
    """
    select horizon_days || ' days: ' || printf('%,.0f', without_value_count)
        || ' customers have no value: nothing was learned of anybody like them.'
    from marts.clv_totals
    where without_value_count > 0
    order by horizon_days
    """,
)


def value_page(project: Project) -> Page:
    """Read the published tables of value, and what to doubt in them.

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
        If nothing is published yet, or nobody has a value.
    """
    with project.reading_published() as connection:
        tables = [
            Table(
                "What customers are expected to bring (bounds: the errors in total "
                "of past dates)",
                ("days", "customers", "amount", "worth today", "dates", "low", "high"),
                connection.execute(_TOTALS).fetchall(),
            ),
            Table(
                "Who is valued by what",
                (
                    *("days", "route", "model", "chosen on", "customers", "amount"),
                    "with bounds",
                ),
                connection.execute(_ROUTES).fetchall(),
            ),
            Table(
                "Candidates, by what they showed on past dates for selection",
                (
                    *("days", "route", "candidate", "on", "dates"),
                    *("error in total", "Gini", "RMSE"),
                ),
                connection.execute(_LEADERBOARD).fetchall(),
            ),
            Table(
                "Backtest: what was published for a past date, chosen without it",
                (
                    *("days", "date", "model", "customers", "total", "WAPE", "MAE"),
                    *("RMSE", "Gini", "Spearman", "first tenth"),
                ),
                connection.execute(_BACKTEST).fetchall(),
            ),
            Table(
                "Bounds: how many brought an amount between them",
                (
                    *("days", "date", "customers of", "customers"),
                    *("of 80 %", "of 90 %", "width", "from"),
                ),
                connection.execute(_COVERAGE).fetchall(),
            ),
            Table(
                "Tenths of the customers by value",
                (
                    "days",
                    "tenth",
                    "customers",
                    "worth today",
                    "share",
                    "brought so far",
                ),
                connection.execute(_DECILES).fetchall(),
            ),
        ]
        if not tables[0].rows:
            raise Fault("Nobody has a value: no customer is known on the score date.")
        doubts = [
            line
            for query in _DOUBTS
            for (line,) in connection.execute(query).fetchall()
        ]
    return Page([table for table in tables if table.rows], doubts)
