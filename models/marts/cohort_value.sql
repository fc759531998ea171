-- Grain: one row per cohort_month and horizon_days, as of the score date.
-- What those who came in a month have brought so far, and what is expected of them.

with

customers as (

    select
        *,
        {{ month_of('first_seen_date') }} as cohort_month

    from {{ ref('customer_value') }}

    where first_seen_date is not null

),

cohorts as (

    select
        cohort_month,
        as_of_date,
        horizon_days,
        count(*) as customers_count,
        cast(sum(past_amount) as {{ money() }}) as past_amount,
        cast(sum(expected_amount) as {{ prediction() }}) as expected_amount,
        cast(sum(expected_value) as {{ prediction() }}) as expected_value,
        cast(sum(past_amount) as double) / count(*) as past_amount_mean,
        cast(sum(expected_value) as double) / count(*) as expected_value_mean

    from customers

    group by cohort_month, as_of_date, horizon_days

)

select * from cohorts
