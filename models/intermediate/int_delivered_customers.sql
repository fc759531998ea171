-- Grain: one row per customer that the connector delivered.
-- The seam: no other model asks which connector is in use, and what it delivers.

{{ config(materialized='view') }}

with

nothing as (

    select {{ typed_nulls('customers') }}

    where false

),

delivered as (

    select * from nothing

    {% if 'customers' in setting('entities') -%}
        union all by name

        select * from {{ ref('stg_' ~ var('connector') ~ '__customers') }}
    {%- endif %}

),

typed as (

    select {{ typed_columns('customers') }}

    from delivered

    -- not the rows of a file that was read again since, or is declared no more
    where
        reading_id is null
        or reading_id in (select reading_id from {{ ref('int_current_files') }})

)

select * from typed
