-- Grain: one row per customer, as_of_date and horizon_days, for every customer who
-- had ordered by then.
-- What the customer did next. A window that is not over yet is NULL, never 0.

with

clock as (

    select score_date from {{ ref('int_score_date') }}

),

dates as (

    select distinct
        as_of_date,
        horizon_days

    from {{ ref('model_splits') }}

),

customers as (

    select
        customer_id,
        as_of_date

    from {{ ref('feat_purchases') }}

    where first_order_date is not null

),

days as (

    select
        order_days.customer_id,
        order_days.activity_date,
        order_days.orders_count,
        order_days.order_amount,
        order_days.refund_amount

    from {{ ref('int_order_days') }} as order_days

    inner join clock
        on {{ is_known(
            'order_days.known_date', 'order_days.told_again_date', 'clock.score_date'
        ) }}

),

windows as (

    select
        customers.customer_id,
        dates.as_of_date,
        dates.horizon_days,
        {{ is_over('dates.as_of_date', 'dates.horizon_days', 'clock.score_date') }}
            as is_over

    from dates

    inner join customers
        on dates.as_of_date = customers.as_of_date

    cross join clock

),

future_days as (

    select
        days.customer_id,
        dates.as_of_date,
        dates.horizon_days,
        count(*) filter (where days.orders_count > 0) as order_days_count,
        cast(sum(days.orders_count) as bigint) as orders_count,
        cast(sum(days.order_amount) as {{ money() }}) as order_amount,
        cast(sum(days.refund_amount) as {{ money() }}) as refund_amount

    from dates

    inner join days
        on {{ is_future(
            'days.activity_date', 'dates.as_of_date', 'dates.horizon_days'
        ) }}

    group by
        days.customer_id,
        dates.as_of_date,
        dates.horizon_days

),

sums as (

    select
        windows.customer_id,
        windows.as_of_date,
        windows.horizon_days,
        windows.is_over,
        coalesce(future_days.order_days_count, 0) as order_days_count,
        coalesce(future_days.orders_count, 0) as orders_count,
        coalesce(future_days.order_amount, 0) as order_amount,
        coalesce(future_days.refund_amount, 0) as refund_amount

    from windows

    left join future_days
        on windows.customer_id = future_days.customer_id
        and windows.as_of_date = future_days.as_of_date
        and windows.horizon_days = future_days.horizon_days

),

outcomes as (

    select
        customer_id,
        as_of_date,
        horizon_days,
        case when is_over then order_days_count end as future_order_days_count,
        case when is_over then orders_count end as future_orders_count,
        case when is_over then order_amount end as future_order_amount,
        case when is_over then refund_amount end as future_refund_amount,
        case
            when is_over then cast(order_amount + refund_amount as {{ money() }})
        end as future_net_amount,
        case when is_over then order_days_count > 0 end as is_active

    from sums

)

select * from outcomes
