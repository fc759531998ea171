-- Grain: one row per population, model_name, as_of_date, horizon_days and customer.
-- What candidates said that customers of a past date would bring, beside what they
-- brought: of all customers, and of each route.

with

judged as (

    select
        candidates.customer_id,
        candidates.as_of_date,
        candidates.horizon_days,
        candidates.clv_route,
        candidates.model_name,
        candidates.expected_amount as predicted,
        cast(outcomes.future_amount as {{ prediction() }}) as actual

    from {{ ref('score_value_candidates') }} as candidates

    -- a window that is not over has no outcome, and drops out here
    inner join {{ ref('outcome_revenue') }} as outcomes
        on candidates.customer_id = outcomes.customer_id
        and candidates.as_of_date = outcomes.as_of_date
        and candidates.horizon_days = outcomes.horizon_days
        and outcomes.future_amount is not null

),

cases as (

    select
        'all' as population,
        model_name,
        as_of_date,
        horizon_days,
        'value' as target,
        customer_id,
        predicted,
        actual

    from judged

    union all

    select
        clv_route as population,
        model_name,
        as_of_date,
        horizon_days,
        'value' as target,
        customer_id,
        predicted,
        actual

    from judged

)

select * from cases
