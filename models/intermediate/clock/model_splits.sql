-- Grain: one row per task, horizon, origin_date, as_of_date and role.
-- Dates are chosen here. An origin is the day on which a model is fitted: it may
-- learn from outcomes of `train` dates, all over by then, and is judged on the
-- outcome after its `test` date, which is the origin itself.

{% set pinned_dates = setting('origin_dates') %}

with

clock as (

    select
        first_activity_date,
        score_date

    from {{ ref('int_score_date') }}

),

grid as (

    select grid_date from {{ ref('int_grid_dates') }}

),

horizons as (

    select listed.horizon_days

    from (
        values
        {% for horizon_days in setting('horizons_days') -%}
            ({{ horizon_days }}){{ ', ' if not loop.last }}
        {%- endfor %}
    ) as listed (horizon_days)

),

past_origins as (

    {% if pinned_dates -%}
        select
            horizons.horizon_days,
            pinned.origin_date

        from horizons

        cross join (
            values
            {% for origin_date in pinned_dates -%}
                ({{ date_literal(origin_date) }}){{ ', ' if not loop.last }}
            {%- endfor %}
        ) as pinned (origin_date)
    {%- else -%}
        select
            horizons.horizon_days,
            max(grid.grid_date) as origin_date

        from range(1, {{ setting('origins_count') }} + 1) as steps (step)

        cross join horizons

        cross join clock

        inner join grid
            on {{ is_over(
                'grid.grid_date', 'steps.step * horizons.horizon_days', 'clock.score_date'
            ) }}

        group by
            steps.step,
            horizons.horizon_days
    {%- endif %}

),

-- a pinned date can lie outside the data, or too late for its outcome to be over
judged_origins as (

    select distinct
        past_origins.horizon_days,
        past_origins.origin_date,
        'test' as role

    from past_origins

    inner join clock
        on past_origins.origin_date >= clock.first_activity_date
        and {{ is_over(
            'past_origins.origin_date', 'past_origins.horizon_days', 'clock.score_date'
        ) }}

),

score_origin as (

    select
        horizons.horizon_days,
        clock.score_date as origin_date,
        'score' as role

    from horizons

    cross join clock

),

origins as (

    select * from judged_origins
    union all
    select * from score_origin

),

-- the newest dates whose outcomes are over by the origin
training_dates as (

    select
        origins.horizon_days,
        origins.origin_date,
        grid.grid_date as as_of_date,
        'train' as role

    from origins

    inner join grid
        on {{ is_over(
            'grid.grid_date', 'origins.horizon_days', 'origins.origin_date'
        ) }}

    qualify
        row_number() over (
            partition by origins.horizon_days, origins.origin_date
            order by grid.grid_date desc
        ) <= {{ setting('training_dates_count') }}

),

tasks as (

    select listed.task

    from (
        values
        ('purchases')
        {%- for task in setting('tasks') -%}
            , ('{{ task }}')
        {%- endfor %}
    ) as listed (task)

),

dates as (

    select
        horizon_days,
        origin_date,
        origin_date as as_of_date,
        role

    from origins

    union all

    select
        horizon_days,
        origin_date,
        as_of_date,
        role

    from training_dates

),

-- what is chosen between models is chosen on older origins than the newest, which then
-- tells how good the choice was
splits as (

    select
        tasks.task,
        dates.horizon_days,
        dates.origin_date,
        dates.as_of_date,
        dates.role,
        dates.role = 'test'
        and dates.origin_date < max(dates.origin_date) filter (
            where dates.role = 'test'
        ) over (
            partition by tasks.task, dates.horizon_days
        ) as is_for_selection

    from tasks

    cross join dates

)

select * from splits
