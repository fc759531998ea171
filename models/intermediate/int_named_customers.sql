-- Grain: one row per customer whom an accepted row of another domain names.
-- A list of customers may lack some of them, or there may be none.

with

named as (

    {% for entity in ['orders', 'subscriptions', 'tickets', 'touches'] -%}
        select
            customer_id,
            min(known_date) as known_date,
            max({{ activity_date(entity) }}) as last_activity_date

        from {{ ref('input_' ~ entity) }}

        group by customer_id

        union all

    {% endfor -%}
    select
        customer_id,
        min(known_date) as known_date,
        max(activity_date) as last_activity_date

    from {{ ref('int_usage_days') }}

    group by customer_id

),

customers as (

    select
        customer_id,
        min(known_date) as known_date,
        max(last_activity_date) as last_activity_date

    from named

    group by customer_id

)

select * from customers
