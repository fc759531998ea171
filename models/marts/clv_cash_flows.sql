-- Grain: one row per customer, horizon_days and month_number, as of the score date.
-- In which month what is expected comes. Orders come as the purchase model says, fewer
-- from month to month as customers leave; whatever else, evenly. A month is the sum of
-- its weeks, and the months add up to the value to the last digit.

with

published as (

    select said.*

    from {{ ref('eval_value_published') }} as said

    inner join {{ ref('int_score_date') }} as clock
        on said.as_of_date = clock.score_date

    where said.expected_amount is not null

),

shapes as (

    select * from {{ ref('score_value_months') }}

),

-- histories of which the purchase model says in which months orders come
histories as (

    select distinct
        horizon_days,
        repeat_order_days_count,
        days_first_to_last_order,
        days_since_first_order

    from shapes

    where shape = 'orders'

),

-- -1 stands for an even shape
scores as (

    select
        published.*,
        coalesce(histories.repeat_order_days_count, -1) as repeat_order_days_count,
        coalesce(histories.days_first_to_last_order, -1) as days_first_to_last_order,
        coalesce(histories.days_since_first_order, -1) as days_since_first_order

    from published

    left join {{ ref('feat_purchases') }} as purchases
        on published.customer_id = purchases.customer_id
        and published.as_of_date = purchases.as_of_date
        and published.model_name in (
            'bg_nbd', 'mbg_nbd', 'pareto_nbd', 'all_orders', 'seasonal', 'blend'
        )

    left join histories
        on published.horizon_days = histories.horizon_days
        and purchases.repeat_order_days_count = histories.repeat_order_days_count
        and purchases.days_first_to_last_order = histories.days_first_to_last_order
        and purchases.days_since_first_order = histories.days_since_first_order

),

shaped as (

    select
        scores.*,
        shapes.month_number,
        shapes.amount_share_so_far,
        shapes.value_share_so_far

    from scores

    inner join shapes
        on scores.horizon_days = shapes.horizon_days
        and scores.repeat_order_days_count = shapes.repeat_order_days_count
        and scores.days_first_to_last_order = shapes.days_first_to_last_order
        and scores.days_since_first_order = shapes.days_since_first_order

),

so_far as (

    select
        *,
        cast(
            cast(expected_amount as double) * amount_share_so_far
            as {{ prediction() }}
        ) as amount_so_far,
        cast(
            cast(expected_value as double) * value_share_so_far
            as {{ prediction() }}
        ) as value_so_far

    from shaped

),

flows as (

    select
        {{ published_id('customer_id', 'customer') }},
        as_of_date,
        cast(horizon_days as bigint) as horizon_days,
        cast(month_number as bigint) as month_number,
        cast(
            amount_so_far - lag(amount_so_far, 1, 0) over by_customer
            as {{ prediction() }}
        ) as expected_amount,
        cast(
            value_so_far - lag(value_so_far, 1, 0) over by_customer
            as {{ prediction() }}
        ) as expected_value

    from so_far

    window by_customer as (
        partition by customer_id, horizon_days
        order by month_number asc
    )

)

select * from flows
