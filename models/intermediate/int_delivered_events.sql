-- Grain: one row per product event that the connector delivered.
-- The seam: no other model asks which connector is in use, and what it delivers.

{{ config(materialized='view') }}

with

nothing as (

    select {{ typed_nulls('events') }}

    where false

),

delivered as (

    select * from nothing

    {% if 'events' in setting('entities') -%}
        union all by name

        select * from {{ ref('stg_' ~ var('connector') ~ '__events') }}
    {%- endif %}

),

typed as (

    select {{ typed_columns('events') }}

    from delivered

)

select * from typed
