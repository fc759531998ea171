-- Grain: one row per horizon_days, origin_date, as_of_date and role.
-- The splits of which amounts are learned in this run: of a past origin once, of the
-- score date where the last fit is old, and of all where what is learned from changed.

{#- `perennial build --fit` says so for one run. -#}
{%- set is_asked = env_var('PERENNIAL_FIT', 'false') == 'true' or setting('fit_now') %}

with

clock as (

    select score_date from {{ ref('int_score_date') }}

),

learning as (

    select
        md5(
            concat_ws(
                ';', feature_set.feature_set_version, '{{ learning_settings_hash() }}'
            )
        ) as learning_version

    from {{ ref('int_feature_set') }} as feature_set

),

fitted as (

    select distinct
        earlier.horizon_days,
        earlier.origin_date

    from ({{ previous('fit_value', {
        'horizon_days': 'integer', 'origin_date': 'date', 'learning_version': 'varchar',
    }) }}) as earlier

    inner join learning
        on earlier.learning_version = learning.learning_version

    -- a full refresh makes that table anew
    where {{ not flags.FULL_REFRESH }}

),

splits as (

    select
        splits.horizon_days,
        splits.origin_date,
        splits.as_of_date,
        splits.role,
        bool_or(splits.role = 'score') over (
            partition by splits.horizon_days, splits.origin_date
        ) as is_to_score

    from {{ ref('model_splits') }} as splits

    where splits.task = 'purchases'

),

last_fits as (

    select
        registered.horizon_days,
        registered.as_of_date,
        bool_or(registered.learning_version = learning.learning_version) as is_as_today

    from ({{ previous('fit_value_models', {
        'horizon_days': 'integer', 'as_of_date': 'date', 'learning_version': 'varchar',
    }) }}) as registered

    cross join learning

    cross join clock

    where {{ is_past('registered.as_of_date', 'clock.score_date') }}

    group by registered.horizon_days, registered.as_of_date

    qualify
        row_number() over (
            partition by registered.horizon_days
            order by registered.as_of_date desc
        ) = 1

),

reasoned as (

    select
        splits.*,
        learning.learning_version,
        case
            when fitted.origin_date is not null then 'not_due'
            when not splits.is_to_score then 'past_origin'
            when last_fits.as_of_date is null then 'first_run'
            when not last_fits.is_as_today then 'learning_changed'
            when {{ is_asked }} then 'asked'
            when
                {{ days_between('last_fits.as_of_date', 'splits.origin_date') }}
                >= {{ setting('retrain_after_days') }}
                then 'age'
            else 'not_due'
        end as fit_reason

    from splits

    cross join learning

    -- what is fitted to score is registered, and no fit of a past date
    left join fitted
        on splits.horizon_days = fitted.horizon_days
        and splits.origin_date = fitted.origin_date
        and not splits.is_to_score

    left join last_fits
        on splits.horizon_days = last_fits.horizon_days

),

due_splits as (

    select
        horizon_days,
        origin_date,
        as_of_date,
        role,
        is_to_score,
        fit_reason,
        learning_version

    from reasoned

    where fit_reason <> 'not_due'

)

select * from due_splits
