-- Grain: one row per customer and day on which their recurring revenue or the number of
-- their live subscriptions changed.
-- The revenue at the end of a day is what was known of it on that day, so that no row
-- ever changes. A renewal ends one period and begins the next on one day: no row.

with

periods as (

    select
        customer_id,
        coalesce(mrr, 0) as mrr,
        from_date,
        to_date

    from {{ ref('int_subscription_periods') }}

    where to_date > from_date or to_date is null

),

beginnings_and_ends as (

    select
        customer_id,
        from_date as activity_date,
        1 as subscriptions_change,
        mrr as mrr_change

    from periods

    union all

    select
        customer_id,
        to_date as activity_date,
        -1 as subscriptions_change,
        -mrr as mrr_change

    from periods

    where to_date is not null

),

daily_changes as (

    select
        customer_id,
        activity_date,
        sum(subscriptions_change) as subscriptions_change,
        sum(mrr_change) as mrr_change

    from beginnings_and_ends

    group by customer_id, activity_date

    having sum(subscriptions_change) <> 0 or sum(mrr_change) <> 0

),

changes as (

    select
        customer_id,
        activity_date,
        cast(mrr_change as {{ money() }}) as mrr_change,
        cast(sum(mrr_change) over so_far as {{ money() }}) as mrr,
        cast(sum(subscriptions_change) over so_far as bigint) as subscriptions_count,
        cast(
            sum(subscriptions_change) over so_far - subscriptions_change as bigint
        ) as subscriptions_count_before

    from daily_changes

    window so_far as (
        partition by customer_id
        order by activity_date asc
        rows between unbounded preceding and current row
    )

)

select * from changes
order by activity_date
