-- Grain: one row per line of the shop's files of subscriptions.
-- Names, types and units become ours here. Nothing is joined or dropped.

{{ config(enabled=('subscriptions' in perennial.setting('entities'))) }}

with

raw_subscriptions as (

    select * from {{ perennial.raw_rows('shop', 'subscriptions') }}

),

renamed as (

    select
        -- keys
        subscription_id,
        customer_id,

        -- attributes
        plan,
        cancel_reason,
        is_voluntary,

        -- measures
        mrr,
        discount_amount,

        -- times
        started_at,
        ended_at,
        contract_ends_at,
        loaded_at,

        -- where it stands
        {{ perennial.place_columns() }}

    from raw_subscriptions

)

select * from renamed
