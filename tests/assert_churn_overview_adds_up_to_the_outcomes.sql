-- A row here is a date, horizon and dimension whose customers, lost ones or kinds of
-- churn are not those of outcome_churn: somebody fell out between two values, or stood
-- in both.

with

outcomes as (

    select
        churn.as_of_date,
        churn.horizon_days,
        count(*) as all_count,
        count(*) filter (where churn.is_in_scope) as customers_count,
        count(*) filter (where churn.is_in_scope and churn.is_churned)
            as churned_count

    from {{ ref('outcome_churn') }} as churn

    inner join {{ ref('int_as_of_dates') }} as as_of_dates
        on churn.as_of_date = as_of_dates.as_of_date

    cross join {{ ref('int_score_date') }} as clock

    where
        as_of_dates.is_grid_date
        and date_diff('day', churn.as_of_date, clock.score_date) >= churn.horizon_days

    group by churn.as_of_date, churn.horizon_days

),

dimensions as (

    select listed.dimension

    from (
        values ('all'), ('plan'), ('segment'), ('acquisition_channel'), ('country')
    ) as listed (dimension)

),

overview as (

    select
        as_of_date,
        horizon_days,
        dimension,
        sum(customers_count + out_of_scope_count) as all_count,
        sum(customers_count) as customers_count,
        sum(churned_count) as churned_count,
        sum(voluntary_count + involuntary_count + unknown_count + inactivity_count)
            as kinds_count

    from {{ ref('churn_overview') }}

    group by as_of_date, horizon_days, dimension

),

wanted as (

    select
        outcomes.*,
        dimensions.dimension

    from outcomes

    cross join dimensions

)

select
    coalesce(wanted.as_of_date, overview.as_of_date) as as_of_date,
    coalesce(wanted.horizon_days, overview.horizon_days) as horizon_days,
    coalesce(wanted.dimension, overview.dimension) as dimension,
    wanted.customers_count,
    overview.customers_count as overview_customers_count,
    wanted.churned_count,
    overview.churned_count as overview_churned_count,
    overview.kinds_count

from wanted

full join overview
    on wanted.as_of_date = overview.as_of_date
    and wanted.horizon_days = overview.horizon_days
    and wanted.dimension = overview.dimension

where
    wanted.all_count is distinct from overview.all_count
    or wanted.customers_count is distinct from overview.customers_count
    or wanted.churned_count is distinct from overview.churned_count
    or overview.kinds_count is distinct from overview.churned_count
