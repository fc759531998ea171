-- A row here is a customer with a higher raw score than another, and a lower
-- probability: the calibrator would have turned the model's order round.

with

scores as (

    select
        task,
        model_name,
        as_of_date,
        horizon_days,
        customer_id,
        raw_score,
        probability,
        max(probability) over (
            partition by task, model_name, as_of_date, horizon_days
            order by raw_score asc
            range between unbounded preceding and current row
        ) as highest_so_far

    from {{ ref('score_churn') }}

    -- the base rate of whom a model says nothing has no place in its order
    where model_source = model_name

)

select * from scores

where probability < highest_so_far
