-- Grain: one row per population, task, model_name, as_of_date, horizon_days and decile.
-- What was said of each tenth of the customers, and what they did, with the range that
-- chance alone would leave.

{#- Quantile of the normal distribution that leaves 95 % in the middle. -#}
{% set z = 1.959964 %}

with

bins as (

    select * from {{ ref('eval_churn_bins') }}

),

shares as (

    select
        *,
        cast(probability_sum as double) / customers_count as mean_probability,
        cast(positives_count as double) / customers_count as positive_rate,
        1 + {{ z * z }} / customers_count as widening

    from bins

),

wilson as (

    select
        *,
        (positive_rate + {{ z * z / 2 }} / customers_count) / widening as middle,
        {{ z }} * sqrt(
            positive_rate * (1 - positive_rate) / customers_count
            + {{ z * z / 4 }} / (customers_count * customers_count)
        ) / widening as reach

    from shares

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
        round(mean_probability, 12) as mean_probability,
        round(positive_rate, 12) as positive_rate,
        greatest(round(middle - reach, 12), 0) as positive_rate_low,
        least(round(middle + reach, 12), 1) as positive_rate_high

    from wilson

)

select * from rounded
