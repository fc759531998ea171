-- Grain: one row per model that scores today and feature.
-- How much each feature moves the scores of the score date, with what it says.

with

importance as (

    select * from {{ ref('reason_importance') }}

),

catalogue as (

    select
        feature_name,
        theme,
        description

    from {{ ref('feature_catalogue') }}

),

described as (

    select
        importance.task,
        cast(importance.horizon_days as bigint) as horizon_days,
        importance.as_of_date,
        importance.model_id,
        importance.feature_name,
        cast(importance.importance_rank as bigint) as importance_rank,
        importance.mean_absolute_contribution,
        importance.importance_share,
        importance.mean_contribution,
        cast(importance.customers_count as bigint) as customers_count,
        importance.usual_number,
        cast(importance.usual_text as varchar) as usual_text,
        catalogue.theme,
        coalesce(
            catalogue.description,
            'Whole days since the customer last ordered or used the product.'
        ) as description

    from importance

    left join catalogue
        on importance.feature_name = catalogue.feature_name

)

select * from described
