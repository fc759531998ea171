-- Grain: one row per customer known by then and as_of_date.
-- What is known of a customer who has hardly begun: whether there was anything yet, and
-- what the first 30 days brought once they are over, as known at the end of as_of_date.

{{ config(
    materialized='incremental',
    pre_hook={'sql': "{{ forget_dates() }}", 'transaction': false},
) }}

{%- set days_after_first = 29 %}

with

customers as (

    select
        customers.customer_id,
        customers.as_of_date,
        customers.feature_set_version,
        customers.signed_up_date,
        {{ days_after('customers.signed_up_date', days_after_first) }} as last_day

    from {{ ref('feat_customers') }} as customers

    where {{ is_new_date('as_of_date') }}

),

purchases as (

    select
        customer_id,
        as_of_date,
        orders_count,
        first_order_date,
        {{ days_after('first_order_date', days_after_first) }} as last_day

    from {{ ref('feat_purchases') }}

    where {{ is_new_date('as_of_date') }}

),

-- What became known within the first days or later is told once they are over: for most
-- customers one row, whatever the date.
first_orders as (

    select distinct
        customer_id,
        first_order_date,
        last_day

    from purchases

    where {{ is_past('last_day', 'as_of_date') }}

),

first_order_days as (

    select
        first_orders.customer_id,
        first_orders.first_order_date,
        greatest(days.known_date, first_orders.last_day) as known_date,
        days.told_again_date,
        sum(days.orders_count) as orders_count,
        sum(days.order_amount) as order_amount

    from {{ ref('int_order_days') }} as days

    inner join first_orders
        on days.customer_id = first_orders.customer_id
        and days.activity_date between
        first_orders.first_order_date and first_orders.last_day

    group by
        first_orders.customer_id,
        first_orders.first_order_date,
        greatest(days.known_date, first_orders.last_day),
        days.told_again_date

),

first_purchases as (

    select
        purchases.customer_id,
        purchases.as_of_date,
        cast(sum(days.orders_count) as bigint) as orders_count,
        cast(sum(days.order_amount) as {{ money() }}) as order_amount

    from purchases

    inner join first_order_days as days
        on purchases.customer_id = days.customer_id
        and purchases.first_order_date = days.first_order_date
        and {{ is_known(
            'days.known_date', 'days.told_again_date', 'purchases.as_of_date'
        ) }}

    group by purchases.customer_id, purchases.as_of_date

),

sign_ups as (

    select distinct
        customer_id,
        signed_up_date,
        last_day

    from customers

    where {{ is_past('last_day', 'as_of_date') }}

),

first_usage_days as (

    select
        sign_ups.customer_id,
        sign_ups.signed_up_date,
        greatest(days.known_date, sign_ups.last_day) as known_date,
        days.told_again_date,
        sum(days.sessions_count) as sessions_count

    from {{ ref('int_usage_days') }} as days

    inner join sign_ups
        on days.customer_id = sign_ups.customer_id
        and days.activity_date between sign_ups.signed_up_date and sign_ups.last_day

    group by
        sign_ups.customer_id,
        sign_ups.signed_up_date,
        greatest(days.known_date, sign_ups.last_day),
        days.told_again_date

),

first_usage as (

    select
        customers.customer_id,
        customers.as_of_date,
        cast(sum(days.sessions_count) as bigint) as sessions_count

    from customers

    inner join first_usage_days as days
        on customers.customer_id = days.customer_id
        and customers.signed_up_date = days.signed_up_date
        and {{ is_known(
            'days.known_date', 'days.told_again_date', 'customers.as_of_date'
        ) }}

    group by customers.customer_id, customers.as_of_date

),

features as (

    select
        -- keys
        customers.customer_id,
        customers.as_of_date,
        customers.feature_set_version,

        -- whether there was anything yet
        purchases.orders_count > 0 as has_ordered,
        {{ or_none(
            'case when engagement.last_use_date is not null then 1 end', 'events'
        ) }} > 0 as has_used,
        {{ or_none(
            'case when tickets.days_since_last_ticket is not null then 1 end', 'tickets'
        ) }} > 0 as has_ticket,

        -- the first 30 days, once they are over
        first_purchases.order_amount as first_30d_order_amount,
        first_purchases.orders_count as first_30d_orders_count,
        case
            when {{ is_past('customers.last_day', 'customers.as_of_date') }}
                then {{ or_none('first_usage.sessions_count', 'events') }}
        end as first_30d_sessions_count

    from customers

    inner join purchases
        on customers.customer_id = purchases.customer_id
        and customers.as_of_date = purchases.as_of_date

    inner join {{ ref('feat_engagement') }} as engagement
        on customers.customer_id = engagement.customer_id
        and customers.as_of_date = engagement.as_of_date

    inner join {{ ref('feat_support') }} as tickets
        on customers.customer_id = tickets.customer_id
        and customers.as_of_date = tickets.as_of_date

    left join first_purchases
        on customers.customer_id = first_purchases.customer_id
        and customers.as_of_date = first_purchases.as_of_date

    left join first_usage
        on customers.customer_id = first_usage.customer_id
        and customers.as_of_date = first_usage.as_of_date

)

select * from features
