-- Grain: one row per version of an accepted product event.
-- The contract: whatever the source was, events look like this from here on.

with

checked_events as (

    select * from {{ ref('int_delivered_events') }}

),

accepted as (

    select
        event_id,
        customer_id,
        occurred_at,
        event_name,
        session_id,
        duration_seconds,
        module,
        loaded_at,
        {{ business_day('occurred_at') }} as known_date,
        cast(null as date) as superseded_date,
        source_file,
        source_line

    from checked_events

    where row_fault is null

)

select * from accepted
