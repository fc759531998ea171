{#- Nobody who was erased is delivered again: raw_rows refuses their rows, if the source
    says which column names the customer. -#}
{% test no_erased_customers(model) %}

with

customers as (

    select distinct customer_id from {{ model }}

)

select customer_id is not null as is_back

from customers

where
    {% set erasures = ref('erasures') -%}
    {% if erasures_beside(erasures) -%}
        perennial_keyed_hash('erased customer', customer_id) in (
            select customer_hash from {{ erasures }}
        )
    {%- else -%}
        false
    {%- endif %}

{% endtest %}
