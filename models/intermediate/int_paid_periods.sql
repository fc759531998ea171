-- Grain: one row per version of a subscription.
-- From when to when it was paid for, and how much a month, discount taken off. An end
-- that was told late ended the payments all the same, so that this looks ahead:
-- outcomes and the history of the score date read it, and features never do.

with

periods as (

    select
        periods.customer_id,
        periods.subscription_id,
        periods.version_number,
        periods.from_date,
        least(periods.to_date, lives.ended_date) as to_date,
        cast(
            greatest(
                coalesce(periods.mrr, 0) - coalesce(periods.discount_amount, 0), 0
            ) as {{ money() }}
        ) as monthly_amount

    from {{ ref('int_subscription_periods') }} as periods

    left join {{ ref('int_subscription_lives') }} as lives
        on periods.subscription_id = lives.subscription_id

)

select * from periods
