-- Grain: one row per task, customer, as_of_date and horizon_days.
-- Beside each published score, how often as much was said of past customers, and how
-- many of these were lost. A view: what is known by now measures old scores too.

{{ config(materialized='view') }}

with

scores as (

    select
        task,
        customer_id,
        as_of_date,
        horizon_days,
        probability,
        risk_band,
        model_source,
        {{ probability_bin('probability') }} as probability_bin

    from {{ ref('churn_scores_daily') }}

),

measured as (

    select
        scores.task,
        scores.customer_id,
        scores.as_of_date,
        scores.horizon_days,
        scores.probability,
        scores.risk_band,
        scores.probability_bin,
        coalesce(reliability.customers_count, 0) as past_customers_count,
        coalesce(reliability.positives_count, 0) as past_positives_count,
        reliability.positive_rate as past_positive_rate,
        reliability.positive_rate_low as past_positive_rate_low,
        reliability.positive_rate_high as past_positive_rate_high,
        case
            when scores.probability is null then 'no_score'
            when reliability.customers_count is null then 'never_said_before'
            when reliability.customers_count < 30 then 'few'
            when reliability.is_true then 'came_true'
            else 'did_not'
        end as reliability_status

    from scores

    left join {{ ref('churn_reliability') }} as reliability
        on scores.task = reliability.task
        and scores.horizon_days = reliability.horizon_days
        and scores.model_source = reliability.model_name
        and scores.probability_bin = reliability.probability_bin

)

select * from measured
