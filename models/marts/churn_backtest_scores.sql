-- Grain: one row per task, model_name, as_of_date, horizon_days and customer.
-- What each candidate said of each customer on a past date, beside what happened. Of
-- whom a model learns from: who was there to lose, or everybody.

with

predictions as (

    select * from {{ ref('eval_churn_predictions') }}

    where population = '{{ setting("training_population") }}'

),

bands as (

    {{ bands_by_probability() }}

),

choices as (

    select
        task,
        model_name,
        origin_date as as_of_date,
        horizon_days,
        is_published

    from {{ ref('churn_backtest_choices') }}

),

scores as (

    select
        predictions.task,
        predictions.model_name,
        predictions.as_of_date,
        cast(predictions.horizon_days as bigint) as horizon_days,
        {{ published_id('predictions.customer_id', 'customer') }},

        -- what was said
        predictions.raw_score,
        cast(predictions.probability as double) as probability,
        bands.risk_band,
        coalesce(choices.is_published, false) as is_published,

        -- what happened
        predictions.is_positive,

        -- who it was
        predictions.is_in_scope
        {% for kind in segment_kinds() -%}
            , customers.{{ kind }}
        {% endfor %}
    from predictions

    inner join {{ ref('eval_churn_customers') }} as customers
        on predictions.as_of_date = customers.as_of_date
        and predictions.customer_id = customers.customer_id

    left join bands
        on predictions.task = bands.task
        and predictions.probability >= bands.least_probability
        and predictions.probability < bands.next_least_probability

    left join choices
        on predictions.task = choices.task
        and predictions.model_name = choices.model_name
        and predictions.as_of_date = choices.as_of_date
        and predictions.horizon_days = choices.horizon_days

)

select * from scores
