-- Grain: one row per customer whom an accepted row of another domain names.
-- A list of customers may lack some of them, or there may be none.

with

{% set domains = ['orders', 'subscriptions', 'events', 'tickets', 'touches'] -%}
{% for entity in domains -%}
{{ entity }} as (

    select
        customer_id,
        min(known_date) as known_date

    from {{ ref('input_' ~ entity) }}

    group by customer_id

),

{% endfor -%}
named as (

    {% for entity in domains -%}
    select * from {{ entity }}
    {{ 'union all' if not loop.last }}
    {% endfor %}

),

customers as (

    select
        customer_id,
        min(known_date) as known_date

    from named

    group by customer_id

)

select * from customers
