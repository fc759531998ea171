-- A row here is a customer who had ordered by the score date and has not exactly one
-- published score for a horizon.

with

customers as (

    select customer_id from {{ ref('dim_customers') }}

    where as_of_date is not null

),

horizons as (

    select distinct horizon_days from {{ ref('model_splits') }}

    where role = 'score'

),

scores as (

    select
        customer_id,
        horizon_days,
        count(*) as scores_count

    from {{ ref('clv_scores') }}

    group by customer_id, horizon_days

)

select
    customers.customer_id,
    horizons.horizon_days,
    scores.scores_count

from customers

cross join horizons

left join scores
    on customers.customer_id = scores.customer_id
    and horizons.horizon_days = scores.horizon_days

where scores.scores_count is distinct from 1
