-- Grain: one row per task, customer, as_of_date and horizon_days.
-- What was published of every customer in scope on every date that was scored. A past
-- date stays as it was; of the score date it is what the models that stand now say.

with

published as (

    select *

    from {{ ref('predictions_log') }}

    where is_published

    qualify
        row_number() over (
            partition by task, horizon_days, as_of_date, customer_id
            order by prediction_number desc
        ) = 1

),

bands as (

    select
        task,
        risk_band,
        least_probability,
        action_code

    from {{ ref('risk_bands') }}

),

banded as (

    select
        published.*,
        bands.risk_band,
        bands.action_code

    from published

    left join bands
        on published.task = bands.task
        and published.probability >= bands.least_probability

    qualify
        row_number() over (
            partition by
                published.task,
                published.horizon_days,
                published.as_of_date,
                published.customer_id
            order by bands.least_probability desc nulls last
        ) = 1

),

scores as (

    select
        task,
        {{ published_id('customer_id', 'customer') }},
        as_of_date,
        horizon_days,
        probability,
        margin,
        raw_score,
        risk_band,
        action_code,
        case
            when probability is null then 'no_model'
            when choice_status = 'no_skill' then 'no_skill'
            when model_source = 'base_rate' then 'base_rate'
            else 'ok'
        end as score_status,
        model_id,
        model_name,
        model_version,
        model_source,
        model_note

    from banded

)

select * from scores
