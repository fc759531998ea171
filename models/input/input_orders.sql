-- Grain: one row per version of an accepted order or refund.
-- The contract: whatever the source was, orders look like this from here on.

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
        kind,
        category,
        currency,
        status,
        delivered_amount,
        loaded_at,
        known_date,
        superseded_date,
        source_file,
        source_line

    from checked_orders

    where reject_reason is null and exclude_reason is null

)

select * from accepted
