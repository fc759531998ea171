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

    select {{ each_day('first_activity_date', 'score_date') }} as calendar_date

    from clock

),

grid_dates as (

    select calendar_date as grid_date

    from days

    {% if setting('training_grid') == 'week' -%}
        where extract('isodow' from calendar_date) = 7
    {%- else -%}
        where calendar_date = last_day(calendar_date)
    {%- endif %}

)

select * from grid_dates
