-- Grain: one row per as_of_date and day up to it.
-- What lies how far in the past: features join their days to this, and no other place
-- counts back from an as_of_date. Tickets and messages may have come before the first
-- order and event, so the days begin a year before those.

with

clock as (

    select first_activity_date from {{ ref('int_score_date') }}

),

as_of_dates as (

    select as_of_date from {{ ref('int_as_of_dates') }}

),

days as (

    select
        as_of_dates.as_of_date,
        {{ each_day(
            days_after('clock.first_activity_date', -days_before_the_data()),
            'as_of_dates.as_of_date'
        ) }} as activity_date

    from as_of_dates

    cross join clock

),

as_of_days as (

    select
        as_of_date,
        activity_date,
        {{ days_between('activity_date', 'as_of_date') }} as days_before

    from days

)

select * from as_of_days
