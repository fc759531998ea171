-- Grain: one row per population, model_name, as_of_date, horizon_days, target and
-- metric.
-- How far off: of all customers together, and of each one.

{{ error_metrics(ref('eval_predictions')) }}
