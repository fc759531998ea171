-- Grain: one row per activity_kind, as_of_date and window_days.
-- How far a label holds: who was silent (or not subscribed any more) at the end of the
-- window and came back after it was lost in name only.

{% set windows_days = [30, 60, 90, 120] %}
{% set follow_up_days = 180 %}

with

clock as (

    select score_date from {{ ref('int_score_date') }}

),

windows as (

    select listed.window_days

    from (
        values
        {% for window_days in windows_days -%}
            ({{ window_days }}){{ ', ' if not loop.last }}
        {%- endfor %}
    ) as listed (window_days)

),

-- all windows of a date can be followed, or none of them is told
grid_dates as (

    select as_of_dates.as_of_date

    from {{ ref('int_as_of_dates') }} as as_of_dates

    inner join clock
        on {{ is_over(
            'as_of_dates.as_of_date', windows_days[-1] + follow_up_days, 'clock.score_date'
        ) }}

    where as_of_dates.is_grid_date

),

active_customers as (

    select
        active_days.customer_id,
        active_days.activity_kind,
        grid_dates.as_of_date,
        {{ days_between('grid_dates.as_of_date', 'active_days.next_date') }}
            as days_to_next

    from {{ ref('int_active_days') }} as active_days

    inner join grid_dates
        on {{ is_recent(
            'active_days.activity_date',
            'grid_dates.as_of_date',
            setting('hiatus_days') | int + 1
        ) }}
        and (
            active_days.next_date is null
            or not {{ is_past('active_days.next_date', 'grid_dates.as_of_date') }}
        )

),

silences as (

    select
        active_customers.activity_kind,
        active_customers.as_of_date,
        active_customers.customer_id,
        windows.window_days,
        coalesce(active_customers.days_to_next > windows.window_days, true) as is_lost,
        coalesce(
            active_customers.days_to_next <= windows.window_days + {{ follow_up_days }},
            false
        ) as is_seen_again

    from active_customers

    cross join windows

),

lives as (

    select
        customer_id,
        started_date,
        ended_date

    from {{ ref('int_subscription_lives') }}

),

subscribers as (

    select distinct
        lives.customer_id,
        grid_dates.as_of_date

    from grid_dates

    inner join lives
        on {{ is_known(
            'lives.started_date', 'lives.ended_date', 'grid_dates.as_of_date'
        ) }}

),

last_dates as (

    select
        subscribers.customer_id,
        subscribers.as_of_date,
        windows.window_days,
        {{ days_after('subscribers.as_of_date', 'windows.window_days') }} as last_date

    from subscribers

    cross join windows

),

subscriptions as (

    select
        'subscribed' as activity_kind,
        last_dates.as_of_date,
        last_dates.customer_id,
        last_dates.window_days,
        not coalesce(
            bool_or(
                {{ is_known(
                    'lives.started_date', 'lives.ended_date', 'last_dates.last_date'
                ) }}
            ),
            false
        ) as is_lost,
        coalesce(
            bool_or(
                {{ is_future(
                    'lives.started_date', 'last_dates.last_date', follow_up_days
                ) }}
            ),
            false
        ) as is_seen_again

    from last_dates

    left join lives
        on last_dates.customer_id = lives.customer_id

    group by
        last_dates.as_of_date,
        last_dates.customer_id,
        last_dates.window_days

),

labels as (

    select * from silences
    union all
    select * from subscriptions

),

compared as (

    select
        *,
        is_lost = lead(is_lost) over (
            partition by activity_kind, as_of_date, customer_id
            order by window_days asc
        ) as agrees

    from labels

),

counts as (

    select
        activity_kind,
        as_of_date,
        cast(window_days as bigint) as window_days,
        count(*) as customers_count,
        count(*) filter (where is_lost) as lost_count,
        count(*) filter (where is_lost and is_seen_again) as returned_count,
        count(agrees) as compared_count,
        count(*) filter (where agrees) as agreeing_count

    from compared

    group by activity_kind, as_of_date, window_days

),

stability as (

    select
        activity_kind,
        as_of_date,
        window_days,
        customers_count,
        lost_count,
        cast(lost_count as double) / customers_count as lost_rate,
        returned_count,
        cast(returned_count as double) / nullif(lost_count, 0) as return_rate,
        cast(agreeing_count as double) / nullif(compared_count, 0) as agreement_rate

    from counts

)

select * from stability
