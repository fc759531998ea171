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

settled as (

    select
        reading_id,
        sum(source_lines_count) filter (where reject_reason is not null)
            as refused_lines_count,
        sum(source_lines_count) filter (where reject_reason = 'erased')
            as erased_lines_count,
        sum(source_lines_count) filter (where exclude_reason is not null)
            as excluded_lines_count

    from {{ ref('int_settled_events') }}

    group by reading_id

),

files as (

    select
        checked.reading_id,
        coalesce(current_files.source_file, 'stg_{{ var('connector') }}__events')
            as source_file,
        current_files.last_scored_date,
        cast(checked.rows_count as bigint) as rows_count,
        cast(checked.lines_count as bigint) as lines_count,
        cast(coalesce(settled.refused_lines_count, 0) as bigint)
            as refused_lines_count,
        cast(coalesce(settled.erased_lines_count, 0) as bigint)
            as erased_lines_count,
        cast(coalesce(settled.excluded_lines_count, 0) as bigint)
            as excluded_lines_count

    from checked

    left join {{ ref('int_current_files') }} as current_files
        on checked.reading_id = current_files.reading_id

    left join settled
        on checked.reading_id is not distinct from settled.reading_id

    where checked.reading_id is null or current_files.reading_id is not null

)

select * from files
