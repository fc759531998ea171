-- Grain: one row per model_name, as_of_date, horizon_days, target and decile.
-- Customers in ten groups by prediction, the highest first; ties by customer_id, so
-- that a group is the same in every run.

with

ranked as (

    select
        model_name,
        as_of_date,
        horizon_days,
        target,
        is_probability,
        predicted,
        actual,
        ntile(10) over (
            partition by model_name, as_of_date, horizon_days, target
            order by predicted desc, customer_id asc
        ) as decile

    from {{ ref('eval_predictions') }}

),

deciles as (

    select
        model_name,
        as_of_date,
        horizon_days,
        target,
        is_probability,
        decile,
        count(*) as customers_count,
        sum(predicted) as predicted_sum,
        sum(actual) as actual_sum

    from ranked

    group by
        model_name,
        as_of_date,
        horizon_days,
        target,
        is_probability,
        decile

)

select * from deciles
