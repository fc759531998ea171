-- Grain: one row per population, task, model_name, as_of_date and horizon_days that
-- can be judged.
-- A number for each keeps the tables of its customers narrow, the longest ones.

with

cases as (

    select
        population,
        task,
        model_name,
        as_of_date,
        horizon_days,
        cast(
            row_number() over (
                order by population, task, horizon_days, as_of_date, model_name
            ) as integer
        ) as case_number,
        count(*) as customers_count,
        count(*) filter (where is_positive) as positives_count

    from {{ ref('eval_churn_predictions') }}

    group by population, task, model_name, as_of_date, horizon_days

)

select * from cases
