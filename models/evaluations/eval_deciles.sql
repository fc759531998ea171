-- Grain: one row per population, model_name, as_of_date, horizon_days, target and
-- decile.
-- Customers in ten groups by prediction, the highest first; ties by customer_id, so
-- that a group is the same in every run.

with

ranked as (

    select
        population,
        model_name,
        as_of_date,
        horizon_days,
        target,
        is_probability,
        predicted,
        actual,
        ntile(10) over (
            partition by population, model_name, as_of_date, horizon_days, target
            order by predicted desc, customer_id asc
        ) as decile

    from {{ ref('eval_predictions') }}

),

deciles as (

    select
        population,
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
        population,
        model_name,
        as_of_date,
        horizon_days,
        target,
        is_probability,
        decile

)

select * from deciles
