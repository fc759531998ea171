-- Grain: one row per event line of a file.
-- What is stored of an event: whose copy it could be, and what is wrong with it. The
-- event itself stays in its file. Only files that are not in here yet are read.

{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook="{{ forget_readings() }}"
) }}

{%- set current_files = ref('int_current_files') %}
{%- set unread -%}
    select file_path from {{ current_files }}
    {% if is_incremental() -%}
        where reading_id not in (
            select reading_id from {{ this }} where reading_id is not null
        )
    {%- endif %}
{%- endset %}

with

files as (

    select
        reading_id,
        first_read_date

    from {{ current_files }}

),

delivered as (

    select delivered.*

    from {{ ref('int_delivered_events') }} as delivered

    {% if is_incremental() and are_events_in_files() %}
        where delivered.file_path in {{ literals(listed(current_files, unread)) }}
    {% endif %}

),

judged as (

    select
        delivered.reading_id,
        {{ event_key() }} as event_key,
        {{ event_content() }} as content,
        cast(delivered.source_lines_count as smallint) as source_lines_count,
        case
            {{ own_faults('events') }}
            when duration_seconds < 0 then 'negative_duration'
            {{ future_fault('events') }}
        end as reject_reason,
        case when delivered.exclude_reason is not null then true end as is_excluded

    from delivered

    left join files
        on delivered.reading_id = files.reading_id

)

select * from judged
