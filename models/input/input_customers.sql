-- Grain: one row per customer.
-- CDNOW delivers no list of customers, so whoever has an accepted order is one.

with

orders as (

    select customer_id from {{ ref('input_orders') }}

),

customers as (

    select distinct customer_id from orders

)

select * from customers
