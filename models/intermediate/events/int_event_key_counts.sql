-- Grain: one row per run that found events which no run had counted.
-- How many usable event lines there are, and how many keys no line before them had.
-- What is new is compared with all, never all with all; its own keys are counted in
-- parts, so that those of a part are few enough for the memory.

{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook="{{ forget_counts() }}"
) }}

-- depends_on: {{ ref('int_current_files') }}

{%- set checked, parts_count = ref('int_checked_events'), 8 %}
{%- set counted = counted_readings() %}
{%- set is_new = 'reading_id in ' ~ event_readings_without(counted)
    if counted else 'true' %}

with

readings as (

    select list(distinct reading_id order by reading_id) as readings

    from {{ checked }}

    where {{ is_new }}

),

uncounted as (

    select event_key

    from {{ checked }}

    where
        verdict is null
        and {{ is_new }}

),

counted as (

    {% for part in range(parts_count) -%}
        select
            count(*) as rows_count,
            count(distinct event_key) as keys_count

        from uncounted

        where event_key % {{ parts_count }} = {{ part }}

        {{ 'union all' if not loop.last }}

    {% endfor %}

),

known as (

    select count(distinct event_key) as keys_count

    from {{ checked }}

    where
        verdict is null
        and not ({{ is_new }})
        {% if counted -%}
            and event_key in (
                select event_key

                from uncounted

                {{ limit_of_lines(checked, 'verdict is null and ' ~ is_new) }}
            )
        {%- endif %}

),

summed as (

    select
        cast(sum(rows_count) as bigint) as rows_count,
        cast(sum(keys_count) as bigint) as keys_count

    from counted

)

select
    readings.readings,
    summed.rows_count,
    summed.keys_count - known.keys_count as keys_count

from readings

cross join summed

cross join known

where readings.readings is not null
