-- Grain: one row per customer per as_of_date on which the customer had ordered.
-- What a customer had bought, how lately and how steadily, as known at the end of
-- as_of_date. `known_days` is where the clock is drawn: no later line sees a future.

with

as_of_dates as (

    select as_of_date from {{ ref('int_as_of_dates') }}

),

-- what was known of a day from known_date on, until more was told of it
told_days as (

    select
        customer_id,
        activity_date,
        known_date,
        lead(known_date) over telling as told_again_date,
        sum(orders_count) over telling as orders_count,
        sum(order_amount) over telling as order_amount,
        sum(refund_amount) over telling as refund_amount

    from {{ ref('int_customer_days') }}

    window telling as (
        partition by customer_id, activity_date
        order by known_date asc
    )

),

-- what the customer kept is the worth of a day; a day given back whole has none, and
-- tells nothing of what the customer spends. A free one has: 0.
order_days as (

    select
        customer_id,
        activity_date,
        known_date,
        told_again_date,
        orders_count,
        order_amount,
        order_amount + refund_amount as kept_amount,
        refund_amount = 0 or order_amount + refund_amount > 0 as is_kept

    from told_days

    where orders_count > 0

),

known_days as (

    select
        order_days.customer_id,
        as_of_dates.as_of_date,
        order_days.activity_date,
        order_days.orders_count,
        order_days.order_amount,
        order_days.kept_amount,
        order_days.is_kept,
        {{ is_recent(
            'order_days.activity_date', 'as_of_dates.as_of_date', 90
        ) }} as is_in_90d

    from as_of_dates

    inner join order_days
        on {{ is_past('order_days.known_date', 'as_of_dates.as_of_date') }}
        and (
            order_days.told_again_date is null
            or not {{ is_past('order_days.told_again_date', 'as_of_dates.as_of_date') }}
        )

),

history as (

    select
        customer_id,
        as_of_date,
        min(activity_date) as first_order_date,
        max(activity_date) as last_order_date,
        cast(sum(orders_count) as bigint) as orders_count,
        count(*) as order_days_count,
        cast(sum(order_amount) as {{ money() }}) as total_order_amount,
        cast(min_by(order_amount, activity_date) as {{ money() }})
            as first_order_day_amount,
        count(*) filter (where is_kept) as kept_days_count,
        coalesce(sum(kept_amount) filter (where is_kept), 0) as kept_amount,
        min_by(case when is_kept then 1 else 0 end, activity_date)
            as kept_first_days_count,
        min_by(case when is_kept then kept_amount else 0 end, activity_date)
            as kept_first_amount,
        count(*) filter (where is_in_90d) as order_days_count_90d,
        cast(
            coalesce(sum(order_amount) filter (where is_in_90d), 0) as {{ money() }}
        ) as order_amount_90d

    from known_days

    group by customer_id, as_of_date

),

repeats as (

    select
        *,
        order_days_count - 1 as repeat_order_days_count,
        kept_days_count - kept_first_days_count as kept_repeat_days_count,
        cast(kept_amount - kept_first_amount as {{ money() }}) as repeat_order_amount

    from history

),

measured as (

    select
        -- keys
        customer_id,
        as_of_date,

        -- how often
        orders_count,
        order_days_count,
        repeat_order_days_count,
        order_days_count_90d,

        -- how lately and for how long
        first_order_date,
        last_order_date,
        {{ days_between('first_order_date', 'last_order_date') }}
            as days_first_to_last_order,
        {{ days_between('first_order_date', 'as_of_date') }}
            as days_since_first_order,
        {{ days_between('last_order_date', 'as_of_date') }}
            as days_since_last_order,

        -- how much: an average is an exact sum over a count
        total_order_amount,
        first_order_day_amount,
        repeat_order_amount,
        order_amount_90d,
        cast(total_order_amount as double) / order_days_count
            as mean_order_day_amount,
        cast(repeat_order_amount as double) / nullif(kept_repeat_days_count, 0)
            as mean_repeat_order_day_amount

    from repeats

)

select * from measured
