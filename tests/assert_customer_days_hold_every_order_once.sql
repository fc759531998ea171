-- A row here is a sum that changed between the accepted orders, as they were told last,
-- and the customer days: a version that was not taken back, or was so twice.

with

accepted as (

    select
        count(*) filter (where kind = 'purchase') as orders_count,
        coalesce(sum(amount) filter (where kind = 'purchase'), 0) as order_amount,
        coalesce(sum(amount) filter (where kind = 'refund'), 0) as refund_amount

    from {{ ref('input_orders') }}

    where
        superseded_date is null
        and coalesce(status, 'completed') <> 'failed'

),

days as (

    select
        coalesce(sum(orders_count), 0) as orders_count,
        coalesce(sum(order_amount), 0) as order_amount,
        coalesce(sum(refund_amount), 0) as refund_amount

    from {{ ref('int_customer_days') }}

    where entity = 'orders' and told_again_date is null

)

select
    accepted.*,
    days.orders_count as days_orders_count,
    days.order_amount as days_order_amount,
    days.refund_amount as days_refund_amount

from accepted

cross join days

where
    accepted.orders_count <> days.orders_count
    or accepted.order_amount <> days.order_amount
    or accepted.refund_amount <> days.refund_amount
