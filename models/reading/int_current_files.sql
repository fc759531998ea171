-- Grain: one row per raw file.
-- Nothing is read this way yet: empty, with the columns that it will have.

{{ config(materialized='view') }}

with

nothing as (

    select
        cast(null as varchar) as source_table,
        cast(null as varchar) as source_file,
        cast(null as varchar) as file_format,
        cast(null as varchar) as file_sha256,
        cast(null as date) as first_read_date,
        cast(null as date) as last_scored_date,
        cast(null as bigint) as lines_count

    where false

)

select * from nothing
