-- Grain: one row per version of an accepted marketing touch.
-- The contract: whatever the source was, touches look like this from here on.

with

checked_touches as (

    select * from {{ ref('int_checked_touches') }}

),

accepted as (

    select
        touch_id,
        customer_id,
        sent_at,
        campaign_id,
        channel,
        is_control,
        opened_at,
        clicked_at,
        redeemed_at,
        offer,
        loaded_at,
        known_date,
        superseded_date,
        source_file,
        source_line

    from checked_touches

    where reject_reason is null and exclude_reason is null

)

select * from accepted
