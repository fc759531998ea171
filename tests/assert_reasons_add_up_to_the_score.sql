-- A row here is a score whose reasons add up to another one: the explanation would be
-- about some other model, or about other features than those that were scored.

with

reasons as (

    select
        task,
        horizon_days,
        as_of_date,
        customer_id,
        model_id,
        sum(cast(contribution as decimal(18, 9))) as told_score

    from {{ ref('reason_contributions') }}

    group by task, horizon_days, as_of_date, customer_id, model_id

),

disagreeing as (

    select
        reasons.*,
        scores.raw_score

    from reasons

    left join {{ ref('reason_scores') }} as scores
        on reasons.task = scores.task
        and reasons.horizon_days = scores.horizon_days
        and reasons.as_of_date = scores.as_of_date
        and reasons.customer_id = scores.customer_id
        and reasons.model_id = scores.model_id

    where
        scores.raw_score is null
        or abs(scores.raw_score - cast(reasons.told_score as double)) > 1e-4

)

select * from disagreeing
