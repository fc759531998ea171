-- Grain: one row per customer known by then, as_of_date and horizon_days.
-- What the customer brought within the window: orders less refunds, and what was paid
-- for the days of subscriptions. A window that is not over yet is NULL, never 0.

with

clock as (

    select score_date from {{ ref('int_score_date') }}

),

windows as (

    select distinct
        splits.as_of_date,
        splits.horizon_days,
        windows.last_date,
        windows.is_over

    from {{ ref('model_splits') }} as splits

    inner join {{ ref('int_windows') }} as windows
        on splits.as_of_date = windows.as_of_date
        and splits.horizon_days = windows.horizon_days

),

customers as (

    select
        known.customer_id,
        windows.as_of_date,
        windows.horizon_days,
        windows.is_over

    from windows

    inner join {{ ref('feat_customers') }} as known
        on windows.as_of_date = known.as_of_date

),

order_days as (

    select
        days.customer_id,
        days.activity_date,
        days.order_amount,
        days.refund_amount

    from {{ ref('int_order_days') }} as days

    inner join clock
        on {{ is_known('days.known_date', 'days.told_again_date', 'clock.score_date') }}

),

orders as (

    select
        order_days.customer_id,
        windows.as_of_date,
        windows.horizon_days,
        cast(sum(order_days.order_amount + order_days.refund_amount) as {{ money() }})
            as amount

    from windows

    inner join order_days
        on {{ is_future(
            'order_days.activity_date', 'windows.as_of_date', 'windows.horizon_days'
        ) }}

    where windows.is_over

    group by order_days.customer_id, windows.as_of_date, windows.horizon_days

),

paid_days as (

    select
        paid_periods.customer_id,
        windows.as_of_date,
        windows.horizon_days,
        paid_periods.monthly_amount,
        {{ days_between(
            'greatest(paid_periods.from_date, '
            ~ days_after('windows.as_of_date', 1) ~ ')',
            'least(paid_periods.to_date, ' ~ days_after('windows.last_date', 1) ~ ')'
        ) }} as days_count

    from windows

    inner join {{ ref('int_paid_periods') }} as paid_periods
        on {{ is_past('paid_periods.from_date', 'windows.last_date') }}
        and (
            paid_periods.to_date is null
            or not {{ is_past('paid_periods.to_date', 'windows.as_of_date') }}
        )

    where windows.is_over

),

subscriptions as (

    select
        customer_id,
        as_of_date,
        horizon_days,
        {{ amount_of_days('sum(monthly_amount * days_count)') }} as amount

    from paid_days

    where days_count > 0

    group by customer_id, as_of_date, horizon_days

),

outcomes as (

    select
        customers.customer_id,
        customers.as_of_date,
        customers.horizon_days,
        case when customers.is_over then coalesce(orders.amount, 0) end
            as future_net_order_amount,
        case when customers.is_over then coalesce(subscriptions.amount, 0) end
            as future_subscription_amount,
        case
            when customers.is_over
                then cast(
                    coalesce(orders.amount, 0) + coalesce(subscriptions.amount, 0)
                    as {{ money() }}
                )
        end as future_amount

    from customers

    left join orders
        on customers.customer_id = orders.customer_id
        and customers.as_of_date = orders.as_of_date
        and customers.horizon_days = orders.horizon_days

    left join subscriptions
        on customers.customer_id = subscriptions.customer_id
        and customers.as_of_date = subscriptions.as_of_date
        and customers.horizon_days = subscriptions.horizon_days

)

select * from outcomes
