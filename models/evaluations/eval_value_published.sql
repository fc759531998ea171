-- Grain: one row per customer, as_of_date and horizon_days that is scored.
-- What is published of a customer on the score date, and would have been on past dates:
-- what the candidate says that was chosen for the route, or the means of the population
-- where no candidate says anything. Horizons may go by different candidates, so that a
-- longer one is raised to what a shorter one within it says.

with

customers as (

    select
        customer_id,
        as_of_date,
        horizon_days,
        clv_route,
        has_ordered,
        days_since_first_seen,
        days_since_activity

    from {{ ref('train_values') }}

    where is_scored

),

chosen as (

    select candidates.*

    from {{ ref('score_value_candidates') }} as candidates

    inner join {{ ref('eval_value_choices') }} as choices
        on candidates.as_of_date = choices.as_of_date
        and candidates.horizon_days = choices.horizon_days
        and candidates.clv_route = choices.clv_route
        and candidates.model_name = choices.model_name
        and choices.is_published

),

means as (

    select
        customer_id,
        as_of_date,
        horizon_days,
        'mean_rate' as model_name,
        model_source,
        cast(expected_amount as {{ prediction() }}) as expected_amount,
        cast(expected_value as {{ prediction() }}) as expected_value

    from {{ ref('score_clv') }}

    where
        model_name = '{{ setting("purchase_model") }}'
        and expected_amount is not null

),

said as (

    select
        customers.*,
        coalesce(chosen.model_name, means.model_name) as model_name,
        coalesce(chosen.model_source, means.model_source, 'none') as model_source,
        coalesce(chosen.expected_amount, means.expected_amount) as own_amount,
        coalesce(chosen.expected_value, means.expected_value) as own_value

    from customers

    left join chosen
        on customers.customer_id = chosen.customer_id
        and customers.as_of_date = chosen.as_of_date
        and customers.horizon_days = chosen.horizon_days

    left join means
        on customers.customer_id = means.customer_id
        and customers.as_of_date = means.as_of_date
        and customers.horizon_days = means.horizon_days

),

published as (

    select
        customer_id,
        as_of_date,
        horizon_days,
        clv_route,
        has_ordered,
        days_since_first_seen,
        days_since_activity,
        model_name,
        model_source,
        case when own_amount is not null then max(own_amount) over shorter end
            as expected_amount,
        case when own_value is not null then max(own_value) over shorter end
            as expected_value,
        coalesce(expected_amount > own_amount or expected_value > own_value, false)
            as is_raised

    from said

    window shorter as (
        partition by customer_id, as_of_date
        order by horizon_days asc
        rows between unbounded preceding and current row
    )

)

select * from published
