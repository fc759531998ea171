-- Grain: one row per population, model_name, as_of_date, horizon_days, target and
-- metric.
-- How good each model was on past dates, beside the baselines. Never pooled over dates.

with

metrics as (

    select * from {{ ref('eval_errors') }}
    union all
    select * from {{ ref('eval_rankings') }}
    union all
    select * from {{ ref('eval_activity') }}
    union all
    select * from {{ ref('eval_calibration') }}
    union all
    -- of all customers they stand there already
    select * from {{ ref('eval_value_metrics') }} where population <> 'all'

),

explained as (

    select
        population,
        model_name,
        as_of_date,
        horizon_days,
        target,
        metric,
        metric_value,
        case
            when metric_value is not null then ''
            when metric in ('brier_score', 'accuracy', 'expected_calibration_error')
                then 'the rule ranks customers and gives no probability'
            when metric = 'roc_auc' then 'all customers were active, or none was'
            when metric = 'spearman_correlation'
                then 'all predictions are equal, or all outcomes'
            when metric = 'r_squared' then 'all outcomes are equal'
            when metric = 'mean_decile_error' then 'a decile bought nothing'
            else 'nobody bought anything'
        end as metric_note,
        customers_count

    from metrics

)

select * from explained
