-- Grain: one row per version of a customer.
-- Where the customer lives. A country that no row of regions holds has no region.

{{ config(enabled=perennial.setting('enrichment')) }}

with

customers as (

    select
        customer_id,
        loaded_at,
        known_date,
        superseded_date,
        upper(trim(country)) as country

    from {{ ref('input_customers') }}

),

regions as (

    select
        country,
        region

    from {{ ref('regions') }}

),

located as (

    select
        customers.customer_id,
        customers.loaded_at,
        customers.known_date,
        customers.superseded_date,
        customers.country,
        regions.region

    from customers

    left join regions
        on customers.country = regions.country

)

select * from located
