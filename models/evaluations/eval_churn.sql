-- Grain: one row per population, task, model_name, as_of_date, horizon_days and metric.
-- The metrics of everybody, by which models are chosen: segments are too small.

{{ config(materialized='view') }}

with

metrics as (

    select
        population,
        task,
        model_name,
        as_of_date,
        horizon_days,
        metric,
        metric_value,
        customers_count,
        positives_count

    from {{ ref('eval_churn_metrics') }}

    where segment_kind = 'all'

)

select * from metrics
