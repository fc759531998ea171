-- Grain: one row per task, horizon_days, segment_kind and segment.
-- Whether what was published on past dates came true in each segment, and how many of
-- its lost stood in the highest band.

with

scores as (

    select * from {{ ref('churn_backtest_scores') }}

    where is_published and is_in_scope

),

bands as (

    {{ bands_by_probability() }}

),

segments as (

    {% for kind in ['all'] + segment_kinds() -%}
        {{ 'union all ' if not loop.first }}select
            task,
            horizon_days,
            '{{ kind }}' as segment_kind,
            {{ "'all'" if kind == 'all' else kind }} as segment,
            as_of_date,
            risk_band,
            cast(probability as {{ prediction() }}) as probability,
            is_positive
        from scores
        {{ 'where ' ~ kind ~ ' is not null' if kind != 'all' }}
    {% endfor %}
),

by_date as (

    select
        segments.task,
        segments.horizon_days,
        segments.segment_kind,
        segments.segment,
        segments.as_of_date,
        count(*) as customers_count,
        count(*) filter (where segments.is_positive) as positives_count,
        sum(segments.probability) as probability_sum,
        count(*) filter (where bands.place = 1) as first_band_count,
        count(*) filter (where bands.place = 1 and segments.is_positive)
            as caught_count

    from segments

    left join bands
        on segments.task = bands.task
        and segments.risk_band = bands.risk_band

    group by
        segments.task,
        segments.horizon_days,
        segments.segment_kind,
        segments.segment,
        segments.as_of_date

),

gaps as (

    select
        *,
        round(
            cast(probability_sum - positives_count as double) / customers_count, 12
        ) as gap

    from by_date

),

totals as (

    select
        task,
        horizon_days,
        segment_kind,
        segment,
        count(*) as origins_count,
        cast(sum(customers_count) as bigint) as customers_count,
        cast(sum(positives_count) as bigint) as positives_count,
        cast(sum(probability_sum) as double) as probability_sum,
        cast(sum(first_band_count) as bigint) as first_band_count,
        cast(sum(caught_count) as bigint) as caught_count,
        min(gap) as least_gap,
        max(gap) as most_gap

    from gaps

    group by task, horizon_days, segment_kind, segment

),

rates as (

    select
        task,
        horizon_days,
        segment_kind,
        segment,
        origins_count,
        customers_count,
        positives_count,
        round(probability_sum / customers_count, 12) as mean_probability,
        round(cast(positives_count as double) / customers_count, 12) as positive_rate,
        {{ wilson_end('positives_count', 'customers_count', '-') }}
            as positive_rate_low,
        {{ wilson_end('positives_count', 'customers_count', '+') }}
            as positive_rate_high,
        least_gap,
        most_gap,
        first_band_count,
        caught_count,
        round(cast(caught_count as double) / nullif(positives_count, 0), 12)
            as first_band_recall

    from totals

),

stability as (

    select
        *,
        mean_probability < positive_rate_low as is_too_low,
        mean_probability > positive_rate_high as is_too_high

    from rates

)

select * from stability
