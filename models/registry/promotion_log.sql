-- Grain: one row per gate that a model came to, and per decision about a model.
-- Appended to, never rewritten, kept through a full refresh. `perennial models approve`
-- and `rollback` append to it too.

{{ config(
    materialized='incremental',
    incremental_strategy='append',
    full_refresh=false,
    on_schema_change='append_new_columns'
) }}

{{ decided_promotions(
    ref('models_to_judge'),
    ref('model_gates'),
    previous('promotion_log', {'event_number': 'bigint'})
) }}
