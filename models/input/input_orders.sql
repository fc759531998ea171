-- Grain: one row per accepted order.
-- The contract: whatever the source was, an order looks like this from here on.

with

checked_orders as (

    select * from {{ ref('int_checked_orders') }}

),

accepted as (

    select
        order_id,
        customer_id,
        ordered_at,
        amount,
        source_file,
        source_line

    from checked_orders

    where reject_reason is null

)

select * from accepted
