-- Grain: one row per line of the shop's files of orders.
-- Names, types and units become ours here. Nothing is joined or dropped.

{{ config(enabled=('orders' in perennial.setting('entities'))) }}

with

raw_orders as (

    select * from {{ perennial.raw_rows('shop', 'orders') }}

),

renamed as (

    select
        -- keys
        order_id,
        customer_id,

        -- attributes
        kind,
        category,
        currency,
        status,
        case when sales_channel = 'internal' then 'internal_order' end
            as exclude_reason,

        -- measures
        amount,

        -- times
        ordered_at,
        loaded_at,

        -- where it stands
        {{ perennial.place_columns() }}

    from raw_orders

)

select * from renamed
