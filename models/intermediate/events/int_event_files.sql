-- Grain: one row per file of events.
-- How many of its lines were looked at, counted apart from the verdicts on them.

{{ config(materialized='table') }}

with

checked as (

    select
        reading_id,
        sum(source_lines_count) as lines_count,
        count(*) as rows_count

    from {{ ref('int_checked_events') }}

    group by reading_id

),

files as (

    select
        coalesce(current_files.source_file, 'stg_{{ var('connector') }}__events')
            as source_file,
        checked.reading_id,
        checked.lines_count,
        checked.rows_count

    from checked

    left join {{ ref('int_current_files') }} as current_files
        on checked.reading_id = current_files.reading_id

    where checked.reading_id is null or current_files.reading_id is not null

)

select * from files
