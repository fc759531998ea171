-- Grain: one row per population, model_name, as_of_date, horizon_days, target and
-- customer.
-- What each model and baseline said on a past date, beside what happened then. All
-- rounded to exact decimals, so that no metric depends on the order of rows.

with

baselines as (

    select
        model_name,
        as_of_date,
        horizon_days,
        customer_id,
        orders,
        amount,
        activity,
        is_probability

    from {{ ref('eval_baselines') }}

),

-- a model that was refused on a date said nothing then: the mean that stood in for it
-- is judged as the baseline that it is, not under the model's name
models as (

    select
        model_name,
        as_of_date,
        horizon_days,
        customer_id,
        expected_orders_count as orders,
        expected_amount as amount,
        order_probability as activity,
        true as is_probability

    from {{ ref('score_clv') }}

    where is_own

),

said as (

    select * from baselines
    union all
    select * from models

),

-- a window that is not over has no outcome, and drops out here
judged as (

    select
        said.*,
        outcomes.future_order_days_count,
        outcomes.future_order_amount,
        outcomes.is_active,
        coalesce(churn.is_in_scope, false) as is_in_scope

    from said

    inner join {{ ref('outcome_value') }} as outcomes
        on said.customer_id = outcomes.customer_id
        and said.as_of_date = outcomes.as_of_date
        and said.horizon_days = outcomes.horizon_days
        and outcomes.is_active is not null

    left join {{ ref('outcome_churn') }} as churn
        on said.customer_id = churn.customer_id
        and said.as_of_date = churn.as_of_date
        and said.horizon_days = churn.horizon_days

),

populations as (

    select
        *,
        'all' as population

    from judged

    union all

    select
        *,
        'in_scope' as population

    from judged

    where is_in_scope

),

-- what would have been published on that date stands beside all candidates
values_said as (

    select
        cases.customer_id,
        cases.as_of_date,
        cases.horizon_days,
        cases.model_name,
        cases.predicted,
        cases.actual

    from {{ ref('eval_value_cases') }} as cases

    where cases.population = 'all'

    union all

    select
        published.customer_id,
        published.as_of_date,
        published.horizon_days,
        'published' as model_name,
        published.expected_amount as predicted,
        cast(outcomes.future_amount as {{ prediction() }}) as actual

    from {{ ref('eval_value_published') }} as published

    inner join {{ ref('outcome_revenue') }} as outcomes
        on published.customer_id = outcomes.customer_id
        and published.as_of_date = outcomes.as_of_date
        and published.horizon_days = outcomes.horizon_days
        and outcomes.future_amount is not null

    where published.expected_amount is not null

),

values_judged as (

    select
        values_said.*,
        coalesce(churn.is_in_scope, false) as is_in_scope

    from values_said

    left join {{ ref('outcome_churn') }} as churn
        on values_said.customer_id = churn.customer_id
        and values_said.as_of_date = churn.as_of_date
        and values_said.horizon_days = churn.horizon_days

),

predictions as (

    select
        population,
        model_name,
        as_of_date,
        horizon_days,
        'orders' as target,
        customer_id,
        cast(orders as {{ prediction() }}) as predicted,
        cast(future_order_days_count as {{ prediction() }}) as actual,
        false as is_probability

    from populations

    union all

    select
        population,
        model_name,
        as_of_date,
        horizon_days,
        'amount' as target,
        customer_id,
        cast(amount as {{ prediction() }}) as predicted,
        cast(future_order_amount as {{ prediction() }}) as actual,
        false as is_probability

    from populations

    union all

    select
        population,
        model_name,
        as_of_date,
        horizon_days,
        'activity' as target,
        customer_id,
        cast(activity as {{ prediction() }}) as predicted,
        cast(cast(is_active as integer) as {{ prediction() }}) as actual,
        is_probability

    from populations

    union all

    select
        'all' as population,
        model_name,
        as_of_date,
        horizon_days,
        'value' as target,
        customer_id,
        predicted,
        actual,
        false as is_probability

    from values_judged

    union all

    select
        'in_scope' as population,
        model_name,
        as_of_date,
        horizon_days,
        'value' as target,
        customer_id,
        predicted,
        actual,
        false as is_probability

    from values_judged

    where is_in_scope

)

select * from predictions

where predicted is not null
