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

),

-- what a day was is the sum of what was told of it by the score date
order_days as (

    select
        customer_days.customer_id,
        customer_days.activity_date,
        sum(customer_days.orders_count) as orders_count,
        sum(customer_days.order_amount) as order_amount

    from {{ ref('int_customer_days') }} as customer_days

    inner join clock
        on {{ is_past('customer_days.known_date', 'clock.score_date') }}

    group by customer_days.customer_id, customer_days.activity_date

    having sum(customer_days.orders_count) > 0

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
        order_days.customer_id,
        dates.as_of_date,
        dates.horizon_days,
        count(*) as order_days_count,
        cast(sum(order_days.orders_count) as bigint) as orders_count,
        cast(sum(order_days.order_amount) as {{ money() }}) as order_amount

    from dates

    inner join order_days
        on {{ is_future(
            'order_days.activity_date', 'dates.as_of_date', 'dates.horizon_days'
        ) }}

    group by
        order_days.customer_id,
        dates.as_of_date,
        dates.horizon_days

),

outcomes as (

    select
        windows.customer_id,
        windows.as_of_date,
        windows.horizon_days,
        case
            when windows.is_over then coalesce(future_days.order_days_count, 0)
        end as future_order_days_count,
        case
            when windows.is_over then coalesce(future_days.orders_count, 0)
        end as future_orders_count,
        case
            when windows.is_over then coalesce(future_days.order_amount, 0)
        end as future_order_amount,
        case
            when windows.is_over then future_days.order_days_count is not null
        end as is_active

    from windows

    left join future_days
        on windows.customer_id = future_days.customer_id
        and windows.as_of_date = future_days.as_of_date
        and windows.horizon_days = future_days.horizon_days

)

select * from outcomes
