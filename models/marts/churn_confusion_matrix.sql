-- Grain: one row per population, task, model_name, as_of_date, horizon_days and
-- risk_band.
-- What became of the customers of each band, and how good it would have been to act on
-- the band and those above it.

with

bands as (

    {{ bands_by_probability() }}

),

ranks as (

    select
        case_number,
        probability,
        count(*) as customers_count,
        count(*) filter (where is_positive) as positives_count

    from {{ ref('eval_churn_ranks') }}

    group by case_number, probability

),

-- a band that nobody is in has its row too
counted as (

    select
        cases.population,
        cases.task,
        cases.model_name,
        cases.as_of_date,
        cases.horizon_days,
        cases.case_number,
        cast(cases.positives_count as double) as positives_sum,
        bands.risk_band,
        bands.place,
        cast(coalesce(sum(ranks.customers_count), 0) as bigint) as customers_count,
        cast(coalesce(sum(ranks.positives_count), 0) as bigint) as positives_count

    from {{ ref('eval_churn_cases') }} as cases

    inner join bands
        on cases.task = bands.task

    left join ranks
        on cases.case_number = ranks.case_number
        and bands.least_probability <= ranks.probability
        and bands.next_least_probability > ranks.probability

    group by
        cases.population,
        cases.task,
        cases.model_name,
        cases.as_of_date,
        cases.horizon_days,
        cases.case_number,
        cases.positives_count,
        bands.risk_band,
        bands.place

),

from_here_up as (

    select
        *,
        cast(sum(customers_count) over upwards as double) as flagged_sum,
        cast(sum(positives_count) over upwards as double) as caught_sum

    from counted

    window upwards as (
        partition by case_number
        order by place asc
        rows unbounded preceding
    )

),

matrix as (

    select
        flagged.population,
        flagged.task,
        flagged.model_name,
        flagged.as_of_date,
        flagged.horizon_days,
        flagged.risk_band,
        flagged.place as band_place,
        flagged.customers_count,
        flagged.positives_count,
        flagged.customers_count - flagged.positives_count as negatives_count,
        round(
            cast(flagged.positives_count as double)
            / nullif(flagged.customers_count, 0),
            12
        ) as positive_rate,
        round(flagged.caught_sum / nullif(flagged.flagged_sum, 0), 12)
            as flagged_precision,
        round(flagged.caught_sum / nullif(flagged.positives_sum, 0), 12)
            as flagged_recall,
        round(
            2 * flagged.caught_sum
            / nullif(flagged.flagged_sum + flagged.positives_sum, 0),
            12
        ) as flagged_f1,
        coalesce(choices.is_published, false) as is_published

    from from_here_up as flagged

    left join {{ ref('churn_backtest_choices') }} as choices
        on flagged.task = choices.task
        and flagged.model_name = choices.model_name
        and flagged.as_of_date = choices.origin_date
        and flagged.horizon_days = choices.horizon_days

)

select * from matrix
