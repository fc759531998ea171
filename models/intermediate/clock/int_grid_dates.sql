-- Grain: one row per date of the training grid.
-- Models learn from dates that stay where they are, so that a new day brings one new
-- date of features and not a new set of them.

with

clock as (

    select
        first_activity_date,
        score_date

    from {{ ref('int_score_date') }}

),

days as (

    select {{ each_day('first_activity_date', 'score_date') }} as day

    from clock

),

grid_dates as (

    select day as grid_date

    from days

    {% if setting('training_grid') == 'week' -%}
        where extract('isodow' from day) = 7
    {%- else -%}
        where day = last_day(day)
    {%- endif %}

)

select * from grid_dates
