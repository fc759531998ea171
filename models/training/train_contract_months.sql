-- Grain: one row per as_of_date, plan, contract_state and tenure_months.
-- How many subscribers were there at the end of a month, and how many of them were none
-- a month later, as either was known then: what the risk of leaving is learned from. A
-- month that is not over has no row.

with

month_ends as (

    -- of a grid by the week, the last of each month
    select max(grid_date) as as_of_date

    from {{ ref('int_grid_dates') }}

    group by date_trunc('month', grid_date)

),

months as (

    select
        as_of_date,
        lead(as_of_date) over (order by as_of_date asc) as next_date

    from month_ends

),

subscribers as (

    select
        store.customer_id,
        store.as_of_date,
        months.next_date,
        coalesce(store.plan, 'unknown') as plan,
        case
            when store.days_to_contract_end is null then 'none'
            when store.days_to_contract_end <= 0 then 'none'
            when
                store.days_to_contract_end
                <= {{ days_between('months.as_of_date', 'months.next_date') }}
                then 'due'
            else 'bound'
        end as contract_state,
        {{ tenure_months('store.subscription_tenure_days') }} as tenure_months

    from {{ ref('feature_store') }} as store

    inner join months
        on store.as_of_date = months.as_of_date

    where
        store.is_subscribed
        and months.next_date is not null

),

-- who is not told of any more is not known to have left
counted as (

    select
        subscribers.as_of_date,
        subscribers.next_date,
        subscribers.plan,
        subscribers.contract_state,
        subscribers.tenure_months,
        count(*) as at_risk_count,
        count(*) filter (where not next_store.is_subscribed) as lost_count

    from subscribers

    inner join {{ ref('feature_store') }} as next_store
        on subscribers.customer_id = next_store.customer_id
        and subscribers.next_date = next_store.as_of_date

    group by
        subscribers.as_of_date,
        subscribers.next_date,
        subscribers.plan,
        subscribers.contract_state,
        subscribers.tenure_months

)

select * from counted
