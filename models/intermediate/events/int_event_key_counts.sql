-- Grain: one row.
-- How many usable event lines there are, and how many keys among them. In parts, so
-- that the different keys of a part are few enough for the memory.

{{ config(materialized='table') }}

{%- set parts_count = 8 %}

with

counted as (

    {% for part in range(parts_count) -%}
        select
            count(*) as rows_count,
            count(distinct event_key) as keys_count

        from {{ ref('int_checked_events') }}

        where
            reject_reason is null
            and is_excluded is null
            and event_key % {{ parts_count }} = {{ part }}

        {{ 'union all' if not loop.last }}

    {% endfor %}

)

select
    cast(sum(rows_count) as bigint) as rows_count,
    cast(sum(keys_count) as bigint) as keys_count

from counted
