-- Grain: one row per customer known by then and as_of_date.
-- All features of a customer on a date, one theme beside the other: what models learn
-- from and what they score, by the same SQL. A view, for each theme keeps its rows.

{{ config(materialized='view') }}

with

features as (

    select *

    from {{ ref('feat_customers') }}

    {% for theme in [
        'purchases', 'engagement', 'subscription', 'support', 'marketing',
        'rfm', 'cohort', 'first_days', 'lifecycle', 'scores'
    ] -%}
        inner join {{ ref('feat_' ~ theme) }}
            using (customer_id, as_of_date, feature_set_version)

    {% endfor %}

)

select * from features
