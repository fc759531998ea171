-- Grain: one row per event line of a file.
-- What is stored of an event: whose copy it could be, and what is wrong with it. The
-- event itself stays in its file. Only files that are not in here yet are read, and
-- their rows stand in the order of the lines.

{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook="{{ forget_readings() }}"
) }}

{%- set current_files = ref('int_current_files') %}
{%- set all_delivered, sources = ref('int_delivered_events'), event_sources() %}
{%- set unread -%}
    from {{ current_files }}
    where source_table in {{ literals(sources) }}
    {% if is_incremental() -%}
        and reading_id not in (
            select distinct reading_id from {{ this }} where reading_id is not null
        )
    {%- endif %}
{%- endset %}
{%- set unread_paths = listed(current_files, 'select file_path ' ~ unread) %}
{#- The days of files stand here as literals: a join could turn their lines round. Each
    is the readings of a day, and the day. -#}
{%- set first_read_dates = listed(
    current_files,
    "select string_agg(reading_id, ', ' order by reading_id) || ' ' || first_read_date "
    ~ unread ~ " group by first_read_date order by first_read_date"
) %}
{#- Of so many sessions one is followed: about two million events, however many a run
    reads. -#}
{%- set lines_count = listed(current_files, 'select sum(lines_count) ' ~ unread)
    if sources else listed(all_delivered, 'select count(*) from ' ~ all_delivered) %}
{%- set sessions_step = 1 + (lines_count | first | default(0, true) | int) // 2000000 %}

with

delivered as (

    select
        *,
        case
            when reading_id is null then cast(null as date)
            {% for readings in first_read_dates -%}
                when reading_id in ({{ readings[:-11] or 0 }})
                    then {{ date_literal(readings[-10:]) }}
            {% endfor -%}
        end as first_read_date,
        session_id is not null and hash(session_id) % {{ sessions_step }} = 0
            as is_followed

    from {{ all_delivered }}

    {% if is_incremental() and sources %}
        where file_path in {{ literals(unread_paths) }}
    {% endif %}

),

judged as (

    select
        reading_id,
        {{ event_key() }} as event_key,
        {{ event_content() }} as content,
        cast(source_lines_count as smallint) as source_lines_count,
        case
            when row_fault is null and exclude_reason is not null then 'excluded'
            {{ own_faults('events') }}
            when duration_seconds < 0 then 'negative_duration'
            {{ future_fault('events') }}
        end as verdict,
        case when is_followed then hash(session_id) end as session_key,
        case when is_followed then hash(customer_id) end as customer_key,
        case when is_followed then occurred_at end as occurred_at,
        case when is_followed then source_line end as source_line

    from delivered

)

select * from judged
