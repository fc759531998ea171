-- Grain: one row per task, customer, as_of_date and horizon_days.
-- How far a score of the score date moved since the date on which the customer was last
-- scored, and what moved it: the customer's features, the model, its calibration.

with

scores as (

    select *

    from {{ ref('reason_scores') }}

    where previous_as_of_date is not null

),

parts as (

    select * from {{ ref('reason_changes') }}

),

score_changes as (

    select
        scores.task,
        {{ published_id('scores.customer_id', 'customer') }},
        scores.as_of_date,
        cast(scores.horizon_days as bigint) as horizon_days,
        scores.previous_as_of_date,
        scores.probability,
        scores.previous_probability,
        scores.risk_band,
        scores.previous_risk_band,
        scores.margin - scores.previous_margin as margin_change,
        parts.features_change,
        parts.model_change,
        parts.calibration_change,
        parts.change_status,
        scores.model_id,
        scores.previous_model_id

    from scores

    left join parts
        on scores.task = parts.task
        and scores.horizon_days = parts.horizon_days
        and scores.customer_id = parts.customer_id
        and scores.as_of_date = parts.as_of_date

)

select * from score_changes
