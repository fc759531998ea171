-- Grain: one row per segment_kind, segment_value, period_months and period_number.
-- How many contracts are kept at each renewal, as it was and as the model of Fader and
-- Hardie (2007) expects it, on for a year after the last renewal that was seen.

with

periods as (

    select * from {{ ref('int_contract_periods') }}

),

fits as (

    select * from {{ ref('fit_contracts') }}

),

last_periods as (

    select
        segment_kind,
        segment_value,
        period_months,
        max(period_number) as period_number

    from periods

    group by segment_kind, segment_value, period_months

),

numbers as (

    select
        segment_kind,
        segment_value,
        period_months,
        unnest(generate_series(
            1, period_number + greatest(1, 12 // period_months)
        )) as period_number

    from last_periods

),

rates as (

    select
        numbers.segment_kind,
        numbers.segment_value,
        numbers.period_months,
        numbers.period_number,
        periods.at_risk_count,
        periods.lost_count,
        {{ ratio(
            'periods.at_risk_count - periods.lost_count', 'periods.at_risk_count'
        ) }} as observed_renewal_rate,
        {{ ratio(
            'fits.beta + numbers.period_number - 1',
            '(fits.alpha + fits.beta + numbers.period_number - 1)'
        ) }} as expected_renewal_rate,
        fits.retention_status

    from numbers

    left join periods
        on numbers.segment_kind = periods.segment_kind
        and numbers.segment_value = periods.segment_value
        and numbers.period_months = periods.period_months
        and numbers.period_number = periods.period_number

    inner join fits
        on numbers.segment_kind = fits.segment_kind
        and numbers.segment_value = fits.segment_value
        and numbers.period_months = fits.period_months

),

survival as (

    select
        *,
        product(observed_renewal_rate) over so_far as observed_survival,
        product(expected_renewal_rate) over so_far as expected_survival

    from rates

    window so_far as (
        partition by segment_kind, segment_value, period_months
        order by period_number asc
        rows between unbounded preceding and current row
    )

),

curves as (

    select
        segment_kind,
        segment_value,
        cast(period_months as bigint) as period_months,
        cast(period_number as bigint) as period_number,
        at_risk_count,
        lost_count,
        observed_renewal_rate,
        case
            when at_risk_count is not null then round(observed_survival, 6)
        end as observed_survival,
        expected_renewal_rate,
        round(expected_survival, 6) as expected_survival,
        cast(retention_status as varchar) as retention_status

    from survival

)

select * from curves
