-- Grain: one row per task, horizon_days, as_of_date and customer to be scored.
-- Whom there is to lose, or to win more of, on the score date.

with

clock as (

    select score_date from {{ ref('int_score_date') }}

),

outcomes as (

    {{ labels_of_tasks() }}

),

horizons as (

    select distinct
        task,
        horizon_days

    from {{ ref('model_splits') }}

    where role = 'score'

),

population as (

    select
        outcomes.task,
        outcomes.horizon_days,
        outcomes.as_of_date,
        outcomes.customer_id

    from outcomes

    inner join clock
        on outcomes.as_of_date = clock.score_date

    inner join horizons
        on outcomes.task = horizons.task
        and outcomes.horizon_days = horizons.horizon_days

    where outcomes.is_in_scope

)

select * from population
