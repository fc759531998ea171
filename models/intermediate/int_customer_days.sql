-- Grain: one row per customer, day and day on which it became known.
-- Counting models count order days: two orders on one day are one decision to buy. A
-- later version comes as a difference: what it replaces is taken back on the day on
-- which it was superseded, so that sums over what was known are as they were then.

with

orders as (

    select
        customer_id,
        kind,
        amount,
        {{ business_day('ordered_at') }} as activity_date,
        -- nothing is known of a day before it came
        greatest(known_date, {{ business_day('ordered_at') }}) as known_date,
        case
            when superseded_date is not null
                then greatest(superseded_date, {{ business_day('ordered_at') }})
        end as superseded_date

    from {{ ref('input_orders') }}

    -- a failed payment is neither revenue nor an order day
    where coalesce(status, 'completed') <> 'failed'

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
        1 as sign,
        amount

    from lasting

    union all

    select
        customer_id,
        activity_date,
        superseded_date as known_date,
        kind,
        -1 as sign,
        -amount as amount

    from lasting

    where superseded_date is not null

),

customer_days as (

    select
        customer_id,
        activity_date,
        known_date,
        cast(
            coalesce(sum(sign) filter (where kind = 'purchase'), 0) as bigint
        ) as orders_count,
        cast(
            coalesce(sum(amount) filter (where kind = 'purchase'), 0) as {{ money() }}
        ) as order_amount,
        cast(
            coalesce(sum(amount) filter (where kind = 'refund'), 0) as {{ money() }}
        ) as refund_amount

    from changes

    group by customer_id, activity_date, known_date

)

select * from customer_days
