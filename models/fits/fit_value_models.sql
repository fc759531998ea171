-- Grain: one row per model of amounts that was ever fitted to score.
-- Appended to, never rewritten, kept through a full refresh. Each candidate that learns
-- has versions of its own, since several score side by side. What a model learned is
-- its document; whoever reads it checks the sha256 first.

{{ config(
    materialized='incremental',
    incremental_strategy='append',
    full_refresh=false,
    on_schema_change='append_new_columns'
) }}

with

fits as (

    select
        *,
        'value_' || model_name as task,
        sha256(model_document) as document_sha256

    from {{ ref('fit_value_challengers') }}

    where value_status = 'ok'

),

training_dates as (

    select
        horizon_days,
        origin_date,
        min(as_of_date) as first_training_date,
        max(as_of_date) as last_training_date

    from {{ ref('model_splits') }}

    where
        task = 'purchases'
        and role = 'train'

    group by horizon_days, origin_date

),

registered as (

    select *

    from ({{ previous('fit_value_models', {
        'task': 'varchar',
        'horizon_days': 'bigint',
        'version': 'bigint',
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
        cast(coalesce(versions.version, 0) + 1 as bigint) as version

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
        new_fits.version,
        new_fits.model_name,
        new_fits.as_of_date,
        new_fits.fit_reason,
        feature_set.feature_set_version,
        new_fits.learning_version,
        training_dates.first_training_date,
        training_dates.last_training_date,
        cast(new_fits.training_rows_count as bigint) as training_rows_count,
        cast(new_fits.training_customers_count as bigint) as training_customers_count,
        cast(new_fits.buyers_count as bigint) as buyers_count,
        new_fits.parameters,
        new_fits.model_document,
        new_fits.document_sha256,
        new_fits.library_version

    from new_fits

    left join training_dates
        on new_fits.horizon_days = training_dates.horizon_days
        and new_fits.as_of_date = training_dates.origin_date

    cross join {{ ref('int_feature_set') }} as feature_set

)

select * from described
