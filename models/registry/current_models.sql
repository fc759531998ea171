-- Grain: one row per task, horizon_days and role.
-- The models that score today: the champion, and beside it the newest one that is not.

{{ config(materialized='view') }}

with

current_models as (

    select
        model_stages.task,
        model_stages.horizon_days,
        model_stages.stage as role,
        model_stages.model_id,
        models.version,
        models.model_name,
        models.as_of_date as fit_date,
        models.choice_status,
        models.candidate_status,
        models.model_document,
        models.document_sha256

    from {{ ref('model_stages') }} as model_stages

    inner join {{ ref('model_registry') }} as models
        on model_stages.model_id = models.model_id

    where model_stages.stage in ('champion', 'challenger')

)

select * from current_models
