-- Grain: one row per as_of_date and horizon_days.
-- How much more, or less, was spent a day in the same window a year before than over
-- the year around it, as known at the end of as_of_date. That year is centred, so that
-- a steady growth cancels.

{%- set least_order_days = 100 %}

with

dates as (

    select distinct
        as_of_date,
        horizon_days

    from {{ ref('model_splits') }}

    where
        task = 'purchases'
        and role in ('test', 'score')

),

known_days as (

    select
        dates.as_of_date,
        dates.horizon_days,
        {{ days_between('days.activity_date', 'dates.as_of_date') }} as days_ago,
        days.order_amount

    from dates

    inner join {{ ref('int_order_days') }} as days
        on {{ is_known(
            'days.known_date', 'days.told_again_date', 'dates.as_of_date'
        ) }}
        and {{ is_past('days.activity_date', 'dates.as_of_date') }}
        and days.orders_count > 0

),

spent as (

    select
        as_of_date,
        horizon_days,
        max(days_ago) as days_of_history,
        count(*) filter (
            where days_ago < 365 and days_ago >= 365 - horizon_days
        ) as window_order_days_count,
        sum(order_amount) filter (
            where days_ago < 365 and days_ago >= 365 - horizon_days
        ) as window_amount,
        sum(order_amount) filter (
            where
            days_ago < 547 - horizon_days // 2
            and days_ago >= 182 - horizon_days // 2
        ) as year_amount

    from known_days

    group by as_of_date, horizon_days

),

judged as (

    select
        dates.as_of_date,
        dates.horizon_days,
        case
            when dates.horizon_days >= 365 then 'whole_year'
            when coalesce(spent.days_of_history, 0) < 730 then 'less_than_two_years'
            when
                spent.window_order_days_count < {{ least_order_days }}
                or coalesce(spent.window_amount, 0) <= 0
                then 'too_few_orders'
            else 'ok'
        end as season_status,
        coalesce(spent.window_order_days_count, 0) as window_order_days_count,
        spent.window_amount,
        spent.year_amount

    from dates

    left join spent
        on dates.as_of_date = spent.as_of_date
        and dates.horizon_days = spent.horizon_days

),

seasons as (

    select
        as_of_date,
        horizon_days,
        season_status,
        window_order_days_count,
        window_amount,
        year_amount,
        -- without two years nothing is known of seasons
        case
            when season_status = 'ok'
                then round(
                    cast(window_amount as double) * 365
                    / (horizon_days * cast(year_amount as double)),
                    6
                )
            else 1
        end as season_index

    from judged

)

select * from seasons
