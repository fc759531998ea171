-- Grain: one row per customer, category bought, and day on which that became known.
-- A category counts from the first order in it that stands; an order that was taken
-- back later counts for the time between.

with

orders as (

    select
        customer_id,
        category,
        greatest(known_date, {{ business_day('ordered_at') }}) as known_date,
        superseded_date

    from {{ ref('input_orders') }}

    where
        kind = 'purchase'
        and category is not null
        and coalesce(status, 'completed') <> 'failed'

),

standing as (

    select
        customer_id,
        category,
        min(known_date) as known_date,
        cast(null as date) as told_again_date

    from orders

    where superseded_date is null

    group by customer_id, category

),

taken_back as (

    select
        orders.customer_id,
        orders.category,
        orders.known_date,
        max(orders.superseded_date) as told_again_date

    from orders

    left join standing
        on orders.customer_id = standing.customer_id
        and orders.category = standing.category

    where
        orders.superseded_date > orders.known_date
        and (standing.known_date is null or orders.known_date < standing.known_date)

    group by
        orders.customer_id,
        orders.category,
        orders.known_date

),

categories as (

    select * from standing

    union all

    select * from taken_back

)

select * from categories
