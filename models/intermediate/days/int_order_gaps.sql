-- Grain: one row per customer, order day but the first, and day on which it became known.
-- Whole days since the order day before it, as known from known_date until
-- told_again_date. Mostly order days become known one after the other, and a gap stays;
-- of the other customers all gaps are told anew whenever something of them changes.

with

order_days as (

    select
        customer_id,
        activity_date,
        known_date,
        told_again_date,
        orders_count

    from {{ ref('int_order_days') }}

),

in_order as (

    select
        customer_id,
        told_again_date is not null
        or known_date < lag(known_date) over (
            partition by customer_id
            order by activity_date asc, known_date asc
        ) as is_out_of_order

    from order_days

),

unsteady_customers as (

    select distinct customer_id

    from in_order

    where is_out_of_order

),

steady_gaps as (

    select
        order_days.customer_id,
        order_days.activity_date,
        order_days.known_date,
        cast(null as date) as told_again_date,
        lag(order_days.activity_date) over (
            partition by order_days.customer_id
            order by order_days.activity_date asc
        ) as previous_date

    from order_days

    anti join unsteady_customers
        on order_days.customer_id = unsteady_customers.customer_id

    where order_days.orders_count > 0

),

unsteady_days as (

    select order_days.*

    from order_days

    semi join unsteady_customers
        on order_days.customer_id = unsteady_customers.customer_id

),

changes as (

    select
        customer_id,
        known_date

    from unsteady_days

    union

    select
        customer_id,
        told_again_date as known_date

    from unsteady_days

    where told_again_date is not null

),

validities as (

    select
        customer_id,
        known_date,
        lead(known_date) over (
            partition by customer_id
            order by known_date asc
        ) as told_again_date

    from changes

),

unsteady_gaps as (

    select
        validities.customer_id,
        unsteady_days.activity_date,
        validities.known_date,
        validities.told_again_date,
        lag(unsteady_days.activity_date) over (
            partition by validities.customer_id, validities.known_date
            order by unsteady_days.activity_date asc
        ) as previous_date

    from validities

    inner join unsteady_days
        on validities.customer_id = unsteady_days.customer_id
        and {{ is_known(
            'unsteady_days.known_date',
            'unsteady_days.told_again_date',
            'validities.known_date'
        ) }}

    where unsteady_days.orders_count > 0

),

all_gaps as (

    select * from steady_gaps

    union all

    select * from unsteady_gaps

),

gaps as (

    select
        customer_id,
        activity_date,
        known_date,
        told_again_date,
        {{ days_between('previous_date', 'activity_date') }} as gap_days

    from all_gaps

    where previous_date is not null

)

select * from gaps
order by activity_date
