-- Grain: one row per population, model_name, as_of_date, horizon_days and
-- repeat_order_days_band.
-- Orders expected and made, by how often a customer had come back before: the table
-- behind figure 5 of Fader, Hardie and Lee (2005).

with

predictions as (

    select
        predictions.population,
        predictions.model_name,
        predictions.as_of_date,
        predictions.horizon_days,
        predictions.predicted,
        predictions.actual,
        least(purchases.repeat_order_days_count, 7) as repeat_order_days_band

    from {{ ref('eval_predictions') }} as predictions

    inner join {{ ref('feat_purchases') }} as purchases
        on predictions.customer_id = purchases.customer_id
        and predictions.as_of_date = purchases.as_of_date

    where predictions.target = 'orders'

),

by_frequency as (

    select
        population,
        model_name,
        as_of_date,
        horizon_days,
        repeat_order_days_band,
        count(*) as customers_count,
        sum(predicted) as predicted_sum,
        sum(actual) as actual_sum

    from predictions

    group by
        population,
        model_name,
        as_of_date,
        horizon_days,
        repeat_order_days_band

)

select * from by_frequency
