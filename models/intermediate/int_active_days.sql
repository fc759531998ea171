-- Grain: one row per customer, activity_kind and day of it.
-- All that is known at the score date, with the days before and after: a silence lies
-- between two of them. It looks ahead, so outcomes read it and features never do.

with

clock as (

    select score_date from {{ ref('int_score_date') }}

),

active_days as (

    select
        order_days.customer_id,
        'ordered' as activity_kind,
        order_days.activity_date

    from {{ ref('int_order_days') }} as order_days

    inner join clock
        on {{ is_known(
            'order_days.known_date', 'order_days.told_again_date', 'clock.score_date'
        ) }}

    where order_days.orders_count > 0

    union all

    select
        usage_days.customer_id,
        'used' as activity_kind,
        usage_days.activity_date

    from {{ ref('int_usage_days') }} as usage_days

    inner join clock
        on {{ is_known(
            'usage_days.known_date', 'usage_days.told_again_date', 'clock.score_date'
        ) }}

    where usage_days.events_count > 0

),

neighbours as (

    select
        customer_id,
        activity_kind,
        activity_date,
        row_number() over following as day_number,
        lag(activity_date) over following as previous_date,
        lead(activity_date) over following as next_date

    from active_days

    window following as (
        partition by customer_id, activity_kind
        order by activity_date asc
    )

)

select * from neighbours
