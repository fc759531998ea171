-- A row here is an outcome that is known although its window is not over yet (who still
-- has time to order would count as lost), or is not known although it is over and there
-- was something to tell.

with

outcomes as (

    select
        'value' as outcome,
        customer_id,
        as_of_date,
        horizon_days,
        is_active is not null as is_told,
        is_active is null as is_open

    from {{ ref('outcome_value') }}

    union all

    select
        'churn' as outcome,
        customer_id,
        as_of_date,
        horizon_days,
        is_churned is not null as is_told,
        label_reason = 'window_not_over' as is_open

    from {{ ref('outcome_churn') }}

    where label_reason <> 'not_subscribed'

    union all

    select
        'expansion' as outcome,
        customer_id,
        as_of_date,
        horizon_days,
        is_expanded is not null or mrr_change is not null as is_told,
        label_reason = 'window_not_over' as is_open

    from {{ ref('outcome_expansion') }}

    where label_reason <> 'revenue_not_told'

)

select outcomes.*

from outcomes

cross join {{ ref('int_score_date') }} as clock

where
    (
        date_diff('day', outcomes.as_of_date, clock.score_date)
        >= outcomes.horizon_days
    ) is distinct from outcomes.is_told
    or outcomes.is_told = outcomes.is_open
