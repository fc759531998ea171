-- Grain: one row per customer and day on which the customer did something.
-- Counting models count order days: two orders on one day are one decision to buy.

with

orders as (

    select
        customer_id,
        amount,
        cast(ordered_at as date) as activity_date

    from {{ ref('input_orders') }}

),

customer_days as (

    select
        customer_id,
        activity_date,
        count(*) as orders_count,
        cast(sum(amount) as {{ money() }}) as order_amount

    from orders

    group by customer_id, activity_date

)

select * from customer_days
