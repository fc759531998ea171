-- One row per thing that a table says about one customer, in the order of the flow.
-- `perennial follow CUSTOMER` prints it. In any DuckDB shell on the working file: set
-- variable customer_id = '...', then run this, compiled by `dbt compile`.

with

checked_orders as (

    select * from {{ ref('int_checked_orders') }}

    where customer_id = getvariable('customer_id')

),

raw_lines as (

    select
        1 as step_number,
        'raw line' as step,
        source_file as model,
        source_line as item_number,
        'line ' || source_line as item,
        trim(source_text) as value

    from checked_orders

),

orders as (

    select
        2 as step_number,
        'order' as step,
        'int_checked_orders' as model,
        source_line as item_number,
        order_id as item,
        strftime(ordered_at, '%Y-%m-%d') || ', ' || amount || ', '
        || coalesce('refused: ' || reject_reason, 'accepted') as value

    from checked_orders

),

order_days as (

    select
        3 as step_number,
        'order day' as step,
        'int_customer_days' as model,
        row_number() over (order by activity_date asc) as item_number,
        cast(activity_date as varchar) as item,
        'orders: ' || orders_count || ', amount: ' || order_amount as value

    from {{ ref('int_customer_days') }}

    where customer_id = getvariable('customer_id')

),

clock as (

    select score_date from {{ ref('int_score_date') }}

),

score_date as (

    select
        4 as step_number,
        'as of' as step,
        'int_score_date' as model,
        1 as item_number,
        'score_date' as item,
        cast(score_date as varchar) as value

    from clock

    where exists (select 1 from order_days)

),

purchases as (

    select
        cast(purchases.order_days_count as varchar) as order_days_count,
        cast(purchases.repeat_order_days_count as varchar) as repeat_order_days_count,
        cast(purchases.days_first_to_last_order as varchar)
            as days_first_to_last_order,
        cast(purchases.days_since_first_order as varchar) as days_since_first_order,
        cast(purchases.days_since_last_order as varchar) as days_since_last_order,
        cast(purchases.total_order_amount as varchar) as total_order_amount,
        cast(round(purchases.mean_repeat_order_day_amount, 4) as varchar)
            as mean_repeat_order_day_amount

    from {{ ref('feat_purchases') }} as purchases

    inner join clock
        on purchases.as_of_date = clock.score_date

    where purchases.customer_id = getvariable('customer_id')

),

features as (

    select
        5 as step_number,
        'feature' as step,
        'feat_purchases' as model,
        row_number() over () as item_number,
        item,
        value

    from purchases
    unpivot (
        value for item in (
            order_days_count,
            repeat_order_days_count,
            days_first_to_last_order,
            days_since_first_order,
            days_since_last_order,
            total_order_amount,
            mean_repeat_order_day_amount
        )
    )

),

scores as (

    select * from {{ ref('clv_scores') }}

    where customer_id = getvariable('customer_id')

),

parameters as (

    select
        6 as step_number,
        'parameter' as step,
        'btyd_parameters' as model,
        row_number() over (
            order by parameters.model_name asc, parameters.parameter_name asc
        ) as item_number,
        parameters.model_name || ' ' || parameters.parameter_name as item,
        coalesce(
            cast(round(parameters.estimate, 4) as varchar), parameters.fit_status
        ) as value

    from {{ ref('btyd_parameters') }} as parameters

    inner join clock
        on parameters.as_of_date = clock.score_date

    where
        exists (
            select 1 from scores
            where contains(scores.model_source, parameters.model_name)
        )

),

values_by_horizon as (

    select
        horizon_days,
        model_source,
        cast(round(expected_orders_count, 4) as varchar) as expected_orders_count,
        cast(round(order_probability, 4) as varchar) as order_probability,
        cast(round(expected_order_amount, 2) as varchar) as expected_order_amount,
        cast(round(expected_amount, 2) as varchar) as expected_amount,
        cast(round(expected_value, 2) as varchar) as expected_value

    from scores

),

values_in_rows as (

    select
        7 as step_number,
        'value' as step,
        'clv_scores' as model,
        row_number() over () as item_number,
        item || ', ' || horizon_days || ' days' as item,
        value

    from values_by_horizon
    unpivot (
        value for item in (
            model_source,
            expected_orders_count,
            order_probability,
            expected_order_amount,
            expected_amount,
            expected_value
        )
    )

),

path as (

    select * from raw_lines
    union all
    select * from orders
    union all
    select * from order_days
    union all
    select * from score_date
    union all
    select * from features
    union all
    select * from parameters
    union all
    select * from values_in_rows

)

select
    step,
    model,
    item,
    value

from path

order by step_number, item_number
