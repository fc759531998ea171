-- Grain: one row per customer known by then, as_of_date and horizon_days.
-- Whom models of amounts learn from, and whom they are asked about: what the customer
-- brought, and the route, which says what is known of somebody like this.

with

dates as (

    select
        horizon_days,
        as_of_date,
        bool_or(role = 'train') as is_training_date,
        bool_or(role in ('test', 'score')) as is_scored

    from {{ ref('model_splits') }}

    where task = 'purchases'

    group by horizon_days, as_of_date

),

customers as (

    select
        store.customer_id,
        store.as_of_date,
        coalesce(store.acquisition_channel, 'unknown') as acquisition_channel,
        coalesce(store.is_subscribed, false) as is_subscribed,
        coalesce(store.order_days_count, 0) > 0 as has_ordered,
        greatest(
            store.days_since_sign_up,
            store.days_since_first_order,
            store.subscription_tenure_days
        ) as days_since_first_seen,
        least(store.days_since_last_order, store.days_since_last_use)
            as days_since_activity

    from {{ ref('feature_store') }} as store

    where store.as_of_date in (select as_of_date from dates)

),

routed as (

    select
        *,
        case
            when is_subscribed then 'contractual'
            when days_since_first_seen is null then 'fallback'
            when days_since_first_seen < 30 then 'cold_start'
            when
                days_since_activity is null
                or days_since_activity > {{ setting('hiatus_days') }}
                then 'lapsed'
            when days_since_first_seen < 90 then 'early'
            else 'established'
        end as clv_route

    from customers

),

known as (

    select
        routed.customer_id,
        routed.as_of_date,
        dates.horizon_days,
        routed.clv_route,
        routed.acquisition_channel,
        routed.has_ordered,
        routed.days_since_first_seen,
        routed.days_since_activity,
        outcomes.future_amount,
        dates.is_scored,
        dates.is_training_date and outcomes.future_amount is not null
            as is_training_row

    from routed

    inner join dates
        on routed.as_of_date = dates.as_of_date

    inner join {{ ref('outcome_revenue') }} as outcomes
        on routed.customer_id = outcomes.customer_id
        and routed.as_of_date = outcomes.as_of_date
        and dates.horizon_days = outcomes.horizon_days

),

counts as (

    select
        horizon_days,
        as_of_date,
        count(*) filter (where is_training_row) as training_customers_count

    from known

    group by horizon_days, as_of_date

),

-- a sample is one of customers, the same ones on every date
examples as (

    select
        known.*,
        known.is_training_row
        and {{ hashed_number('known.customer_id', 'sample') }}
        * counts.training_customers_count
        < cast(4294967296 as bigint) * {{ setting('training_customers') }}
            as is_for_training

    from known

    inner join counts
        on known.horizon_days = counts.horizon_days
        and known.as_of_date = counts.as_of_date

)

select * from examples
