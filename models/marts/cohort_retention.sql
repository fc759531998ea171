-- Grain: one row per cohort_month, activity_kind and months_since.
-- Who still ordered, used or was subscribed, month by month after the first. A month is
-- told once it is over, for the whole cohort at once.

with

clock as (

    select
        first_activity_date,
        score_date

    from {{ ref('int_score_date') }}

),

days as (

    select {{ each_day('first_activity_date', 'score_date') }} as calendar_date

    from clock

),

months as (

    select
        calendar_date as last_date,
        {{ month_of('calendar_date') }} as month_date

    from days

    where calendar_date = last_day(calendar_date)

),

active_days as (

    select
        customer_id,
        activity_kind,
        activity_date,
        day_number

    from {{ ref('int_active_days') }}

),

lives as (

    select
        customer_id,
        started_date,
        ended_date

    from {{ ref('int_subscription_lives') }}

),

first_days as (

    select
        customer_id,
        activity_date as first_date

    from active_days

    where day_number = 1

    union all

    select
        customer_id,
        started_date as first_date

    from lives

),

first_activities as (

    select
        customer_id,
        min(first_date) as first_date

    from first_days

    group by customer_id

),

first_orders as (

    select
        customer_id,
        activity_date as first_order_date

    from active_days

    where activity_kind = 'ordered' and day_number = 1

),

customers as (

    select
        customers.customer_id,
        {{ business_day('customers.signed_up_at') }} as signed_up_date

    from {{ ref('input_customers') }} as customers

    inner join clock
        on {{ is_known(
            'customers.known_date', 'customers.superseded_date', 'clock.score_date'
        ) }}

),

-- who signed up nowhere begins with the first order, or else with whatever came first
members as (

    select
        customers.customer_id,
        {{ month_of('coalesce(
            customers.signed_up_date,
            first_orders.first_order_date,
            first_activities.first_date
        )') }} as cohort_month

    from customers

    left join first_orders
        on customers.customer_id = first_orders.customer_id

    left join first_activities
        on customers.customer_id = first_activities.customer_id

),

cohorts as (

    select
        cohort_month,
        count(*) as customers_count

    from members

    where cohort_month is not null

    group by cohort_month

),

kinds as (

    select listed.activity_kind

    from (
        values
        ('ordered', {{ ('orders' in setting('entities')) | lower }}),
        ('used', {{ ('events' in setting('entities')) | lower }}),
        ('subscribed', {{ ('subscriptions' in setting('entities')) | lower }})
    ) as listed (activity_kind, is_delivered)

    where listed.is_delivered

),

active_months as (

    select distinct
        customer_id,
        activity_kind,
        {{ month_of('activity_date') }} as month_date

    from active_days

    union all

    select distinct
        lives.customer_id,
        'subscribed' as activity_kind,
        months.month_date

    from months

    inner join lives
        on {{ is_known('lives.started_date', 'lives.ended_date', 'months.last_date') }}

),

retained as (

    select
        members.cohort_month,
        active_months.activity_kind,
        active_months.month_date,
        count(*) as retained_count

    from members

    inner join active_months
        on members.customer_id = active_months.customer_id

    group by
        members.cohort_month,
        active_months.activity_kind,
        active_months.month_date

),

retention as (

    select
        cohorts.cohort_month,
        kinds.activity_kind,
        {{ months_between('cohorts.cohort_month', 'months.month_date') }}
            as months_since,
        cohorts.customers_count,
        coalesce(retained.retained_count, 0) as retained_count,
        cast(coalesce(retained.retained_count, 0) as double)
        / cohorts.customers_count as retention_rate

    from cohorts

    inner join months
        on cohorts.cohort_month <= months.month_date

    cross join kinds

    left join retained
        on cohorts.cohort_month = retained.cohort_month
        and months.month_date = retained.month_date
        and kinds.activity_kind = retained.activity_kind

)

select * from retention
