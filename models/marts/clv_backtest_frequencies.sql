-- Grain: one row per population, model_name, as_of_date, horizon_days and
-- repeat_order_days_band.

with

by_frequency as (

    select * from {{ ref('eval_by_frequency') }}

),

averaged as (

    select
        population,
        model_name,
        as_of_date,
        horizon_days,
        repeat_order_days_band,
        customers_count,
        cast(predicted_sum as double) / customers_count as predicted_mean,
        cast(actual_sum as double) / customers_count as actual_mean

    from by_frequency

)

select * from averaged
