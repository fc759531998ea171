-- Grain: one row per registered model of amounts, as of the score date.
-- Its stage is what the log last said of it.

{{ config(materialized='view') }}

{{ stages_of_models(ref('fit_value_models'), ref('fit_value_promotions')) }}
