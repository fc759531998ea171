-- Grain: one row per file of events.
-- Nothing is read this way yet: empty, with the columns that it will have.

{{ config(materialized='view') }}

with

nothing as (

    select
        cast(null as varchar) as source_file,
        cast(null as bigint) as lines_count

    where false

)

select * from nothing
