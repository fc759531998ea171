-- Grain: one row per accepted event, and per version of it.
-- A view over the files: an event is never copied. Lines that had to be judged by
-- themselves are left out by what they say, and those of them that were accepted added.

with

files as (

    select
        reading_id,
        last_scored_date

    from {{ ref('int_event_files') }}

),

judged_rows as (

    select distinct
        coalesce(reading_id, -1) as reading_id,
        content

    from {{ ref('int_settled_events') }}

),

usual as (

    select
        delivered.*,
        {{ known_date('events') }} as known_date,
        cast(null as date) as superseded_date

    from {{ ref('int_delivered_events') }} as delivered

    left join files
        on delivered.reading_id = files.reading_id

    where
        not exists (
            select 1

            from judged_rows

            where
                judged_rows.content = {{ event_content() }}
                and judged_rows.reading_id = coalesce(delivered.reading_id, -1)
        )

),

accepted as (

    select {{ event_columns() }} from usual

    union all

    select {{ event_columns() }}

    from {{ ref('int_settled_events') }}

    where reject_reason is null and exclude_reason is null

)

select * from accepted
