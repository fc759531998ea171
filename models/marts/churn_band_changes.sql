-- Grain: one row per task, horizon_days and as_of_date that was scored.
-- How many customers were called otherwise than on the scored date before, and how many
-- of them went back to what they had been called before that: who flaps cannot be acted
-- upon. Of the last days alone, as many as features of daily dates are kept.

with

clock as (

    select score_date from {{ ref('int_score_date') }}

),

daily as (

    select
        daily.task,
        daily.horizon_days,
        daily.as_of_date,
        daily.customer_id,
        daily.risk_band

    from {{ ref('churn_scores_daily') }} as daily

    cross join clock

    where {{ is_recent(
        'daily.as_of_date', 'clock.score_date', setting('daily_dates_kept_days')
    ) }}

),

bands as (

    {{ bands_by_probability() }}

),

dates as (

    select
        task,
        horizon_days,
        as_of_date,
        row_number() over (
            partition by task, horizon_days
            order by as_of_date
        ) as date_number

    from daily

    group by task, horizon_days, as_of_date

),

scores as (

    select
        dates.task,
        dates.horizon_days,
        dates.as_of_date,
        dates.date_number,
        scores.customer_id,
        bands.place

    from daily as scores

    inner join dates
        on scores.task = dates.task
        and scores.horizon_days = dates.horizon_days
        and scores.as_of_date = dates.as_of_date

    left join bands
        on scores.task = bands.task
        and scores.risk_band = bands.risk_band

),

-- by number, not by lag: who was not scored on the date before has no change
changes as (

    select
        scores.*,
        last_time.place as last_place,
        time_before.place as place_before

    from scores

    left join scores as last_time
        on scores.task = last_time.task
        and scores.horizon_days = last_time.horizon_days
        and scores.customer_id = last_time.customer_id
        and scores.date_number = last_time.date_number + 1

    left join scores as time_before
        on scores.task = time_before.task
        and scores.horizon_days = time_before.horizon_days
        and scores.customer_id = time_before.customer_id
        and scores.date_number = time_before.date_number + 2

),

counted as (

    select
        task,
        horizon_days,
        as_of_date,
        count(place) as customers_count,
        count(*) filter (where place is not null and last_place is not null)
            as scored_before_count,
        count(*) filter (where place < last_place) as risen_count,
        count(*) filter (where place > last_place) as fallen_count,
        count(*) filter (where place <> last_place and place = place_before)
            as flapping_count

    from changes

    group by task, horizon_days, as_of_date

),

band_changes as (

    select
        *,
        flapping_count > 0 as has_flapping,
        round(
            cast(risen_count + fallen_count as double)
            / nullif(scored_before_count, 0),
            12
        ) as changed_share,
        round(cast(flapping_count as double) / nullif(scored_before_count, 0), 12)
            as flapping_share

    from counted

)

select * from band_changes
