-- Grain: one row per version of a message, or of the decision to send none.
-- The days of what the version tells: sent, opened, followed and redeemed. Each counts
-- from its own day, whenever it was filled in.

with

versions as (

    select
        customer_id,
        touch_id,
        loaded_at,
        not coalesce(is_control, false) as is_sent,
        offer is not null as is_offer,
        {{ business_day('sent_at') }} as sent_date,
        {{ business_day('opened_at') }} as opened_date,
        {{ business_day('clicked_at') }} as clicked_date,
        {{ business_day('redeemed_at') }} as redeemed_date,
        known_date,
        superseded_date

    from {{ ref('input_touches') }}

),

dated as (

    select
        customer_id,
        touch_id,
        loaded_at,
        is_sent,
        is_offer,
        sent_date,
        greatest(known_date, sent_date) as from_date,
        superseded_date,
        opened_date,
        clicked_date,
        redeemed_date

    from versions

)

select * from dated
order by sent_date
