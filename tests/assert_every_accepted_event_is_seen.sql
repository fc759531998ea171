-- A row here is a file of which the view of events shows more or fewer rows than were
-- accepted: a refused line comes through, or leaving it out took a good one along. Only
-- the files that this run read first are opened for it.

{%- set new_files = listed(
    ref('files_read'),
    'select distinct source_file from ' ~ ref('files_read')
    ~ ' where ' ~ is_new_reading()
) %}

with

checked as (

    select
        source_file,
        sum(rows_count) as rows_count

    from {{ ref('int_event_files') }}

    where source_file in {{ literals(new_files) }} or reading_id is null

    group by source_file

),

settled as (

    select
        source_file,
        count(*) filter (
            where reject_reason is not null or exclude_reason is not null
        ) as left_out_count

    from {{ ref('int_settled_events') }}

    group by source_file

),

seen as (

    select
        source_file,
        count(*) as rows_count

    from {{ ref('input_events') }}

    where
        source_file in {{ literals(new_files) }}
        or source_file = 'stg_{{ var('connector') }}__events'

    group by source_file

),

files as (

    select
        checked.source_file,
        checked.rows_count - coalesce(settled.left_out_count, 0) as accepted_count,
        coalesce(seen.rows_count, 0) as seen_count

    from checked

    left join settled
        on checked.source_file = settled.source_file

    left join seen
        on checked.source_file = seen.source_file

)

select *

from files

where accepted_count <> seen_count
