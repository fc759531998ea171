-- Grain: one row per record of a file that the engine cannot cut into lines.

{{ config(
    materialized='incremental',
    incremental_strategy='append',
    full_refresh=false,
    on_schema_change='fail'
) }}

with

found as (

    select
        reading_id,
        source_line,
        source_lines_count,
        source_text,
        line_fault

    from {{ ref('careful_records_found') }}

    {% if is_incremental() %}
        where reading_id not in (select reading_id from {{ this }})
    {% endif %}

)

select * from found
