-- Grain: one row per as_of_date, model_name and days_ahead.
-- The tracking plot of the papers as a table: order days of the customers of a past
-- date, as they were expected and as they came, added up every four weeks.

with

clock as (

    select score_date from {{ ref('int_score_date') }}

),

-- of days that are still to come nothing is known
expected as (

    select tracked.*

    from {{ ref('score_tracking') }} as tracked

    inner join clock
        on {{ is_over(
            'tracked.as_of_date',
            'cast(tracked.days_ahead as integer)',
            'clock.score_date'
        ) }}

),

dates as (

    select
        as_of_date,
        cast(max(days_ahead) as integer) as days_ahead

    from expected

    group by as_of_date

),

-- who ordered for the first time after the date was not known by then
came as (

    select
        dates.as_of_date,
        days.activity_date,
        count(*) as order_days_count

    from dates

    inner join {{ ref('int_active_days') }} as days
        on {{ is_future('days.activity_date', 'dates.as_of_date', 'dates.days_ahead') }}
        and days.activity_kind = 'ordered'

    inner join {{ ref('feat_purchases') }} as purchases
        on days.customer_id = purchases.customer_id
        and dates.as_of_date = purchases.as_of_date
        and purchases.order_days_count > 0

    group by dates.as_of_date, days.activity_date

),

tracked as (

    select
        expected.as_of_date,
        expected.model_name,
        cast(expected.days_ahead as bigint) as days_ahead,
        cast(expected.customers_count as bigint) as customers_count,
        cast(expected.expected_order_days_count as {{ prediction() }})
            as expected_order_days_count,
        cast(coalesce(sum(came.order_days_count), 0) as bigint)
            as actual_order_days_count

    from expected

    left join came
        on expected.as_of_date = came.as_of_date
        and {{ is_future(
            'came.activity_date',
            'expected.as_of_date',
            'cast(expected.days_ahead as integer)'
        ) }}

    group by
        expected.as_of_date,
        expected.model_name,
        expected.days_ahead,
        expected.customers_count,
        expected.expected_order_days_count

)

select * from tracked
