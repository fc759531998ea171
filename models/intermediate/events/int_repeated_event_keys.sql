-- Grain: one row per file that was compared, and one per key that it repeats.
-- A new file is compared with what is stored of all events, never with old files. The
-- row without a key says that the file was compared.

{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook="{{ forget_readings() }}"
) }}

-- depends_on: {{ ref('int_current_files') }}

{%- set checked = ref('int_checked_events') %}
{%- set compared = listed(
    this, 'select distinct reading_id from ' ~ this ~ ' where reading_id is not null'
) if is_incremental() else [] %}
{%- set is_new = '(reading_id is null or reading_id in '
    ~ event_readings_without(compared) ~ ')' if compared else 'true' %}
{#- To name the repeated keys takes twice as long as to count keys, and mostly the new
    files repeat none. -#}
{%- set counts = ref('int_event_key_counts') %}
{%- set may_repeat = listed(
    counts,
    'select coalesce(bool_or(rows_count > keys_count), false) from ('
    ~ 'select rows_count, keys_count, unnest(readings) as reading_id from ' ~ counts
    ~ ') as counted where ' ~ is_new
) | first | default(true) | lower %}

with

compared as (

    select distinct reading_id

    from {{ checked }}

    where {{ is_new }}

),

-- no key at all is looked at again while none is repeated
repeated as (

    select event_key

    from {{ checked }}

    where
        verdict is null
        and {{ may_repeat }}
        {% if compared -%}
            and event_key in (
                select event_key

                from {{ checked }}

                where verdict is null and {{ is_new }}

                {{ limit_of_lines(checked, 'verdict is null and ' ~ is_new) }}
            )
        {%- endif %}

    group by event_key

    having count(*) > 1

),

named as (

    select distinct
        reading_id,
        event_key

    from {{ checked }}

    where
        verdict is null
        and {{ is_new }}
        and event_key in (select event_key from repeated)

),

findings as (

    select
        reading_id,
        cast(null as ubigint) as event_key

    from compared

    union all

    select
        reading_id,
        event_key

    from named

)

select * from findings
