-- Grain: one row per country of a customer and day of the data.
-- Whether a day is a holiday there. Of a year of which the seed knows no holiday of the
-- country nothing is said.

{{ config(enabled=perennial.setting('enrichment')) }}

with

countries as (

    select distinct country

    from {{ ref('int_customer_regions') }}

    where country is not null

),

days as (

    select
        cast(
            unnest(range(
                first_activity_date,
                {{ days_after('last_complete_date', 1) }},
                interval 1 day
            )) as date
        ) as activity_date

    from {{ ref('int_score_date') }}

),

holidays as (

    select
        country,
        holiday_date

    from {{ ref('holidays') }}

),

known_years as (

    select distinct
        country,
        year(holiday_date) as calendar_year

    from holidays

),

country_days as (

    select
        countries.country,
        days.activity_date,
        case
            when known_years.country is not null
                then holidays.country is not null
        end as is_holiday

    from countries

    cross join days

    left join known_years
        on countries.country = known_years.country
        and year(days.activity_date) = known_years.calendar_year

    left join holidays
        on countries.country = holidays.country
        and days.activity_date = holidays.holiday_date

)

select * from country_days
