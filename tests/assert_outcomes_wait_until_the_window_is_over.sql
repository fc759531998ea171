-- A row here is an outcome that is known although its window is not over yet (who still
-- has time to order would count as lost), or is not known although it is over.

select
    outcomes.customer_id,
    outcomes.as_of_date,
    outcomes.horizon_days,
    outcomes.is_active

from {{ ref('outcome_value') }} as outcomes

cross join {{ ref('int_score_date') }} as clock

where
    (
        date_diff('day', outcomes.as_of_date, clock.score_date)
        >= outcomes.horizon_days
    ) is distinct from (outcomes.is_active is not null)
