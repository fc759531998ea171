-- Grain: one row per test date, horizon_days, baseline and customer.
-- Simple rules that any statistical model should beat, and is allowed to lose to.

with

test_dates as (

    select
        as_of_date,
        horizon_days

    from {{ ref('model_splits') }}

    where
        role = 'test'
        and task = 'purchases'

),

customers as (

    select
        purchases.customer_id,
        purchases.as_of_date,
        purchases.order_days_count,
        purchases.repeat_order_days_count,
        purchases.order_days_count_90d,
        purchases.days_since_first_order,
        purchases.days_since_last_order,
        purchases.total_order_amount,
        purchases.mean_order_day_amount,
        purchases.order_amount_90d,
        test_dates.horizon_days

    from test_dates

    inner join {{ ref('feat_purchases') }} as purchases
        on test_dates.as_of_date = purchases.as_of_date

    where purchases.order_days_count > 0

),

populations as (

    select
        as_of_date,
        horizon_days,
        cast(sum(repeat_order_days_count) as double)
        / nullif(sum(days_since_first_order), 0) as orders_per_day,
        cast(sum(total_order_amount) as double)
        / sum(order_days_count) as mean_order_day_amount

    from customers

    group by as_of_date, horizon_days

),

training_outcomes as (

    select
        splits.origin_date,
        splits.horizon_days,
        cast(sum(outcomes.future_order_days_count) as double) / count(*) as orders,
        cast(sum(outcomes.future_order_amount) as double) / count(*) as amount,
        cast(count(*) filter (where outcomes.is_active) as double)
        / count(*) as activity

    from {{ ref('model_splits') }} as splits

    inner join {{ ref('outcome_value') }} as outcomes
        on splits.as_of_date = outcomes.as_of_date
        and splits.horizon_days = outcomes.horizon_days

    where
        splits.role = 'train'
        and splits.task = 'purchases'

    group by splits.origin_date, splits.horizon_days

),

-- every customer goes on as before
own_rate as (

    select
        'own_rate' as model_name,
        as_of_date,
        horizon_days,
        customer_id,
        coalesce(
            cast(repeat_order_days_count * horizon_days as double)
            / nullif(days_since_first_order, 0),
            0
        ) as orders,
        orders * mean_order_day_amount as amount,
        orders as activity,
        false as is_probability

    from customers

),

-- the coming days bring what the last 90 brought
last_90_days as (

    select
        'last_90_days' as model_name,
        as_of_date,
        horizon_days,
        customer_id,
        cast(order_days_count_90d * horizon_days as double) / 90 as orders,
        cast(order_amount_90d as double) * horizon_days / 90 as amount,
        orders as activity,
        false as is_probability

    from customers

),

-- all customers are alike: the rate and the amount of the population
population_rate as (

    select
        'population_rate' as model_name,
        customers.as_of_date,
        customers.horizon_days,
        customers.customer_id,
        populations.orders_per_day * customers.horizon_days as orders,
        orders * populations.mean_order_day_amount as amount,
        1 - exp(-orders) as activity,
        true as is_probability

    from customers

    inner join populations
        on customers.as_of_date = populations.as_of_date
        and customers.horizon_days = populations.horizon_days

),

-- what followed the training dates, on average, follows again
training_mean as (

    select
        'training_mean' as model_name,
        customers.as_of_date,
        customers.horizon_days,
        customers.customer_id,
        training_outcomes.orders,
        training_outcomes.amount,
        training_outcomes.activity,
        true as is_probability

    from customers

    inner join training_outcomes
        on customers.as_of_date = training_outcomes.origin_date
        and customers.horizon_days = training_outcomes.horizon_days

),

-- the longer silent, the less likely: a ranking, without any amount
recency_rule as (

    select
        'recency_rule' as model_name,
        as_of_date,
        horizon_days,
        customer_id,
        cast(null as double) as orders,
        cast(null as double) as amount,
        cast(-days_since_last_order as double) as activity,
        false as is_probability

    from customers

),

-- silent for too long, a customer is gone; else not: a rule that is always sure
hiatus_rule as (

    select
        'hiatus_rule' as model_name,
        as_of_date,
        horizon_days,
        customer_id,
        cast(null as double) as orders,
        cast(null as double) as amount,
        case
            when days_since_last_order <= {{ setting('hiatus_days') }} then 1.0
            else 0.0
        end as activity,
        true as is_probability

    from customers

),

baselines as (

    select * from own_rate
    union all
    select * from last_90_days
    union all
    select * from population_rate
    union all
    select * from training_mean
    union all
    select * from recency_rule
    union all
    select * from hiatus_rule

)

select * from baselines
