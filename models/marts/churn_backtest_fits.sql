-- Grain: one row per task, horizon_days, origin_date and model_name.
-- What was fitted at each past origin, from how many rows, how it was calibrated, or
-- why not; and whether it then showed any skill.

with

fits as (

    select * from {{ ref('fit_churn') }}

),

skills as (

    select
        task,
        model_name,
        as_of_date,
        horizon_days,
        metric_value as brier_skill

    from {{ ref('eval_churn') }}

    where
        metric = 'brier_skill'
        and population = '{{ setting("training_population") }}'

),

judged as (

    select
        fits.task,
        fits.horizon_days,
        fits.origin_date,
        fits.model_name,
        fits.candidate_status,
        fits.candidate_note,
        fits.training_dates_count,
        fits.training_rows_count,
        fits.training_customers_count,
        fits.positives_count,
        fits.calibration_method,
        fits.calibration_rows_count,
        fits.parameters,
        fits.trials_count,
        fits.fixed_log_loss,
        fits.least_log_loss,
        skills.brier_skill,
        case
            when skills.brier_skill is null then 'not_judged'
            when skills.brier_skill > 0 then 'skill'
            else 'no_skill'
        end as skill_status,
        splits.is_for_selection,
        fits.library_version

    from fits

    inner join {{ ref('model_splits') }} as splits
        on fits.task = splits.task
        and fits.horizon_days = splits.horizon_days
        and fits.origin_date = splits.origin_date
        and splits.role = 'test'

    left join skills
        on fits.task = skills.task
        and fits.horizon_days = skills.horizon_days
        and fits.origin_date = skills.as_of_date
        and fits.model_name = skills.model_name

)

select * from judged
