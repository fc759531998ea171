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

customer_days as (

    select
        customer_id,
        activity_date,
        orders_count,
        order_amount

    from {{ ref('int_customer_days') }}

    where orders_count > 0

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
        customer_days.customer_id,
        dates.as_of_date,
        dates.horizon_days,
        count(*) as order_days_count,
        cast(sum(customer_days.orders_count) as bigint) as orders_count,
        cast(sum(customer_days.order_amount) as {{ money() }}) as order_amount

    from dates

    inner join customer_days
        on {{ is_future(
            'customer_days.activity_date', 'dates.as_of_date', 'dates.horizon_days'
        ) }}

    group by
        customer_days.customer_id,
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
