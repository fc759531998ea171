-- Grain: one row per population, model_name, as_of_date, horizon_days, target and
-- metric.
-- Whether the better customers stand first. Everything is summed as whole numbers or
-- exact decimals; the one division comes last.

{{ ranking_metrics(ref('eval_predictions')) }}
