-- A row here is a customer who is lost for want of an order although there is one in
-- the window, or is not lost for an order that is not there: by the accepted orders, as
-- they are known at the score date.

with

orders as (

    select distinct
        orders.customer_id,
        {{ business_day('orders.ordered_at') }} as order_date

    from {{ ref('input_orders') }} as orders

    inner join {{ ref('int_score_date') }} as clock
        on orders.known_date <= clock.score_date
        and (
            orders.superseded_date is null
            or orders.superseded_date > clock.score_date
        )

    where
        orders.kind = 'purchase'
        and coalesce(orders.status, 'completed') <> 'failed'

),

labelled as (

    select
        customer_id,
        as_of_date,
        horizon_days,
        is_churned,
        label_reason

    from {{ ref('outcome_churn') }}

    where label_reason in ('ordered', 'no_order', 'no_order_nor_use')

),

ordered as (

    select distinct
        labelled.customer_id,
        labelled.as_of_date,
        labelled.horizon_days

    from labelled

    inner join orders
        on labelled.customer_id = orders.customer_id
        and date_diff('day', labelled.as_of_date, orders.order_date)
        between 1 and labelled.horizon_days

)

select labelled.*

from labelled

left join ordered
    on labelled.customer_id = ordered.customer_id
    and labelled.as_of_date = ordered.as_of_date
    and labelled.horizon_days = ordered.horizon_days

where
    (ordered.customer_id is not null) is distinct from (
        labelled.label_reason = 'ordered'
    )
    or (ordered.customer_id is not null) is not distinct from labelled.is_churned
