-- Grain: one row per model_id and origin_date.
-- Whether models of the kind that scores now rank past dates as well as they did when
-- the one that scores was promoted.

{#- A drop of the area beyond that is told. -#}
{% set most_drop = 0.03 %}

with

champions as (

    select
        current_models.task,
        current_models.horizon_days,
        current_models.model_id,
        current_models.model_name,
        current_models.fit_date,
        models.mean_roc_auc as promoted_roc_auc,
        models.origins_count as promoted_origins_count

    from {{ ref('current_models') }} as current_models

    inner join {{ ref('model_registry') }} as models
        on current_models.model_id = models.model_id

    where current_models.role = 'champion'

),

areas as (

    select * from {{ ref('churn_backtest_metrics') }}

    where
        metric = 'roc_auc'
        and segment_kind = 'all'
        and population = '{{ setting("training_population") }}'

),

compared as (

    select
        champions.task,
        champions.horizon_days,
        champions.model_id,
        champions.model_name,
        champions.promoted_roc_auc,
        champions.promoted_origins_count,
        areas.as_of_date as origin_date,
        {{ is_over(
            'areas.as_of_date', 'areas.horizon_days', 'champions.fit_date'
        ) }} as was_over,
        areas.metric_value as roc_auc,
        areas.metric_low as roc_auc_low,
        areas.metric_high as roc_auc_high,
        areas.positives_count,
        round(champions.promoted_roc_auc - areas.metric_value, 12) as roc_auc_drop

    from champions

    inner join areas
        on champions.task = areas.task
        and champions.horizon_days = areas.horizon_days
        and champions.model_name = areas.model_name

),

drift as (

    select
        * exclude (was_over),
        not was_over as is_after_promotion,
        coalesce(roc_auc_drop > {{ most_drop }}, false) as has_dropped,
        promoted_roc_auc > roc_auc_high as is_beyond_chance

    from compared

)

select * from drift
