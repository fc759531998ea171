-- Grain: one row per customer and experiment.
-- Which variant a customer was given. Who was erased is left out, for a seed is read
-- again by each build.

{{ config(enabled=perennial.setting('enrichment')) }}

with

assigned as (

    select
        customer_id,
        experiment,
        variant,
        assigned_at

    from {{ ref('experiments') }}

    where not {{ is_erased('customer_id', ref('erasures')) }}

)

select * from assigned
