-- A row here is a customer of whom more is expected within a shorter horizon than
-- within a longer one that contains it.

with

scores as (

    select
        customer_id,
        as_of_date,
        model_name,
        horizon_days,
        expected_orders_count,
        order_probability,
        expected_value,
        lag(expected_orders_count) over shorter as shorter_orders_count,
        lag(order_probability) over shorter as shorter_probability,
        lag(expected_value) over shorter as shorter_value

    from {{ ref('score_clv') }}

    window shorter as (
        partition by customer_id, as_of_date, model_name
        order by horizon_days
    )

)

select *

from scores

where
    expected_orders_count < shorter_orders_count
    or order_probability < shorter_probability
    or expected_value < shorter_value
