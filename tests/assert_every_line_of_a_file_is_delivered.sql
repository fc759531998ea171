-- A row here is a file of which lines were lost or doubled before they were judged: the
-- records that staging delivered do not cover as many lines as the file was counted to
-- have when it was opened. A file may serve several domains; one gets every line.

with

delivered as (

    select
        reading_id,
        max(lines_count) as delivered_lines_count

    from {{ ref('input_files') }}

    group by reading_id

),

files as (

    select
        current_files.reading_id,
        current_files.source_table,
        current_files.source_file,
        current_files.lines_count,
        coalesce(delivered.delivered_lines_count, 0) as delivered_lines_count

    from {{ ref('int_current_files') }} as current_files

    left join delivered
        on current_files.reading_id = delivered.reading_id

)

select *

from files

where lines_count <> delivered_lines_count
