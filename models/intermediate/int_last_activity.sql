-- Grain: one row per customer.
-- The last day on which something accepted happened, whatever domain tells of it. Who
-- is subscribed is active up to the score date.

with

customers as (

    -- of whom a list tells no sign-up is there from the day on which the list told it
    select
        customer_id,
        coalesce({{ business_day('signed_up_at') }}, known_date) as activity_date

    from {{ ref('input_customers') }}

),

named as (

    select
        customer_id,
        last_activity_date as activity_date

    from {{ ref('int_named_customers') }}

),

subscribed as (

    select
        subscriptions.customer_id,
        least(
            coalesce(
                {{ business_day('subscriptions.ended_at') }}, clock.score_date
            ),
            clock.score_date
        ) as activity_date

    from {{ ref('input_subscriptions') }} as subscriptions

    cross join {{ ref('int_score_date') }} as clock

    where subscriptions.superseded_date is null

),

activities as (

    select * from customers

    union all

    select * from named

    union all

    select * from subscribed

),

last_activity as (

    select
        customer_id,
        max(activity_date) as last_activity_date

    from activities

    group by customer_id

)

select * from last_activity
