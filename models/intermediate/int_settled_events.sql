-- Grain: one row per event row that was refused or excluded.
-- Nothing is read this way yet: empty, with the columns that it will have.

{{ config(materialized='view') }}

with

nothing as (

    select
        cast(null as varchar) as event_id,
        cast(null as varchar) as customer_id,
        cast(null as varchar) as source_file,
        cast(null as bigint) as source_line,
        cast(null as bigint) as source_lines_count,
        cast(null as varchar) as reject_reason,
        cast(null as varchar) as exclude_reason,
        cast(null as varchar) as source_text

    where false

)

select * from nothing
