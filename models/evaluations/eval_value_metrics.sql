-- Grain: one row per population, model_name, as_of_date, horizon_days, target and
-- metric.
-- How good candidates of value were on past dates, of all customers and of each route:
-- what a choice between them rests on.

with

errors as (

    {{ error_metrics(ref('eval_value_cases')) }}

),

rankings as (

    {{ ranking_metrics(ref('eval_value_cases')) }}

),

metrics as (

    select * from errors
    union all
    select * from rankings

)

select * from metrics
