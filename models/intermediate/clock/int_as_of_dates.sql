-- Grain: one row per as_of_date, and why it exists.
-- The clock: every feature is computed for these dates and for no other.

with

clock as (

    select score_date from {{ ref('int_score_date') }}

),

splits as (

    select
        as_of_date,
        role

    from {{ ref('model_splits') }}

),

newest_grid_dates as (

    select grid_date

    from {{ ref('int_grid_dates') }}

    order by grid_date desc

    limit {{ setting('grid_dates_count') }}

),

-- the ledger of files tells on which days scores were made before
daily_dates as (

    select distinct files.last_scored_date as as_of_date

    from {{ ref('files_read') }} as files

    cross join clock

    where
        {{ is_recent(
            'files.last_scored_date', 'clock.score_date', setting('daily_dates_kept_days')
        ) }}

),

reasons as (

    select
        as_of_date,
        role as reason

    from splits

    union all

    select
        grid_date as as_of_date,
        'grid' as reason

    from newest_grid_dates

    union all

    select
        as_of_date,
        'daily' as reason

    from daily_dates

),

as_of_dates as (

    select
        as_of_date,
        bool_or(reason = 'score') as is_score_date,
        bool_or(reason = 'test') as is_test_date,
        bool_or(reason = 'train') as is_training_date,
        bool_or(reason = 'grid') as is_grid_date,
        bool_or(reason = 'daily') as is_daily_date,
        bool_or(reason in ('score', 'test')) as is_scored

    from reasons

    group by as_of_date

)

select * from as_of_dates
