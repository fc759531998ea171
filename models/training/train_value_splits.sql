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
        ) as is_of_score_date

    from {{ ref('model_splits') }} as splits

    where splits.task = 'purchases'

),

last_fits as (

    select
        fitted.horizon_days,
        max(fitted.origin_date) as origin_date

    from fitted

    cross join clock

    where {{ is_past('fitted.origin_date', 'clock.score_date') }}

    group by fitted.horizon_days

),

due_splits as (

    select
        splits.horizon_days,
        splits.origin_date,
        splits.as_of_date,
        splits.role,
        learning.learning_version

    from splits

    cross join learning

    left join fitted
        on splits.horizon_days = fitted.horizon_days
        and splits.origin_date = fitted.origin_date

    left join last_fits
        on splits.horizon_days = last_fits.horizon_days

    where
        fitted.origin_date is null
        and (
            not splits.is_of_score_date
            or {{ is_asked }}
            or last_fits.origin_date is null
            or {{ days_between('last_fits.origin_date', 'splits.origin_date') }}
            >= {{ setting('retrain_after_days') }}
        )

)

select * from due_splits
