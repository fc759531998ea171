-- Grain: one row per customer and horizon_days with a churn score and a value, as of
-- the score date.
-- What would be lost if the customer left. The expected amount counts the chance to
-- leave already, so that the risk is told beside it and not taken off once more: if the
-- customer surely stayed, the two together would come.

with

scores as (

    select
        customer_id,
        as_of_date,
        horizon_days,
        probability,
        risk_band

    from {{ ref('churn_scores_daily') }}

    where task = 'churn'

),

amounts as (

    select
        customer_id,
        as_of_date,
        horizon_days,
        clv_route,
        expected_amount,
        order_probability

    from {{ ref('clv_scores') }}

),

-- what who left still brought, for each unit that who stayed did
windows as (

    select
        revenue.horizon_days,
        cast(sum(revenue.future_amount) filter (where churn.is_churned) as double)
        / nullif(count(*) filter (where churn.is_churned), 0) as amount_if_left,
        cast(sum(revenue.future_amount) filter (where not churn.is_churned) as double)
        / nullif(count(*) filter (where not churn.is_churned), 0) as amount_if_stayed

    from {{ ref('outcome_revenue') }} as revenue

    inner join {{ ref('outcome_churn') }} as churn
        on revenue.customer_id = churn.customer_id
        and revenue.as_of_date = churn.as_of_date
        and revenue.horizon_days = churn.horizon_days
        and churn.is_in_scope

    where churn.is_churned is not null

    group by revenue.horizon_days

),

shares as (

    select
        horizon_days,
        round(
            least(greatest(
                coalesce(amount_if_left / nullif(amount_if_stayed, 0), 0), 0
            ), 1),
            6
        ) as share_if_left

    from windows

),

compared as (

    select
        scores.customer_id,
        scores.as_of_date,
        scores.horizon_days,
        amounts.clv_route,
        scores.probability as churn_probability,
        scores.risk_band,
        1 - amounts.order_probability as no_order_probability,
        amounts.expected_amount,
        coalesce(shares.share_if_left, 0) as share_if_left,
        cast(
            cast(amounts.expected_amount as double)
            / nullif(
                1 - scores.probability * (1 - coalesce(shares.share_if_left, 0)), 0
            ) as {{ prediction() }}
        ) as amount_if_staying

    from scores

    inner join amounts
        on scores.customer_id = amounts.customer_id
        and scores.as_of_date = amounts.as_of_date
        and scores.horizon_days = amounts.horizon_days

    left join shares
        on scores.horizon_days = shares.horizon_days

),

at_risk as (

    select
        *,
        cast(amount_if_staying - expected_amount as {{ prediction() }})
            as amount_at_risk

    from compared

)

select * from at_risk
