-- Grain: one row per accepted event, and per version of it.
-- A view over the files: an event is never copied. Lines that had to be judged by
-- themselves are left out, and those of them that were accepted added.

with

files as (

    select
        reading_id,
        last_scored_date

    from {{ ref('int_event_files') }}

),

judged_rows as (

    select distinct {{ event_line('content') }} as event_line

    from {{ ref('int_settled_events') }}

),

delivered as (

    select
        *,
        {{ event_line(event_content()) }} as event_line

    from {{ ref('int_delivered_events') }}

),

usual as (

    select
        delivered.*,
        files.last_scored_date,
        cast(null as date) as superseded_date

    from delivered

    left join files
        on delivered.reading_id = files.reading_id

    -- a join and no subquery, which would group all events by all that they say
    left join judged_rows
        on delivered.event_line = judged_rows.event_line

    where judged_rows.event_line is null

),

dated as (

    select
        *,
        {{ known_date('events') }} as known_date

    from usual

),

accepted as (

    select {{ event_columns() }} from dated

    union all

    select {{ event_columns() }}

    from {{ ref('int_settled_events') }}

    where reject_reason is null and exclude_reason is null

)

select * from accepted
