-- Grain: one row per population, task, model_name, as_of_date, horizon_days and metric.
-- How good each candidate was on past dates, beside the base rate. Never pooled over
-- dates.

with

metrics as (

    select * from {{ ref('eval_churn') }}

),

explained as (

    select
        population,
        task,
        model_name,
        as_of_date,
        horizon_days,
        metric,
        metric_value,
        case
            when metric_value is not null then ''
            when positives_count = 0 then 'it happened to nobody'
            else 'it happened to everybody'
        end as metric_note,
        customers_count,
        positives_count

    from metrics

)

select * from explained
