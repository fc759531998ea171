-- Grain: one row per file, day on which its events happened, and module.
-- Which days a file tells of: so a day is counted anew only when a file tells more of
-- it. Only files that are not in here yet are read. Rows of a table of a database have
-- no file; what they say is hashed instead.

{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook="{{ forget_readings() }}"
) }}

{%- set current_files = ref('int_current_files') %}
{%- set sources = event_sources() %}
{%- set unread_paths = listed(
    current_files,
    'select file_path from ' ~ current_files
    ~ ' where source_table in ' ~ literals(sources)
    ~ (' and reading_id not in (select reading_id from ' ~ this
        ~ ' where reading_id is not null)' if is_incremental() else '')
) %}

with

events as (

    select
        reading_id,
        module,
        {{ business_day('occurred_at') }} as activity_date,
        {% if execute and sources -%}
            cast(null as ubigint) as content
        {%- else -%}
            hash(
                event_id, customer_id, occurred_at, event_name, session_id,
                duration_seconds, loaded_at, superseded_date
            ) as content
        {%- endif %}

    from {{ ref('input_events') }}

    {% if execute and sources -%}
        where file_path in {{ literals(unread_paths) }}
    {%- endif %}

),

days as (

    select
        reading_id,
        activity_date,
        module,
        count(*) as events_count,
        bit_xor(content) as content

    from events

    group by reading_id, activity_date, module

)

select * from days
