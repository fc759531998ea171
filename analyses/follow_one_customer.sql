-- One row per thing that a table says about one customer, in the order of the flow.
-- `perennial follow CUSTOMER` prints it. In any DuckDB shell on the working file: set
-- variable customer_id = '...', then run this, compiled by `dbt compile`. Where ids in
-- the marts are hashes, published_id is the customer's; `perennial follow` makes it.

with

checked_orders as (

    select * from {{ ref('int_checked_orders') }}

    where customer_id = getvariable('customer_id')

),

-- the lines of accepted orders are kept where they were delivered
delivered_orders as (

    select * from {{ ref('int_delivered_orders') }}

    where customer_id = getvariable('customer_id')

),

raw_lines as (

    select
        1 as step_number,
        'raw line' as step,
        source_file as model,
        row_number() over (
            order by ordered_at asc, source_file asc, source_line asc
        ) as item_number,
        coalesce('line ' || source_line, order_id) as item,
        trim(source_text) as value

    from delivered_orders

),

orders as (

    select
        2 as step_number,
        'order' as step,
        'int_checked_orders' as model,
        row_number() over (
            order by ordered_at asc, source_file asc, source_line asc
        ) as item_number,
        order_id as item,
        concat_ws(
            ', ',
            strftime(ordered_at, '%Y-%m-%d'),
            amount,
            nullif(kind, 'purchase'),
            nullif(status, 'completed'),
            coalesce(
                'refused: ' || reject_reason,
                'excluded: ' || exclude_reason,
                'superseded on ' || superseded_date,
                'accepted'
            )
        ) as value

    from checked_orders

),

order_days as (

    select
        3 as step_number,
        'order day' as step,
        'int_order_days' as model,
        row_number() over (order by activity_date asc, known_date asc) as item_number,
        cast(activity_date as varchar) as item,
        concat_ws(
            ', ',
            'orders: ' || orders_count,
            'amount: ' || order_amount,
            'refunds: ' || nullif(refund_amount, 0),
            'failed payments: ' || nullif(failed_payments_count, 0),
            case
                when known_date > activity_date then 'known on ' || known_date
            end,
            'told anew on ' || told_again_date
        ) as value

    from {{ ref('int_order_days') }}

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

features as (

    select
        5 as step_number,
        'feature' as step,
        'feat_purchases' as model,
        items.position as item_number,
        items.item,
        case items.item
            when 'order_days_count'
                then cast(purchases.order_days_count as varchar)
            when 'repeat_order_days_count'
                then cast(purchases.repeat_order_days_count as varchar)
            when 'days_first_to_last_order'
                then cast(purchases.days_first_to_last_order as varchar)
            when 'days_since_first_order'
                then cast(purchases.days_since_first_order as varchar)
            when 'days_since_last_order'
                then cast(purchases.days_since_last_order as varchar)
            when 'total_order_amount'
                then cast(purchases.total_order_amount as varchar)
            when 'mean_repeat_order_day_amount'
                then cast(round(purchases.mean_repeat_order_day_amount, 4) as varchar)
        end as value

    from {{ ref('feat_purchases') }} as purchases

    inner join clock
        on purchases.as_of_date = clock.score_date

    cross join (
        values
        (1, 'order_days_count'),
        (2, 'repeat_order_days_count'),
        (3, 'days_first_to_last_order'),
        (4, 'days_since_first_order'),
        (5, 'days_since_last_order'),
        (6, 'total_order_amount'),
        (7, 'mean_repeat_order_day_amount')
    ) as items (position, item)

    where purchases.customer_id = getvariable('customer_id')

),

scores as (

    select * from {{ ref('clv_scores') }}

    where customer_id in (getvariable('customer_id'), getvariable('published_id'))

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
            where
                contains(scores.model_source, parameters.model_name)
                or parameters.model_name in ('bg_nbd', 'gamma_gamma')
        )

),

candidates as (

    select
        7 as step_number,
        'candidate' as step,
        'score_value_candidates' as model,
        candidates.horizon_days * 100 + row_number() over (
            partition by candidates.horizon_days
            order by candidates.model_name asc
        ) as item_number,
        candidates.model_name || ', ' || candidates.horizon_days || ' days' as item,
        cast(round(candidates.expected_amount, 2) as varchar) as value

    from {{ ref('score_value_candidates') }} as candidates

    inner join clock
        on candidates.as_of_date = clock.score_date

    where candidates.customer_id = getvariable('customer_id')

),

values_in_rows as (

    select
        8 as step_number,
        'value' as step,
        'clv_scores' as model,
        scores.horizon_days * 10 + items.position as item_number,
        items.item || ', ' || scores.horizon_days || ' days' as item,
        case items.item
            when 'clv_route' then scores.clv_route
            when 'model_name' then scores.model_name
            when 'expected_orders_count'
                then cast(round(scores.expected_orders_count, 4) as varchar)
            when 'order_probability'
                then cast(round(scores.order_probability, 4) as varchar)
            when 'expected_order_amount'
                then cast(round(scores.expected_order_amount, 2) as varchar)
            when 'expected_amount'
                then cast(round(scores.expected_amount, 2) as varchar)
            when 'expected_value'
                then cast(round(scores.expected_value, 2) as varchar)
            when 'amount_low_80'
                then cast(round(scores.amount_low_80, 2) as varchar)
            when 'amount_high_80'
                then cast(round(scores.amount_high_80, 2) as varchar)
        end as value

    from scores

    cross join (
        values
        (1, 'clv_route'),
        (2, 'model_name'),
        (3, 'expected_orders_count'),
        (4, 'order_probability'),
        (5, 'expected_order_amount'),
        (6, 'expected_amount'),
        (7, 'expected_value'),
        (8, 'amount_low_80'),
        (9, 'amount_high_80')
    ) as items (position, item)

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
    select * from candidates
    union all
    select * from values_in_rows

)

select
    step,
    model,
    item,
    value

from path

order by step_number, item_number, item
