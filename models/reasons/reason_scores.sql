-- Grain: one row per task, horizon_days, as_of_date and customer, of the score date.
-- What is published of them, what was published on the date before, and whether the
-- build explains the score: above the lowest band, the highest first, up to a share.

{#- Importance and what is usual are learned from so many customers at most. -#}
{% set sampled_customers = 1000 %}

with

clock as (

    select score_date from {{ ref('int_score_date') }}

),

logged as (

    select
        log.*,
        log.as_of_date = clock.score_date as is_today

    from {{ ref('predictions_log') }} as log

    cross join clock

    where
        log.is_published
        and {{ is_past('log.as_of_date', 'clock.score_date') }}

),

earlier_dates as (

    select
        task,
        horizon_days,
        customer_id,
        max(as_of_date) as as_of_date

    from logged

    where not is_today

    group by task, horizon_days, customer_id

),

-- of one date the score that was published last counts
today as (

    select *

    from logged

    where is_today

    qualify
        row_number() over (
            partition by task, horizon_days, customer_id
            order by prediction_number desc
        ) = 1

),

before as (

    select logged.*

    from logged

    inner join earlier_dates
        on logged.task = earlier_dates.task
        and logged.horizon_days = earlier_dates.horizon_days
        and logged.customer_id = earlier_dates.customer_id
        and logged.as_of_date = earlier_dates.as_of_date

    qualify
        row_number() over (
            partition by logged.task, logged.horizon_days, logged.customer_id
            order by logged.prediction_number desc
        ) = 1

),

bands as (

    select
        task,
        risk_band,
        action_code,
        least_probability,
        lead(least_probability, 1, 2) over (
            partition by task
            order by least_probability
        ) as next_probability,
        row_number() over (
            partition by task
            order by least_probability
        ) > 1 as is_above_lowest

    from {{ ref('risk_bands') }}

),

banded as (

    select
        today.task,
        today.horizon_days,
        today.as_of_date,
        today.customer_id,
        today.model_id,
        today.model_name,
        today.features_sha256,
        today.raw_score,
        today.probability,
        today.margin,
        case
            when today.probability is null then 'no_model'
            when today.choice_status = 'no_skill' then 'no_skill'
            when today.model_source = 'base_rate' then 'base_rate'
            else 'ok'
        end as score_status,
        bands.risk_band,
        bands.action_code,
        coalesce(
            today.model_source = today.model_name
            and today.model_name <> 'base_rate',
            false
        ) as has_reasons,
        coalesce(bands.is_above_lowest, false) as is_above_lowest,
        before.as_of_date as previous_as_of_date,
        before.model_id as previous_model_id,
        before.features_sha256 as previous_features_sha256,
        before.probability as previous_probability,
        before.margin as previous_margin,
        previous_bands.risk_band as previous_risk_band

    from today

    left join before
        on today.task = before.task
        and today.horizon_days = before.horizon_days
        and today.customer_id = before.customer_id

    left join bands
        on today.task = bands.task
        and today.probability >= bands.least_probability
        and today.probability < bands.next_probability

    left join bands as previous_bands
        on before.task = previous_bands.task
        and before.probability >= previous_bands.least_probability
        and before.probability < previous_bands.next_probability

),

placed as (

    select
        *,
        row_number() over (
            partition by task, horizon_days
            order by
                (has_reasons and is_above_lowest) desc,
                raw_score desc,
                customer_id asc
        ) as place,
        row_number() over (
            partition by task, horizon_days
            order by
                has_reasons desc,
                {{ hashed_number('customer_id', 'reasons') }} asc,
                customer_id asc
        ) as place_in_sample,
        count(*) over (partition by task, horizon_days) as scored_count

    from banded

),

scores as (

    select
        * exclude (place, place_in_sample, scored_count),
        has_reasons
        and is_above_lowest
        and place <= ceil({{ setting('reasons_share') }} * scored_count)
            as is_explained,
        has_reasons
        and place_in_sample <= {{ sampled_customers }} as is_sampled

    from placed

)

select * from scores
