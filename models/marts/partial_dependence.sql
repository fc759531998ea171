-- Grain: one row per model that scores today, feature and point.
-- What the model would say of the same customers if one feature had another value, for
-- the ten strongest features.

with

dependence as (

    select * from {{ ref('reason_dependence') }}

),

catalogue as (

    select
        feature_name,
        description

    from {{ ref('feature_catalogue') }}

),

described as (

    select
        dependence.task,
        cast(dependence.horizon_days as bigint) as horizon_days,
        dependence.as_of_date,
        dependence.model_id,
        dependence.feature_name,
        cast(dependence.point_number as bigint) as point_number,
        dependence.value_number,
        cast(dependence.value_text as varchar) as value_text,
        dependence.mean_probability,
        dependence.mean_margin,
        cast(dependence.customers_count as bigint) as customers_count,
        catalogue.description

    from dependence

    inner join catalogue
        on dependence.feature_name = catalogue.feature_name

)

select * from described
