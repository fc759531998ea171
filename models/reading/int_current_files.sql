-- Grain: one row per raw file whose rows count now.
-- Of a file that was read again the last reading counts; of one that moved, its new
-- place. A copy of a file counts for nothing, nor one that no source declares any more.

{{ config(materialized='table') }}

with

files_read as (

    select * from {{ ref('files_read') }}

    where file_status <> 'copy'

),

careful_records as (

    select
        reading_id,
        sum(source_lines_count) as careful_lines_count

    from {{ ref('careful_records') }}

    group by reading_id

),

places as (

    select *

    from files_read

    qualify
        row_number() over (
            partition by reading_id order by ledger_number desc
        ) = 1

),

readings as (

    select *

    from places

    qualify
        row_number() over (
            partition by source_table, file_path order by ledger_number desc
        ) = 1

),

-- the day of its first reading and what was scored by then do not move with a file
first_readings as (

    select
        reading_id,
        -- the first run had scored nothing, and min_by would pass over that
        arg_min_null(last_scored_date, ledger_number) as last_scored_date

    from files_read

    group by reading_id

),

current_files as (

    select
        readings.reading_id,
        readings.source_table,
        readings.source_file,
        readings.file_path,
        readings.file_format,
        readings.file_sha256,
        readings.lines_count,
        careful_records.careful_lines_count,
        readings.header,
        readings.column_types,
        readings.has_header,
        readings.needs_care,
        readings.has_quotes,
        readings.has_control_characters,
        readings.first_read_date,
        first_readings.last_scored_date

    from readings

    inner join first_readings
        on readings.reading_id = first_readings.reading_id

    left join careful_records
        on readings.reading_id = careful_records.reading_id

    where readings.file_status <> 'withdrawn'

)

select * from current_files
