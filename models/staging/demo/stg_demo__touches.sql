-- Grain: one row per line of the company's files of touches.
-- Names, types and units become ours here. Nothing is joined or dropped.

{{ config(enabled=(var('connector') == 'demo')) }}

with

raw_touches as (

    select * from {{ raw_rows('demo', 'touches') }}

),

renamed as (

    select
        -- keys
        touch_id,
        customer_id,
        campaign as campaign_id,

        -- attributes
        channel,
        is_control,
        offer,

        -- times
        sent_at,
        opened_at,
        clicked_at,
        redeemed_at,

        -- where it stands
        {{ place_columns() }}

    from raw_touches

)

select * from renamed
