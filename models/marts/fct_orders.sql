-- Grain: one row per accepted order.

with

orders as (

    select * from {{ ref('input_orders') }}

),

dated as (

    select
        order_id,
        customer_id,
        ordered_at,
        cast(ordered_at as date) as order_date,
        amount,
        source_file,
        source_line

    from orders

)

select * from dated
