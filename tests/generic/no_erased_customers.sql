{#- Nobody who was erased is delivered again: raw_rows refuses their rows, if the source
    says which column names the customer. -#}
{% test no_erased_customers(model) %}
-- noqa: disable=LT02

{%- set erasures = ref('erasures') %}

{% if execute and erasures_beside(erasures) -%}
    select row_fault

    from {{ model }}

    where
        customer_id in (
            select customer_id

            from (select distinct customer_id from {{ model }})

            where
                perennial_keyed_hash('erased customer', customer_id) in (
                    select customer_hash from {{ erasures }}
                )
        )
{%- else -%}
    select 1 as nobody_was_erased

    where false
{%- endif %}

{% endtest %}
