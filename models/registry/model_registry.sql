-- Grain: one row per model that was ever fitted to score.
-- Appended to, never rewritten, kept through a full refresh. What a model learned is
-- its document; whoever reads it checks the sha256 first.

{{ config(
    materialized='incremental',
    incremental_strategy='append',
    full_refresh=false,
    on_schema_change='append_new_columns'
) }}

with

fits as (

    select * from {{ ref('fit_challenger') }}

),

decisions as (

    select * from {{ ref('retrain_decision') }}

),

leaderboard as (

    select * from {{ ref('eval_leaderboard') }}

),

training_dates as (

    select
        task,
        horizon_days,
        origin_date,
        min(as_of_date) as first_training_date,
        max(as_of_date) as last_training_date

    from {{ ref('model_splits') }}

    where role = 'train'

    group by task, horizon_days, origin_date

),

registered as (

    select *

    from ({{ previous('model_registry', {
        'task': 'varchar',
        'horizon_days': 'bigint',
        'version': 'bigint',
        'model_name': 'varchar',
        'as_of_date': 'date',
        'document_sha256': 'varchar',
    }) }}) as earlier

),

versions as (

    select
        task,
        horizon_days,
        max(version) as version

    from registered

    group by task, horizon_days

),

-- the same fit on the same day is no new model, and this may run twice after one fit
new_fits as (

    select
        fits.*,
        coalesce(versions.version, 0)
        + row_number() over (
            partition by fits.task, fits.horizon_days
            order by fits.is_chosen asc, fits.model_name asc
        ) as version

    from fits

    left join versions
        on fits.task = versions.task
        and fits.horizon_days = versions.horizon_days

    where not exists (
        select 1
        from registered
        where
            registered.task = fits.task
            and registered.horizon_days = fits.horizon_days
            and registered.model_name = fits.model_name
            and registered.as_of_date = fits.as_of_date
            and registered.document_sha256 = fits.document_sha256
    )

),

described as (

    select
        new_fits.task
        || '_' || new_fits.horizon_days || 'd_v' || new_fits.version as model_id,
        new_fits.task,
        cast(new_fits.horizon_days as bigint) as horizon_days,
        cast(new_fits.version as bigint) as version,
        new_fits.model_name,
        new_fits.as_of_date,
        decisions.reason as fit_reason,
        new_fits.is_chosen,
        leaderboard.choice_status,
        new_fits.candidate_status,
        new_fits.candidate_note,
        feature_set.feature_set_version,
        decisions.learning_version,
        training_dates.first_training_date,
        training_dates.last_training_date,
        cast(new_fits.training_rows_count as bigint) as training_rows_count,
        cast(new_fits.training_customers_count as bigint) as training_customers_count,
        cast(new_fits.positives_count as bigint) as positives_count,
        new_fits.calibration_method,
        leaderboard.origins_count,
        leaderboard.mean_average_precision,
        leaderboard.mean_roc_auc,
        leaderboard.mean_brier_skill,
        leaderboard.mean_expected_calibration_error,
        new_fits.model_document,
        new_fits.document_sha256,
        new_fits.library_version

    from new_fits

    inner join decisions
        on new_fits.task = decisions.task
        and new_fits.horizon_days = decisions.horizon_days

    left join leaderboard
        on new_fits.task = leaderboard.task
        and new_fits.horizon_days = leaderboard.horizon_days
        and new_fits.model_name = leaderboard.model_name

    left join training_dates
        on new_fits.task = training_dates.task
        and new_fits.horizon_days = training_dates.horizon_days
        and new_fits.as_of_date = training_dates.origin_date

    cross join {{ ref('int_feature_set') }} as feature_set

)

select * from described
