-- Grain: one row per accepted order or refund, as it was told last.

with

orders as (

    select * from {{ ref('input_orders') }}

    where superseded_date is null

),

dated as (

    select
        {{ published_id('order_id', 'order') }},
        {{ published_id('customer_id', 'customer') }},
        kind,
        status,
        ordered_at,
        {{ business_day('ordered_at') }} as order_date,
        amount,
        known_date,
        source_file,
        source_line

    from orders

)

select * from dated
