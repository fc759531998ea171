-- Grain: one row per line of the company's files of events.
-- Names, types and units become ours here. Nothing is joined or dropped. A view: an
-- event stays in its file.

{{ config(materialized='view', enabled=(var('connector') == 'demo')) }}

with

raw_events as (

    select * from {{ raw_rows('demo', 'events', numbered=false) }}

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
        synced_at as loaded_at,

        -- where it stands
        {{ place_columns() }}

    from raw_events

)

select * from renamed
