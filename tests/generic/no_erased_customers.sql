{#- Nobody who was erased is delivered again: raw_rows refuses their rows, if the source
    says which column names the customer. While nobody was, no row is looked at. -#}
{% test no_erased_customers(model) %}

{% set anybody = listed(
    ref('erasures'), 'select 1 from ' ~ ref('erasures') ~ ' limit 1'
) %}

with

customers as (

    select distinct customer_id

    from {{ model }}

    where {{ 'true' if anybody else 'false' }}

)

select customer_id is not null as is_back

from customers

where {{ is_erased('customer_id', ref('erasures')) }}

{% endtest %}
