-- Grain: one row, or none while there is no order and no setting.
-- The last day that is known to its end: nothing of the wall clock comes in.

{% set pinned = setting('score_date') %}
{% set incomplete_days = 0 if setting('last_day_is_complete') else 1 %}

with

customer_days as (

    select activity_date from {{ ref('int_customer_days') }}

),

newest as (

    select
        min(activity_date) as first_activity_date,
        max(activity_date) as last_activity_date

    from customer_days

),

complete as (

    select
        first_activity_date,
        {{ days_after('last_activity_date', -incomplete_days) }} as last_complete_date

    from newest

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
