-- Grain: one row per customer.
-- Who they are and what they have bought, as known on the score date.

with

customers as (

    select
        customer_id,
        is_orphan

    from {{ ref('input_customers') }}

    where superseded_date is null

),

score_date as (

    select score_date from {{ ref('int_score_date') }}

),

purchases as (

    select feat_purchases.*

    from {{ ref('feat_purchases') }} as feat_purchases

    inner join score_date
        on feat_purchases.as_of_date = score_date.score_date

    where feat_purchases.order_days_count > 0

),

described as (

    select
        {{ published_id('customers.customer_id', 'customer') }},
        customers.is_orphan,
        purchases.as_of_date,
        purchases.first_order_date,
        purchases.last_order_date,
        purchases.days_since_last_order,
        purchases.orders_count,
        purchases.order_days_count,
        purchases.total_order_amount,
        purchases.mean_order_day_amount

    from customers

    left join purchases
        on customers.customer_id = purchases.customer_id

)

select * from described
