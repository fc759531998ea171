-- Grain: one row per population, task, model_name, as_of_date, horizon_days and
-- threshold.
-- Of those whose probability reached the threshold: how many they were, how many of
-- them were lost, and how many of the lost they were.

with

histogram as (

    select
        case_number,
        cast(floor(probability * 100) as bigint) as hundredth,
        count(*) as customers_count,
        count(*) filter (where is_positive) as positives_count

    from {{ ref('eval_churn_ranks') }}

    group by case_number, cast(floor(probability * 100) as bigint)

),

thresholds as (

    select
        cases.*,
        hundredths.hundredth

    from {{ ref('eval_churn_cases') }} as cases

    cross join range(101) as hundredths (hundredth)

),

flagged as (

    select
        thresholds.population,
        thresholds.task,
        thresholds.model_name,
        thresholds.as_of_date,
        thresholds.horizon_days,
        thresholds.hundredth / 100 as threshold,
        cast(thresholds.customers_count as double) as customers_sum,
        cast(thresholds.positives_count as double) as positives_sum,
        cast(
            sum(coalesce(histogram.customers_count, 0)) over downwards as bigint
        ) as flagged_count,
        cast(
            sum(coalesce(histogram.positives_count, 0)) over downwards as bigint
        ) as caught_count

    from thresholds

    left join histogram
        on thresholds.case_number = histogram.case_number
        and thresholds.hundredth = histogram.hundredth

    window downwards as (
        partition by thresholds.case_number
        order by thresholds.hundredth desc
        rows unbounded preceding
    )

),

curve as (

    select
        flagged.population,
        flagged.task,
        flagged.model_name,
        flagged.as_of_date,
        flagged.horizon_days,
        flagged.threshold,
        flagged.flagged_count,
        flagged.caught_count,
        round(flagged.flagged_count / flagged.customers_sum, 12) as flagged_share,
        round(flagged.caught_count / nullif(flagged.positives_sum, 0), 12)
            as caught_share,
        round(flagged.caught_count / nullif(flagged.flagged_count, 0), 12)
            as flagged_precision,
        coalesce(choices.is_published, false) as is_published

    from flagged

    left join {{ ref('churn_backtest_choices') }} as choices
        on flagged.task = choices.task
        and flagged.model_name = choices.model_name
        and flagged.as_of_date = choices.origin_date
        and flagged.horizon_days = choices.horizon_days

)

select * from curve
