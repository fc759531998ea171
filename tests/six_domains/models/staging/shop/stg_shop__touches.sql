-- Grain: one row per line of the shop's files of touches.
-- Names, types and units become ours here. Nothing is joined or dropped.

{{ config(enabled=('touches' in perennial.setting('entities'))) }}

with

raw_touches as (

    select * from {{ perennial.raw_rows('shop', 'touches') }}

),

renamed as (

    select
        -- keys
        touch_id,
        customer_id,
        campaign_id,

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
        {{ perennial.place_columns() }}

    from raw_touches

)

select * from renamed
