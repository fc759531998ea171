-- Grain: one row per registered model, as of the score date.
-- Its stage is what the promotion log last said of it.

{{ config(materialized='view') }}

{{ stages_of_models(ref('model_registry'), ref('promotion_log')) }}
