-- Grain: one row per order that the connector delivered.
-- The seam: the only model that asks which connector is in use. What stands here is
-- what a connector's staging model of orders must have.

{{ config(materialized='view') }}

with

staged as (

    select
        order_id,
        customer_id,
        ordered_at,
        amount,
        ordered_at_text,
        amount_text,
        source_file,
        source_line,
        source_text,
        is_utf8

    from {{ ref('stg_' ~ var('connector') ~ '__orders') }}

)

select * from staged
