-- Grain: one row per as_of_date, and why it exists.
-- The clock: every feature is computed for these dates and for no other.

with

splits as (

    select
        as_of_date,
        role

    from {{ ref('model_splits') }}

),

as_of_dates as (

    select
        as_of_date,
        bool_or(role = 'score') as is_score_date,
        bool_or(role = 'test') as is_test_date,
        bool_or(role = 'train') as is_training_date,
        bool_or(role in ('score', 'test')) as is_scored

    from splits

    group by as_of_date

)

select * from as_of_dates
