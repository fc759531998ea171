-- Grain: one row per task, horizon_days, as_of_date, customer, role and time that
-- another model was to score the customer on that date.
-- Appended to, never rewritten, kept through a full refresh.

-- no score without what it was made from
-- depends_on: {{ ref('prediction_features') }}

{{ config(
    materialized='incremental',
    incremental_strategy='append',
    full_refresh=false,
    on_schema_change='append_new_columns'
) }}

with

scores as (

    select
        *,
        {{ hashed_number('customer_id', 'canary') }}
        < cast(4294967296 as bigint) * {{ setting('canary_share') }}
        and count(*) over (
            partition by task, horizon_days, as_of_date, customer_id
        ) > 1 as is_canary

    from {{ ref('score_churn_today') }}

),

logged as (

    select *

    from ({{ previous('predictions_log', {
        'prediction_number': 'bigint',
        'task': 'varchar',
        'horizon_days': 'bigint',
        'as_of_date': 'date',
        'customer_id': 'varchar',
        'role': 'varchar',
        'model_id': 'varchar',
        'is_published': 'boolean',
    }) }}) as earlier

),

last_logged as (

    select logged.*

    from logged

    where logged.as_of_date in (select as_of_date from scores)

    qualify
        row_number() over (
            partition by
                logged.task,
                logged.horizon_days,
                logged.as_of_date,
                logged.customer_id,
                logged.role
            order by logged.prediction_number desc
        ) = 1

),

newest as (

    select coalesce(max(prediction_number), 0) as prediction_number from logged

),

models as (

    select
        model_id,
        model_name,
        version,
        choice_status,
        document_sha256

    from {{ ref('current_models') }}

),

described as (

    select
        cast(newest.prediction_number + 1 as bigint) as prediction_number,
        scores.task,
        cast(scores.horizon_days as bigint) as horizon_days,
        scores.as_of_date,
        scores.customer_id,
        scores.role,
        (scores.role = 'challenger') = scores.is_canary as is_published,
        scores.model_id,
        models.model_name,
        models.version as model_version,
        models.choice_status,
        models.document_sha256,
        features.feature_set_version,
        features.features_sha256,
        scores.raw_score,
        scores.probability,
        scores.margin,
        scores.model_source,
        scores.model_note,
        '{{ invocation_id }}' as run_id

    from scores

    cross join newest

    left join models
        on scores.model_id = models.model_id

    left join {{ ref('scored_features') }} as features
        on scores.customer_id = features.customer_id
        and scores.as_of_date = features.as_of_date

),

-- who was scored by the same model, in the same role, is not scored again
new_predictions as (

    select described.*

    from described

    left join last_logged
        on described.task = last_logged.task
        and described.horizon_days = last_logged.horizon_days
        and described.as_of_date = last_logged.as_of_date
        and described.customer_id = last_logged.customer_id
        and described.role = last_logged.role
        and described.is_published = last_logged.is_published
        and described.model_id is not distinct from last_logged.model_id

    where last_logged.customer_id is null

)

select * from new_predictions
