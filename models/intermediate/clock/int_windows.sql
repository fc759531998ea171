-- Grain: one row per as_of_date and horizon_days.
-- The future that an outcome tells of: from the day after as_of_date to last_date.

with

clock as (

    select score_date from {{ ref('int_score_date') }}

),

windows as (

    select
        as_of_dates.as_of_date,
        horizons.horizon_days,
        {{ days_after('as_of_dates.as_of_date', 'horizons.horizon_days') }}
            as last_date,
        {{ is_over(
            'as_of_dates.as_of_date', 'horizons.horizon_days', 'clock.score_date'
        ) }} as is_over

    from {{ ref('int_as_of_dates') }} as as_of_dates

    cross join (
        values
        {% for horizon_days in setting('horizons_days') -%}
            ({{ horizon_days }}){{ ', ' if not loop.last }}
        {%- endfor %}
    ) as horizons (horizon_days)

    cross join clock

)

select * from windows
