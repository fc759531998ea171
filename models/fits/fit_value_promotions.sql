-- Grain: one row per gate that a model of amounts came to, and per decision about one.
-- Appended to, never rewritten, kept through a full refresh. `perennial models approve`
-- and `rollback` append to it too.

{{ config(
    materialized='incremental',
    incremental_strategy='append',
    full_refresh=false,
    on_schema_change='append_new_columns'
) }}

{{ decided_promotions(
    ref('fit_value_rivals'),
    ref('fit_value_gates'),
    previous('fit_value_promotions', {'event_number': 'bigint'})
) }}
