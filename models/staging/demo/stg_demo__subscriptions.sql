-- Grain: one row per line of the company's files of subscriptions.
-- Names, types and units become ours here. Nothing is joined or dropped.

{{ config(enabled=(var('connector') == 'demo')) }}

with

raw_subscriptions as (

    select * from {{ raw_rows('demo', 'subscriptions') }}

),

renamed as (

    select
        -- keys
        subscription_id,
        customer_id,

        -- attributes
        plan,
        term,
        cancel_reason,
        is_voluntary,

        -- measures: what a month is worth, also of a year paid at once
        monthly_price as mrr,
        monthly_discount as discount_amount,

        -- times
        started_at,
        ended_at,
        contract_ends_at,
        changed_at as loaded_at,

        -- where it stands
        {{ place_columns() }}

    from raw_subscriptions

)

select * from renamed
