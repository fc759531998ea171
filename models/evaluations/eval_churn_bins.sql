-- Grain: one row per population, task, model_name, as_of_date, horizon_days and decile.
-- Customers in ten groups by the score that ranks, the highest first; ties by
-- customer_id, so that a group is the same in every run.

with

ranked as (

    select
        *,
        ntile(10) over (
            partition by population, task, model_name, as_of_date, horizon_days
            order by raw_score desc, customer_id asc
        ) as decile

    from {{ ref('eval_churn_predictions') }}

),

bins as (

    select
        population,
        task,
        model_name,
        as_of_date,
        horizon_days,
        decile,
        count(*) as customers_count,
        count(*) filter (where is_positive) as positives_count,
        sum(probability) as probability_sum

    from ranked

    group by population, task, model_name, as_of_date, horizon_days, decile

)

select * from bins
