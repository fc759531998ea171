-- Grain: one row per population, model_name, as_of_date, horizon_days, target and
-- decile.

with

deciles as (

    select * from {{ ref('eval_deciles') }}

),

averaged as (

    select
        population,
        model_name,
        as_of_date,
        horizon_days,
        target,
        decile,
        customers_count,
        cast(predicted_sum as {{ prediction() }}) as predicted_sum,
        cast(actual_sum as {{ prediction() }}) as actual_sum,
        cast(predicted_sum as double) / customers_count as predicted_mean,
        cast(actual_sum as double) / customers_count as actual_mean

    from deciles

)

select * from averaged
