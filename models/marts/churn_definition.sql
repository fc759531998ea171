-- Grain: one row per activity_kind and window_days.
-- What a silence of so many days means: how many of those who were silent for so long
-- came back all the same. It looks at whole lives, so it defines and never predicts.

{% set follow_up_days = 180 %}
{% set windows_days = [30, 60, 90, 120, 150, 180, 210, 240, 270, 300, 330, 360, 365] %}

with

clock as (

    select score_date from {{ ref('int_score_date') }}

),

windows as (

    select
        kinds.activity_kind,
        listed.window_days

    from (
        values
        ('ordered', {{ ('orders' in setting('entities')) | lower }}),
        ('used', {{ ('events' in setting('entities')) | lower }})
    ) as kinds (activity_kind, is_delivered)

    cross join (
        values
        {% for window_days in windows_days -%}
            ({{ window_days }}){{ ', ' if not loop.last }}
        {%- endfor %}
    ) as listed (window_days)

    where kinds.is_delivered

),

silences as (

    select
        customer_id,
        activity_kind,
        activity_date,
        next_date,
        day_number > 1 as is_repeat,
        {{ days_between('activity_date', 'next_date') }} as gap_days

    from {{ ref('int_active_days') }}

),

gaps as (

    select
        activity_kind,
        count(*) as gaps_count,
        count(distinct customer_id) as repeat_customers_count,
        percentile_disc(0.50) within group (order by gap_days) as gap_q50_days,
        percentile_disc(0.75) within group (order by gap_days) as gap_q75_days,
        percentile_disc(0.80) within group (order by gap_days) as gap_q80_days,
        percentile_disc(0.90) within group (order by gap_days) as gap_q90_days,
        percentile_disc(0.95) within group (order by gap_days) as gap_q95_days

    from silences

    where gap_days is not null

    group by activity_kind

),

-- a silence tells something of a window once it could be followed beyond it
followed as (

    select
        windows.activity_kind,
        windows.window_days,
        silences.is_repeat,
        silences.gap_days is not null
        and silences.gap_days
        <= windows.window_days + {{ follow_up_days }} as has_returned

    from windows

    cross join clock

    inner join silences
        on windows.activity_kind = silences.activity_kind
        and {{ is_over(
            'silences.activity_date',
            'windows.window_days + ' ~ follow_up_days,
            'clock.score_date'
        ) }}
        and (silences.gap_days is null or silences.gap_days > windows.window_days)

),

returns as (

    select
        activity_kind,
        window_days,
        count(*) as silences_count,
        count(*) filter (where has_returned) as returned_count,
        count(*) filter (where is_repeat) as repeat_silences_count,
        count(*) filter (where is_repeat and has_returned) as repeat_returned_count

    from followed

    group by activity_kind, window_days

),

shorter_gaps as (

    select
        windows.activity_kind,
        windows.window_days,
        count(*) as gaps_within_count

    from windows

    inner join silences
        on windows.activity_kind = silences.activity_kind
        and windows.window_days >= silences.gap_days

    group by windows.activity_kind, windows.window_days

),

suggestions as (

    select
        *,
        repeat_customers_count
        < {{ setting('minimum_repeat_customers') }} as is_refused,
        cast(round(cast(gap_q90_days as double) / 30) * 30 as bigint) as rounded_days,
        least(greatest(rounded_days, 30), 365) as suggested_days

    from gaps

),

defined as (

    select
        windows.activity_kind,
        cast(windows.window_days as bigint) as window_days,

        -- who was silent for so long, and came back
        coalesce(returns.silences_count, 0) as silences_count,
        coalesce(returns.returned_count, 0) as returned_count,
        cast(returns.returned_count as double)
        / nullif(returns.silences_count, 0) as return_rate,
        coalesce(returns.repeat_silences_count, 0) as repeat_silences_count,
        coalesce(returns.repeat_returned_count, 0) as repeat_returned_count,
        cast(returns.repeat_returned_count as double)
        / nullif(returns.repeat_silences_count, 0) as repeat_return_rate,

        -- gaps of those who did come back
        coalesce(suggestions.gaps_count, 0) as gaps_count,
        cast(coalesce(shorter_gaps.gaps_within_count, 0) as double)
        / suggestions.gaps_count as gaps_within_rate,
        suggestions.gap_q50_days,
        suggestions.gap_q75_days,
        suggestions.gap_q80_days,
        suggestions.gap_q90_days,
        suggestions.gap_q95_days,

        -- what to take
        coalesce(
            not suggestions.is_refused
            and windows.window_days = suggestions.suggested_days,
            false
        ) as is_suggested,
        case
            when coalesce(suggestions.is_refused, true) then 'too_few_repeat_customers'
            when windows.window_days <> suggestions.suggested_days then 'another_window'
            when suggestions.rounded_days < 30 then 'q90_below_the_shortest'
            when suggestions.rounded_days > 365 then 'q90_above_the_longest'
            else 'q90_of_gaps'
        end as suggestion_reason

    from windows

    left join returns
        on windows.activity_kind = returns.activity_kind
        and windows.window_days = returns.window_days

    left join shorter_gaps
        on windows.activity_kind = shorter_gaps.activity_kind
        and windows.window_days = shorter_gaps.window_days

    left join suggestions
        on windows.activity_kind = suggestions.activity_kind

)

select * from defined
