-- Grain: one row per segment_kind, segment_value, period_months and period_number.
-- How many contracts came to their first, second and later renewal, and how many of
-- them were lost there: a life table, which is all that retention is fitted on.

{%- set segments = [
    ('all', "'all'"),
    ('plan', 'plan'),
    ('cohort', 'cast(year(started_date) as varchar)'),
] %}

with

lives as (

    select
        coalesce(plan, 'unknown') as plan,
        started_date,
        period_months,
        is_lost,
        renewals_count

    from {{ ref('int_contract_lives') }}

    where renewals_count > 0

),

segments as (

    {% for kind, value in segments -%}
        select
            '{{ kind }}' as segment_kind,
            {{ value }} as segment_value,
            period_months,
            is_lost,
            renewals_count

        from lives

        {{ 'union all' if not loop.last }}
    {% endfor %}

),

lengths as (

    select
        segment_kind,
        segment_value,
        period_months,
        renewals_count,
        count(*) as contracts_count,
        count(*) filter (where is_lost) as lost_count

    from segments

    group by segment_kind, segment_value, period_months, renewals_count

),

-- a renewal at which nobody left is one all the same
periods as (

    select
        segment_kind,
        segment_value,
        period_months,
        unnest(generate_series(1, max(renewals_count))) as period_number

    from lengths

    group by segment_kind, segment_value, period_months

),

counted as (

    select
        periods.segment_kind,
        periods.segment_value,
        periods.period_months,
        cast(periods.period_number as integer) as period_number,
        cast(sum(lengths.contracts_count) as bigint) as at_risk_count,
        cast(coalesce(sum(lengths.lost_count) filter (
            where lengths.renewals_count = periods.period_number
        ), 0) as bigint) as lost_count

    from periods

    inner join lengths
        on periods.segment_kind = lengths.segment_kind
        and periods.segment_value = lengths.segment_value
        and periods.period_months = lengths.period_months
        and periods.period_number <= lengths.renewals_count

    group by
        periods.segment_kind,
        periods.segment_value,
        periods.period_months,
        periods.period_number

)

select * from counted
