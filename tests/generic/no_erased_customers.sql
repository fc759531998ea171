{#- Nobody who was erased is delivered again: raw_rows refuses their rows, if the source
    says which column names the customer. -#}
{% test no_erased_customers(model) %}
-- noqa: disable=LT02

with

customers as (

    select distinct customer_id from {{ model }}

)

select customer_id is not null as is_back

from customers

where {{ is_erased('customer_id', ref('erasures')) }}

{% endtest %}
