-- Grain: one row per customer, order day but the first, and day on which it became
-- known. Whole days since the order day before it, as known from known_date until
-- told_again_date. Mostly order days become known in their order, and a gap stays. A
-- day that comes late, or is told anew, begins a new epoch of its customer, in which
-- all gaps are told again.

with

order_days as (

    select
        customer_id,
        activity_date,
        known_date,
        told_again_date,
        orders_count,
        -- late is what became known after a day that followed it
        coalesce(
            known_date > min(known_date) over (
                partition by customer_id
                order by activity_date desc, known_date desc
                rows between unbounded preceding and 1 preceding
            ),
            false
        ) as is_late

    from {{ ref('int_order_days') }}

),

breaks as (

    select
        customer_id,
        known_date as from_date

    from order_days

    where is_late

    union

    select
        customer_id,
        told_again_date as from_date

    from order_days

    where told_again_date is not null

),

broken_customers as (

    select distinct customer_id

    from breaks

),

in_order as (

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

    anti join broken_customers
        on order_days.customer_id = broken_customers.customer_id

    where order_days.orders_count > 0

),

epoch_starts as (

    select
        customer_id,
        from_date

    from breaks

    union all

    select
        customer_id,
        cast(null as date) as from_date

    from broken_customers

),

epochs as (

    select
        *,
        lead(from_date) over (
            partition by customer_id
            order by from_date asc nulls first
        ) as to_date

    from epoch_starts

),

days_of_epochs as (

    select
        epochs.customer_id,
        epochs.from_date,
        epochs.to_date,
        order_days.activity_date,
        greatest(order_days.known_date, epochs.from_date) as known_date

    from epochs

    inner join order_days
        on epochs.customer_id = order_days.customer_id
        and (epochs.to_date is null or epochs.to_date > order_days.known_date)
        and (
            order_days.told_again_date is null
            or epochs.from_date < order_days.told_again_date
            or epochs.from_date is null
        )

    where order_days.orders_count > 0

),

told_by_epoch as (

    select
        customer_id,
        activity_date,
        known_date,
        to_date as told_again_date,
        lag(activity_date) over (
            partition by customer_id, from_date
            order by activity_date asc
        ) as previous_date

    from days_of_epochs

),

all_gaps as (

    select * from in_order

    union all

    select * from told_by_epoch

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
