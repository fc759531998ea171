-- Grain: one row per task and horizon_days.
-- Whether a model is fitted in this run, and why. What was fitted before stands in the
-- registry that the previous run left; fits of a later date than the score date do not
-- count.

{#- `perennial build --fit` says so for one run. -#}
{%- set is_asked = env_var('PERENNIAL_FIT', 'false') == 'true' or setting('fit_now') %}

with

clock as (

    select score_date from {{ ref('int_score_date') }}

),

horizons as (

    select
        splits.task,
        splits.horizon_days,
        clock.score_date as as_of_date,
        md5(
            concat_ws(
                ';', feature_set.feature_set_version, '{{ learning_settings_hash() }}'
            )
        ) as learning_version

    from {{ ref('model_splits') }} as splits

    cross join clock

    cross join {{ ref('int_feature_set') }} as feature_set

    where
        splits.role = 'score'
        and splits.task <> 'purchases'

),

registered as (

    select *

    from ({{ previous('model_registry', {
        'model_id': 'varchar',
        'task': 'varchar',
        'horizon_days': 'integer',
        'version': 'bigint',
        'model_name': 'varchar',
        'as_of_date': 'date',
        'learning_version': 'varchar',
    }) }}) as earlier

),

last_fits as (

    select
        registered.task,
        registered.horizon_days,
        registered.as_of_date,
        registered.learning_version

    from registered

    cross join clock

    where {{ is_past('registered.as_of_date', 'clock.score_date') }}

    qualify
        row_number() over (
            partition by registered.task, registered.horizon_days
            order by registered.as_of_date desc, registered.version desc
        ) = 1

),

champions as (

    select
        champions.task,
        champions.horizon_days,
        champions.model_id,
        registered.model_name

    from (
        {{ standing_champions(
            '(' ~ previous('promotion_log', {
                'event_number': 'bigint',
                'task': 'varchar',
                'horizon_days': 'integer',
                'model_id': 'varchar',
                'event': 'varchar',
                'as_of_date': 'date',
            }) ~ ')',
            '(select score_date from clock)'
        ) }}
    ) as champions

    inner join registered
        on champions.model_id = registered.model_id

),

-- the hook for drift: a model of that name, if there is one, that says so of a date
alarms as (

    select
        drift.task,
        drift.horizon_days,
        max(drift.as_of_date) as drift_date

    from ({{ previous('drift_alarms', {
        'task': 'varchar', 'horizon_days': 'integer', 'as_of_date': 'date',
    }) }}) as drift

    cross join clock

    where {{ is_past('drift.as_of_date', 'clock.score_date') }}

    group by drift.task, drift.horizon_days

),

known as (

    select
        horizons.task,
        horizons.horizon_days,
        horizons.as_of_date,
        horizons.learning_version,
        last_fits.as_of_date as last_fit_date,
        {{ days_between('last_fits.as_of_date', 'horizons.as_of_date') }}
            as days_since_fit,
        coalesce(last_fits.learning_version <> horizons.learning_version, true)
            as is_changed,
        coalesce(
            not {{ is_past('alarms.drift_date', 'last_fits.as_of_date') }}, false
        ) as has_drifted,
        champions.model_id as champion_id,
        champions.model_name as champion_name

    from horizons

    left join last_fits
        on horizons.task = last_fits.task
        and horizons.horizon_days = last_fits.horizon_days

    left join champions
        on horizons.task = champions.task
        and horizons.horizon_days = champions.horizon_days

    left join alarms
        on horizons.task = alarms.task
        and horizons.horizon_days = alarms.horizon_days

),

decided as (

    select
        task,
        horizon_days,
        as_of_date,
        case
            when last_fit_date is null then 'first_run'
            when {{ is_asked }} then 'asked'
            when is_changed then 'learning_changed'
            when days_since_fit >= {{ setting('retrain_after_days') }} then 'age'
            when has_drifted then 'drift'
            else 'not_due'
        end as reason,
        reason <> 'not_due' as is_due,
        last_fit_date,
        days_since_fit,
        learning_version,
        champion_id,
        champion_name

    from known

)

select * from decided
