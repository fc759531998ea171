-- Grain: one row per support ticket that the connector delivered.
-- The seam: no other model asks which connector is in use, and what it delivers.

{{ config(materialized='view') }}

with

nothing as (

    select {{ typed_nulls('tickets') }}

    where false

),

delivered as (

    select * from nothing

    {% if 'tickets' in setting('entities') -%}
        union all by name

        select * from {{ ref('stg_' ~ var('connector') ~ '__tickets') }}
    {%- endif %}

),

typed as (

    select {{ typed_columns('tickets') }}

    from delivered

    -- not the rows of a file that was read again since, or is declared no more
    where
        reading_id is null
        or reading_id in (select reading_id from {{ ref('int_current_files') }})

)

select * from typed
