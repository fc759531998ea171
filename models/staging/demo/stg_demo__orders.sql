-- Grain: one row per line of the company's files of orders.
-- Names, types and units become ours here. Nothing is joined or dropped.

{{ config(enabled=(var('connector') == 'demo')) }}

with

raw_orders as (

    select * from {{ raw_rows('demo', 'orders') }}

),

renamed as (

    select
        -- keys
        order_number as order_id,
        customer_id,

        -- attributes
        type as kind,
        product as category,
        -- a state that nobody knows stays as it is, and is refused as one
        case payment_status
            when 'paid' then 'completed'
            else payment_status
        end as status,

        -- measures
        amount,

        -- times
        ordered_at,
        recorded_at as loaded_at,

        -- where it stands
        {{ place_columns() }}

    from raw_orders

)

select * from renamed
