-- A row here is a subscriber of whom the two outcomes tell two stories: lost, and yet
-- with a subscription, or gone, and yet not lost.

select
    expansion.customer_id,
    expansion.as_of_date,
    expansion.horizon_days,
    expansion.label_reason,
    churn.label_reason as churn_label_reason

from {{ ref('outcome_expansion') }} as expansion

inner join {{ ref('outcome_churn') }} as churn
    on expansion.customer_id = churn.customer_id
    and expansion.as_of_date = churn.as_of_date
    and expansion.horizon_days = churn.horizon_days

where
    churn.scope_reason = 'subscribed'
    and (expansion.label_reason = 'left')
    is distinct from (churn.label_reason = 'subscription_ended')
