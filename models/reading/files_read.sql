-- Grain: one row per reading of a raw file.
-- The ledger: appended to, never rewritten, kept through a full refresh. The day of a
-- reading comes from the reading step, and no model knows another wall clock.

{{ config(
    materialized='incremental',
    incremental_strategy='append',
    full_refresh=false,
    on_schema_change='fail'
) }}

{{ stop_at_faulty_files(ref('files_found')) }}

{{ stop_without_key(ref('erasures')) }}

with

files_found as (

    select * from {{ ref('files_found') }}

    where
        file_status in (
            'new', 'replaced', 'moved', 'copy', 'withdrawn', 'returned'
        )

),

known_files as (

    select *

    from ({{ previous('files_read', {
        'reading_id': 'integer',
        'source_table': 'varchar',
        'file_path': 'varchar',
        'file_sha256': 'varchar',
        'file_status': 'varchar',
        'ledger_number': 'integer',
    }) }}) as earlier

),

newest as (

    select coalesce(max(ledger_number), 0) as ledger_number from known_files

),

last_known as (

    select *

    from known_files

    qualify
        row_number() over (
            partition by source_table, coalesce(cast(reading_id as varchar), file_path)
            order by ledger_number desc
        ) = 1

),

last_scored as (

    select max(score_date) as last_scored_date

    from ({{ previous('int_score_date', {'score_date': 'date'}) }}) as scored

),

-- a copy is found by every run, and this model may run twice after one look
unknown as (

    select files_found.*

    from files_found

    left join last_known
        on files_found.source_table = last_known.source_table
        and files_found.file_path = last_known.file_path
        and files_found.file_sha256 = last_known.file_sha256
        and files_found.file_status = last_known.file_status
        and files_found.reading_id is not distinct from last_known.reading_id

    where last_known.file_path is null

),

read_now as (

    select
        unknown.reading_id,
        unknown.source_table,
        unknown.source_file,
        unknown.file_path,
        unknown.file_format,
        unknown.file_sha256,
        unknown.bytes_count,
        unknown.modified_at_ns,
        unknown.lines_count,
        unknown.header,
        unknown.column_types,
        unknown.has_header,
        unknown.needs_care,
        unknown.has_quotes,
        unknown.has_control_characters,
        unknown.file_status,
        unknown.first_read_date,
        last_scored.last_scored_date,
        cast(
            newest.ledger_number
            + row_number() over (order by unknown.source_table, unknown.file_path)
            as integer
        ) as ledger_number

    from unknown

    cross join newest

    cross join last_scored

)

select * from read_now
