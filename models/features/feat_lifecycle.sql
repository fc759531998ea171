-- Grain: one row per customer known by then and as_of_date.
-- At which stage of their life as a customer somebody is, by the rules of the seed
-- lifecycle_rules, and whether there is more to sell to them.

{{ config(
    materialized='incremental',
    pre_hook={'sql': "{{ forget_dates() }}", 'transaction': false},
) }}

{%- set themes = [
    'customers', 'purchases', 'engagement', 'subscription', 'support', 'marketing'
] %}
{%- set rules = lifecycle_rules(ref('lifecycle_rules'), ref('feature_catalogue')) %}
{#- from this share of what the product has to offer on, it is used widely -#}
{%- set wide_adoption = 0.8 %}

with

customers as (

    select
        customer_id,
        as_of_date,
        feature_set_version

    from {{ ref('feat_customers') }}

    where {{ is_new_date('as_of_date') }}

),

staged as (

    select
        customers.customer_id,
        customers.as_of_date,
        customers.feature_set_version,
        feat_engagement.adoption_score_90d,
        {{ lifecycle_stage(rules, themes) }} as lifecycle_stage

    from customers

    -- only what the rules read, for each costs a join; engagement is read anyhow
    {% for theme in themes -%}
        {%- set theme_features = ref('feat_' ~ theme) -%}
        {%- if theme == 'engagement' or theme in rules | map(attribute='theme') -%}
            inner join {{ theme_features }} as feat_{{ theme }}
                on customers.customer_id = feat_{{ theme }}.customer_id
                and customers.as_of_date = feat_{{ theme }}.as_of_date
        {%- endif %}

    {% endfor %}

),

features as (

    select
        customer_id,
        as_of_date,
        feature_set_version,
        lifecycle_stage,
        case
            when lifecycle_stage is not null and adoption_score_90d is not null
                then
                    lifecycle_stage = 'value'
                    and adoption_score_90d >= {{ wide_adoption }}
        end as upsell_signal

    from staged

)

select * from features
