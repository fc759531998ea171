-- Grain: one row per task, horizon_days, model_name and probability_bin.
-- Of past customers of whom a candidate said so much, how many were lost: measured on
-- dates that its fits of the time had not seen, over all of them.

with

cases as (

    select * from {{ ref('eval_churn_cases') }} where population = 'in_scope'

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

counted as (

    select
        cases.task,
        cases.horizon_days,
        cases.model_name,
        {{ probability_bin('ranks.probability') }} as probability_bin,
        count(*) as customers_count,
        count(*) filter (where ranks.is_positive) as positives_count,
        count(*) filter (where choices.is_published) as published_customers_count,
        count(*) filter (where choices.is_published and ranks.is_positive)
            as published_positives_count,
        count(distinct cases.as_of_date) as origins_count,
        min(cases.as_of_date) as first_origin_date,
        max(cases.as_of_date) as last_origin_date,
        sum(ranks.probability) as probability_sum

    from {{ ref('eval_churn_ranks') }} as ranks

    inner join cases
        on ranks.case_number = cases.case_number

    left join choices
        on cases.task = choices.task
        and cases.model_name = choices.model_name
        and cases.as_of_date = choices.as_of_date
        and cases.horizon_days = choices.horizon_days

    group by
        cases.task,
        cases.horizon_days,
        cases.model_name,
        {{ probability_bin('ranks.probability') }}

),

rates as (

    select
        task,
        cast(horizon_days as bigint) as horizon_days,
        model_name,
        probability_bin,
        round((probability_bin - 1) / 20, 2) as least_probability,
        round(probability_bin / 20, 2) as most_probability,

        -- dates
        origins_count,
        first_origin_date,
        last_origin_date,

        -- customers
        customers_count,
        positives_count,
        published_customers_count,
        published_positives_count,
        round(cast(probability_sum as double) / customers_count, 12)
            as mean_probability,
        round(cast(positives_count as double) / customers_count, 12) as positive_rate,
        {{ wilson_end('positives_count', 'customers_count', '-') }}
            as positive_rate_low,
        {{ wilson_end('positives_count', 'customers_count', '+') }}
            as positive_rate_high

    from counted

),

reliability as (

    select
        *,
        mean_probability >= positive_rate_low
        and mean_probability <= positive_rate_high as is_true

    from rates

)

select * from reliability
