-- Grain: one row per customer, day, day on which what is known of it changed, and
-- entity. What a customer did and got, day by day: the narrow tables of orders and
-- usage, tickets opened and messages sent, one under the other. A view for questions
-- and laws; features read the table of their own domain.

{{ config(materialized='view') }}

with

tickets as (

    select
        customer_id,
        {{ business_day('opened_at') }} as activity_date,
        greatest(known_date, {{ business_day('opened_at') }}) as known_date,
        superseded_date as told_again_date,
        count(*) as tickets_count

    from {{ ref('input_tickets') }}

    group by customer_id, {{ business_day('opened_at') }}, known_date, superseded_date

),

touches as (

    select
        customer_id,
        {{ business_day('sent_at') }} as activity_date,
        greatest(known_date, {{ business_day('sent_at') }}) as known_date,
        superseded_date as told_again_date,
        count(*) as touches_count

    from {{ ref('input_touches') }}

    where not coalesce(is_control, false)

    group by customer_id, {{ business_day('sent_at') }}, known_date, superseded_date

),

customer_days as (

    select
        *,
        'orders' as entity

    from {{ ref('int_order_days') }}

    union all by name

    select
        * exclude (modules, day_state),
        'events' as entity

    from {{ ref('int_usage_days') }}

    union all by name

    select
        *,
        'tickets' as entity

    from tickets

    union all by name

    select
        *,
        'touches' as entity

    from touches

)

select * from customer_days
