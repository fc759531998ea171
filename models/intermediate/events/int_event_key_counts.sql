-- Grain: one row.
-- How many usable event lines there are, and how many keys among them.

{{ config(materialized='table') }}

select
    count(*) as rows_count,
    count(distinct event_key) as keys_count

from {{ ref('int_checked_events') }}

where reject_reason is null and is_excluded is null
