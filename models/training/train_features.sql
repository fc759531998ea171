-- Grain: one row per feature that models may learn from.
-- What the catalogue lets models see, of the domains that are delivered.

with

catalogue as (

    select
        feature_name,
        entity,
        kind,
        is_model_input

    from {{ ref('feature_catalogue') }}

),

features as (

    select
        feature_name,
        kind = 'category' as is_category

    from catalogue

    where
        is_model_input
        and kind <> 'date'
        and (
            entity is null
            or entity in {{ literals(setting('entities')) }}
        )

)

select * from features
