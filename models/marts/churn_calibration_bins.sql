-- Grain: one row per population, task, model_name, as_of_date, horizon_days and decile.
-- What was said of each tenth of the customers, and what they did, with the range that
-- chance alone would leave.

with

bins as (

    select * from {{ ref('eval_churn_bins') }} where segment_kind = 'all'

),

rounded as (

    select
        population,
        task,
        model_name,
        as_of_date,
        horizon_days,
        decile,
        customers_count,
        positives_count,
        round(cast(probability_sum as double) / customers_count, 12)
            as mean_probability,
        round(cast(positives_count as double) / customers_count, 12) as positive_rate,
        {{ wilson_end('positives_count', 'customers_count', '-') }}
            as positive_rate_low,
        {{ wilson_end('positives_count', 'customers_count', '+') }}
            as positive_rate_high

    from bins

)

select * from rounded
