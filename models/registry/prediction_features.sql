-- Grain: one row per customer and as_of_date of a score.
-- What the models saw of a customer when they first scored the date, as one text whose
-- sha256 stands beside the score. Kept for a setting of days.

{% set kept_days = setting('prediction_features_kept_days') %}

{{ config(
    materialized='incremental',
    incremental_strategy='append',
    full_refresh=false,
    on_schema_change='append_new_columns',
    post_hook="{{ forget_old_features() }}"
) }}

with

scored as (

    select
        customer_id,
        as_of_date,
        feature_set_version,
        features,
        features_sha256

    from {{ ref('scored_features') }}

    where {{ kept_days }} > 0

),

kept as (

    select
        customer_id,
        as_of_date

    from ({{ previous('prediction_features', {
        'customer_id': 'varchar', 'as_of_date': 'date',
    }) }}) as earlier

),

new_features as (

    select scored.*

    from scored

    left join kept
        on scored.customer_id = kept.customer_id
        and scored.as_of_date = kept.as_of_date

    where kept.customer_id is null

)

select * from new_features
