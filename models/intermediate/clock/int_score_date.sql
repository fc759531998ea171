-- Grain: one row, or none while there is no accepted row and no setting.
-- The last day that is known to its end: nothing of the wall clock comes in. Orders and
-- events both must reach it; support and marketing never hold it back.

{% set pinned = setting('score_date') %}
{% set incomplete_days = 0 if setting('last_day_is_complete') else 1 %}

with

-- a failed payment is an observed day too; a day that was corrected is no last one
orders as (

    select
        min({{ business_day('ordered_at') }}) as first_activity_date,
        max({{ business_day('ordered_at') }}) filter (where superseded_date is null)
            as last_activity_date

    from {{ ref('input_orders') }}

),

events as (

    select
        min(activity_date) as first_activity_date,
        max(activity_date) filter (
            where told_again_date is null and events_count > 0
        ) as last_activity_date

    from {{ ref('int_usage_days') }}

),

subscriptions as (

    select
        min({{ business_day('started_at') }}) as first_activity_date,
        max({{ business_day('started_at') }}) filter (where superseded_date is null)
            as last_activity_date

    from {{ ref('input_subscriptions') }}

),

observed as (

    select
        coalesce(
            least(orders.first_activity_date, events.first_activity_date),
            subscriptions.first_activity_date
        ) as first_activity_date,
        coalesce(
            least(orders.last_activity_date, events.last_activity_date),
            subscriptions.last_activity_date
        ) as last_activity_date

    from orders

    cross join events

    cross join subscriptions

),

complete as (

    select
        first_activity_date,
        {{ days_after('last_activity_date', -incomplete_days) }} as last_complete_date

    from observed

    where last_activity_date is not null

),

score_date as (

    select
        first_activity_date,
        last_complete_date,
        {{ date_literal(pinned) if pinned else 'last_complete_date' }} as score_date

    from complete

)

select * from score_date
