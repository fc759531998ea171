-- Grain: one row per customer, as_of_date and text of features.
-- What models saw when they gave the scores that are explained: as it was kept beside
-- the score, or as it is today where another model scored the date again.

{{ config(materialized='view') }}

with

kept as (

    select
        customer_id,
        as_of_date,
        features_sha256,
        features

    from {{ ref('prediction_features') }}

),

current_features as (

    select
        scored.customer_id,
        scored.as_of_date,
        scored.features_sha256,
        scored.features

    from {{ ref('scored_features') }} as scored

    left join kept
        on scored.customer_id = kept.customer_id
        and scored.as_of_date = kept.as_of_date
        and scored.features_sha256 = kept.features_sha256

    where kept.customer_id is null

),

features as (

    select * from kept
    union all
    select * from current_features

)

select * from features
