-- A row here is a sum of money that changed between the accepted orders and a mart, by
-- a join that dropped or doubled rows.

with

clock as (

    select score_date from {{ ref('int_score_date') }}

),

accepted as (

    select
        sum(orders.amount) filter (where orders.superseded_date is null)
            as total_amount,
        sum(orders.amount) filter (
            where
            orders.kind = 'purchase'
            and coalesce(orders.status, 'completed') <> 'failed'
            and greatest(
                orders.known_date, {{ business_day('orders.ordered_at') }}
            ) <= clock.score_date
            and (
                orders.superseded_date is null
                or orders.superseded_date > clock.score_date
            )
        ) as amount_by_score_date

    from {{ ref('input_orders') }} as orders

    cross join clock

),

facts as (

    select sum(amount) as total_amount from {{ ref('fct_orders') }}

),

customers as (

    select sum(total_order_amount) as total_amount from {{ ref('dim_customers') }}

)

select
    accepted.total_amount,
    accepted.amount_by_score_date,
    facts.total_amount as fact_amount,
    customers.total_amount as customer_amount

from accepted

cross join facts

cross join customers

where
    accepted.total_amount is distinct from facts.total_amount
    or accepted.amount_by_score_date is distinct from customers.total_amount
