-- Grain: one row per line of the shop's files of events.
-- Names, types and units become ours here. Nothing is joined or dropped.

{{ config(enabled=('events' in perennial.setting('entities'))) }}

with

raw_events as (

    select * from {{ perennial.raw_rows('shop', 'events', numbered=false) }}

),

renamed as (

    select
        -- keys
        event_id,
        customer_id,
        session_id,

        -- attributes
        event_name,
        module,

        -- measures
        duration_seconds,

        -- times
        occurred_at,

        -- where it stands
        {{ perennial.place_columns() }}

    from raw_events

)

select * from renamed
