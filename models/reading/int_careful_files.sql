-- Grain: one row per raw file that the engine cannot cut into lines, not read yet.

{{ config(materialized='table') }}

with

files_read as (

    select * from {{ ref('files_read') }}

    where needs_care and file_status <> 'copy'

),

declared as (

    select * from {{ ref('int_declared_files') }}

),

records as (

    select distinct reading_id

    from ({{ previous('careful_records', {'reading_id': 'integer'}) }}) as earlier

),

unread as (

    select
        files_read.reading_id,
        files_read.file_path,
        declared.declaration

    from files_read

    inner join declared
        on files_read.source_table = declared.source_table

    left join records
        on files_read.reading_id = records.reading_id

    where records.reading_id is null

    qualify
        row_number() over (
            partition by files_read.reading_id order by files_read.ledger_number desc
        ) = 1

)

select * from unread
