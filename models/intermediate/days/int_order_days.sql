-- Grain: one row per customer, day and day on which what is known of it changed.
-- Counting models count order days: two orders on one day are one decision to buy. A
-- day is described as it was known from known_date until told_again_date; one that was
-- taken back whole says so with an orders_count of 0.

with

orders as (

    select
        customer_id,
        kind,
        amount,
        coalesce(status, 'completed') = 'failed' as is_failed,
        {{ business_day('ordered_at') }} as activity_date,
        -- nothing is known of a day before it came
        greatest(known_date, {{ business_day('ordered_at') }}) as known_date,
        case
            when superseded_date is not null
                then greatest(superseded_date, {{ business_day('ordered_at') }})
        end as superseded_date

    from {{ ref('input_orders') }}

),

-- a version that was replaced on the day on which it came never counted
lasting as (

    select * from orders

    where superseded_date is null or superseded_date > known_date

),

changes as (

    select
        customer_id,
        activity_date,
        known_date,
        kind,
        is_failed,
        1 as sign,
        amount

    from lasting

    union all

    select
        customer_id,
        activity_date,
        superseded_date as known_date,
        kind,
        is_failed,
        -1 as sign,
        -amount as amount

    from lasting

    where superseded_date is not null

),

-- a failed payment is neither revenue nor an order day
daily_changes as (

    select
        customer_id,
        activity_date,
        known_date,
        sum(sign) filter (where kind = 'purchase' and not is_failed) as orders_count,
        sum(amount) filter (where kind = 'purchase' and not is_failed) as order_amount,
        sum(amount) filter (where kind = 'refund' and not is_failed) as refund_amount,
        sum(sign) filter (where is_failed) as failed_payments_count

    from changes

    group by customer_id, activity_date, known_date

),

-- few days are told of twice
days_told_again as (

    select
        customer_id,
        activity_date

    from daily_changes

    group by customer_id, activity_date

    having count(*) > 1

),

told_once as (

    select
        daily_changes.*,
        cast(null as date) as told_again_date

    from daily_changes

    anti join days_told_again
        on daily_changes.customer_id = days_told_again.customer_id
        and daily_changes.activity_date = days_told_again.activity_date

),

told_again as (

    select
        daily_changes.customer_id,
        daily_changes.activity_date,
        daily_changes.known_date,
        sum(daily_changes.orders_count) over telling as orders_count,
        sum(daily_changes.order_amount) over telling as order_amount,
        sum(daily_changes.refund_amount) over telling as refund_amount,
        sum(daily_changes.failed_payments_count) over telling as failed_payments_count,
        lead(daily_changes.known_date) over telling as told_again_date

    from daily_changes

    inner join days_told_again
        on daily_changes.customer_id = days_told_again.customer_id
        and daily_changes.activity_date = days_told_again.activity_date

    window telling as (
        partition by daily_changes.customer_id, daily_changes.activity_date
        order by daily_changes.known_date asc
    )

),

told as (

    select * from told_once

    union all by name

    select * from told_again

),

order_days as (

    select
        customer_id,
        activity_date,
        known_date,
        told_again_date,
        cast(coalesce(orders_count, 0) as bigint) as orders_count,
        cast(coalesce(order_amount, 0) as {{ money() }}) as order_amount,
        cast(coalesce(refund_amount, 0) as {{ money() }}) as refund_amount,
        cast(coalesce(failed_payments_count, 0) as bigint) as failed_payments_count

    from told

)

select * from order_days
order by activity_date
