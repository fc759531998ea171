-- Grain: one row per horizon_days, as of the score date.
-- What all customers together are expected to bring, and between which totals it would
-- lie if the error in total were one of those that past dates had. Customers move
-- together, so that no model of single ones can tell how sure a total is.

with

totals as (

    select
        as_of_date,
        horizon_days,
        count(*) as customers_count,
        count(*) filter (where expected_amount is null) as without_value_count,
        sum(expected_amount) as expected_amount,
        sum(expected_value) as expected_value

    from {{ ref('clv_scores') }}

    group by as_of_date, horizon_days

),

past_errors as (

    select
        horizon_days,
        count(*) as origins_count,
        min(metric_value) as least_total_error,
        max(metric_value) as greatest_total_error

    from {{ ref('clv_backtest_metrics') }}

    where
        target = 'value'
        and metric = 'total_error'
        and population = 'all'
        and model_name = 'published'
        and metric_value is not null

    group by horizon_days

),

bounded as (

    select
        totals.as_of_date,
        totals.horizon_days,
        totals.customers_count,
        totals.without_value_count,
        cast(totals.expected_amount as {{ prediction() }}) as expected_amount,
        cast(totals.expected_value as {{ prediction() }}) as expected_value,
        coalesce(past_errors.origins_count, 0) as origins_count,
        past_errors.least_total_error,
        past_errors.greatest_total_error,
        -- what was told was 1 + x times what came, with an error of x
        cast(
            cast(totals.expected_amount as double)
            / nullif(1 + greatest(past_errors.greatest_total_error, 0), 0)
            as {{ prediction() }}
        ) as amount_low,
        cast(
            cast(totals.expected_amount as double)
            / nullif(1 + least(past_errors.least_total_error, 0), 0)
            as {{ prediction() }}
        ) as amount_high

    from totals

    left join past_errors
        on totals.horizon_days = past_errors.horizon_days

)

select * from bounded
