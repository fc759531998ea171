-- Grain: one row per customer and horizon_days, as of the score date.
-- What a customer has brought so far beside what is expected, with bounds.

with

scores as (

    select * from {{ ref('clv_scores') }}

),

customers as (

    select distinct
        customers.customer_id,
        customers.as_of_date,
        {{ days_after('customers.as_of_date', '-customers.days_since_first_seen') }}
            as first_seen_date

    from {{ ref('eval_value_published') }} as customers

    inner join {{ ref('int_score_date') }} as clock
        on customers.as_of_date = clock.score_date

),

orders as (

    select
        days.customer_id,
        cast(sum(days.order_amount + days.refund_amount) as {{ money() }}) as amount

    from {{ ref('int_order_days') }} as days

    inner join {{ ref('int_score_date') }} as clock
        on {{ is_past('days.activity_date', 'clock.score_date') }}
        and {{ is_known(
            'days.known_date', 'days.told_again_date', 'clock.score_date'
        ) }}

    group by days.customer_id

),

paid_days as (

    select
        periods.customer_id,
        periods.monthly_amount,
        {{ days_between(
            'periods.from_date',
            'least(periods.to_date, ' ~ days_after('clock.score_date', 1) ~ ')'
        ) }} as days_count

    from {{ ref('int_paid_periods') }} as periods

    inner join {{ ref('int_score_date') }} as clock
        on {{ is_past('periods.from_date', 'clock.score_date') }}

),

subscriptions as (

    select
        customer_id,
        {{ amount_of_days('sum(monthly_amount * days_count)') }} as amount

    from paid_days

    where days_count > 0

    group by customer_id

),

histories as (

    select
        {{ published_id('customers.customer_id', 'customer') }},
        customers.first_seen_date,
        coalesce(orders.amount, 0) as past_net_order_amount,
        coalesce(subscriptions.amount, 0) as past_subscription_amount

    from customers

    left join orders
        on customers.customer_id = orders.customer_id

    left join subscriptions
        on customers.customer_id = subscriptions.customer_id

),

valued as (

    select
        scores.customer_id,
        scores.as_of_date,
        scores.horizon_days,
        histories.first_seen_date,
        histories.past_net_order_amount,
        histories.past_subscription_amount,
        cast(
            histories.past_net_order_amount + histories.past_subscription_amount
            as {{ money() }}
        ) as past_amount,
        scores.expected_amount,
        scores.expected_value,
        scores.amount_low_80,
        scores.amount_high_80,
        scores.amount_low_90,
        scores.amount_high_90,
        scores.bounds_source,
        scores.clv_route,
        scores.model_name,
        case
            when scores.expected_value is not null
                then cast(
                    ntile(10) over (
                        partition by
                            scores.horizon_days, scores.expected_value is null
                        order by scores.expected_value desc, scores.customer_id asc
                    ) as bigint
                )
        end as value_decile

    from scores

    inner join histories
        on scores.customer_id = histories.customer_id

)

select * from valued
