-- Grain: one row per task, horizon_days, origin_date, as_of_date and role.
-- The splits of which something is fitted in this run: those of the tasks and horizons
-- that are due, and of those whose candidates are not there.

with

fitted as (

    select distinct
        task,
        horizon_days

    from ({{ previous('fit_churn', {
        'task': 'varchar', 'horizon_days': 'integer',
    }) }}) as earlier

    -- a full refresh makes that table anew
    where {{ not flags.FULL_REFRESH }}

),

due_splits as (

    select
        splits.task,
        splits.horizon_days,
        splits.origin_date,
        splits.as_of_date,
        splits.role

    from {{ ref('model_splits') }} as splits

    inner join {{ ref('retrain_decision') }} as decision
        on splits.task = decision.task
        and splits.horizon_days = decision.horizon_days

    left join fitted
        on splits.task = fitted.task
        and splits.horizon_days = fitted.horizon_days

    where
        decision.is_due
        or fitted.task is null

)

select * from due_splits
