-- Grain: one row per person who was erased.
-- `perennial erase` appends to it, and a full refresh keeps it. Nobody can be told from
-- a row: the key of the hash is not kept here.

{{ config(
    materialized='incremental',
    incremental_strategy='append',
    full_refresh=false,
    on_schema_change='append_new_columns'
) }}

select
    cast(null as varchar) as customer_hash,
    cast(null as varchar) as key_check,
    cast(null as date) as erased_date,
    cast(null as varchar) as reason

where false
