-- A row here is a customer whose subscription ended although one is live at the end of
-- the window, or goes on although none is: by the accepted subscriptions, as they are
-- known at the score date.

with

live_ends as (

    select distinct
        churn.customer_id,
        churn.as_of_date,
        churn.horizon_days

    from {{ ref('outcome_churn') }} as churn

    inner join {{ ref('input_subscriptions') }} as subscriptions
        on churn.customer_id = subscriptions.customer_id
        and date_diff(
            'day',
            churn.as_of_date,
            {{ business_day('subscriptions.started_at') }}
        ) <= churn.horizon_days
        and coalesce(
            date_diff(
                'day',
                churn.as_of_date,
                {{ business_day('subscriptions.ended_at') }}
            ) > churn.horizon_days,
            true
        )

    inner join {{ ref('int_score_date') }} as clock
        on subscriptions.known_date <= clock.score_date
        and (
            subscriptions.superseded_date is null
            or subscriptions.superseded_date > clock.score_date
        )

)

select
    churn.customer_id,
    churn.as_of_date,
    churn.horizon_days,
    churn.is_churned,
    churn.label_reason

from {{ ref('outcome_churn') }} as churn

left join live_ends
    on churn.customer_id = live_ends.customer_id
    and churn.as_of_date = live_ends.as_of_date
    and churn.horizon_days = live_ends.horizon_days

where
    churn.label_reason in ('subscription_ended', 'still_subscribed')
    and (
        (live_ends.customer_id is not null) is distinct from (
            churn.label_reason = 'still_subscribed'
        )
        or (live_ends.customer_id is not null) is not distinct from churn.is_churned
    )
