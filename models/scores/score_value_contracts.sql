-- Grain: one row per customer with a subscription, as_of_date and horizon_days.
-- What is left to come of a contract: what is paid a month, times the months that
-- others of the same plan, tenure and term go on to pay for, and what the purchase
-- model expects of orders. Each month ahead has a risk of its own: one in which a
-- contract ends has another than those that it binds. What ends goes on for a year.

with

hazards as (

    select *

    from {{ ref('fit_hazards') }}

    where hazard_status = 'ok'

),

plans as (

    select
        origin_date,
        plan,
        max(tenure_months) as most_tenure_months

    from hazards

    group by origin_date, plan

),

subscribers as (

    select
        customers.customer_id,
        customers.as_of_date,
        customers.horizon_days,
        coalesce(plans.plan, 'any_other') as plan,
        {{ tenure_months('store.subscription_tenure_days') }} as tenure_months,
        case
            when store.days_to_contract_end > 0
                then (store.days_to_contract_end * 12 + 364) // 365
        end as months_to_contract_end,
        coalesce(store.mrr, 0)
        * (1 - least(coalesce(store.discount_share, 0), 1)) as monthly_amount

    from {{ ref('train_values') }} as customers

    inner join {{ ref('feature_store') }} as store
        on customers.customer_id = store.customer_id
        and customers.as_of_date = store.as_of_date

    left join plans
        on customers.as_of_date = plans.origin_date
        and coalesce(store.plan, 'unknown') = plans.plan

    where
        customers.is_scored
        and customers.clv_route = 'contractual'

),

-- customers who are alike have one future
kinds as (

    select distinct
        as_of_date,
        plan,
        tenure_months,
        months_to_contract_end

    from subscribers

),

months as (

    select
        unnest(
            generate_series(1, cast(ceil(max(horizon_days) * 12 / 365) as bigint))
        ) as month_number

    from subscribers

),

months_ahead as (

    select
        kinds.*,
        months.month_number,
        case
            when kinds.months_to_contract_end is null then 'none'
            when months.month_number < kinds.months_to_contract_end then 'bound'
            when (months.month_number - kinds.months_to_contract_end) % 12 = 0
                then 'due'
            else 'bound'
        end as contract_state,
        -- older than anybody was: as the oldest
        least(
            kinds.tenure_months + months.month_number - 1, plans.most_tenure_months
        ) as tenure_then

    from kinds

    cross join months

    inner join plans
        on kinds.as_of_date = plans.origin_date
        and kinds.plan = plans.plan

),

risks as (

    select
        months_ahead.as_of_date,
        months_ahead.plan,
        months_ahead.tenure_months,
        months_ahead.months_to_contract_end,
        months_ahead.month_number,
        hazards.leaving_probability,
        coalesce(product(1 - hazards.leaving_probability) over before, 1)
            as kept_share

    from months_ahead

    inner join hazards
        on months_ahead.as_of_date = hazards.origin_date
        and months_ahead.plan = hazards.plan
        and months_ahead.contract_state = hazards.contract_state
        and months_ahead.tenure_then = hazards.tenure_months

    window before as (
        partition by
            months_ahead.as_of_date,
            months_ahead.plan,
            months_ahead.tenure_months,
            months_ahead.months_to_contract_end
        order by months_ahead.month_number asc
        rows between unbounded preceding and 1 preceding
    )

),

horizons as (

    select distinct
        as_of_date,
        horizon_days

    from subscribers

),

-- of the last month a horizon may hold a part; who leaves within a month pays for half
paid as (

    select
        risks.as_of_date,
        risks.plan,
        risks.tenure_months,
        risks.months_to_contract_end,
        horizons.horizon_days,
        least(horizons.horizon_days * 12 / 365 - risks.month_number + 1, 1) as part,
        cast(
            risks.kept_share * part * (1 - risks.leaving_probability * part / 2)
            as decimal(18, 12)
        ) as paid_months

    from risks

    inner join horizons
        on risks.as_of_date = horizons.as_of_date
        and risks.month_number < horizons.horizon_days * 12 / 365 + 1

),

futures as (

    select
        as_of_date,
        plan,
        tenure_months,
        months_to_contract_end,
        horizon_days,
        cast(sum(paid_months) as double) as paid_months

    from paid

    group by
        as_of_date, plan, tenure_months, months_to_contract_end, horizon_days

),

purchases as (

    select
        customer_id,
        as_of_date,
        horizon_days,
        expected_amount

    from {{ ref('score_clv') }}

    where
        is_own
        and model_name = '{{ setting("purchase_model") }}'

),

valued as (

    select
        subscribers.customer_id,
        subscribers.as_of_date,
        subscribers.horizon_days,
        'hazard' as model_name,
        futures.paid_months as expected_paid_months,
        round(
            subscribers.monthly_amount * futures.paid_months
            + coalesce(purchases.expected_amount, 0),
            6
        ) as expected_amount,
        case
            when purchases.customer_id is null then 'hazard'
            else 'hazard + {{ setting("purchase_model") }}'
        end as model_source

    from subscribers

    inner join futures
        on subscribers.as_of_date = futures.as_of_date
        and subscribers.plan = futures.plan
        and subscribers.tenure_months = futures.tenure_months
        and subscribers.months_to_contract_end
        is not distinct from futures.months_to_contract_end
        and subscribers.horizon_days = futures.horizon_days

    left join purchases
        on subscribers.customer_id = purchases.customer_id
        and subscribers.as_of_date = purchases.as_of_date
        and subscribers.horizon_days = purchases.horizon_days

)

select * from valued
