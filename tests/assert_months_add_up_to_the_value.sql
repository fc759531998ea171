-- What comes in the months of a horizon is what was expected of it, to the sixth
-- decimal.

with

months as (

    select
        customer_id,
        horizon_days,
        sum(expected_amount) as expected_amount,
        sum(expected_value) as expected_value

    from {{ ref('clv_cash_flows') }}

    group by customer_id, horizon_days

)

select
    scores.customer_id,
    scores.horizon_days

from {{ ref('clv_scores') }} as scores

left join months
    on scores.customer_id = months.customer_id
    and scores.horizon_days = months.horizon_days

where
    scores.expected_amount is not null
    and (
        months.customer_id is null
        or abs(scores.expected_amount - months.expected_amount) > 0.000001
        or abs(scores.expected_value - months.expected_value) > 0.000001
    )
