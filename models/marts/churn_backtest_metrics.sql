-- Grain: one row per population, task, model_name, as_of_date, horizon_days,
-- segment_kind, segment and metric.
-- How good each candidate was on past dates, beside the base rate, of everybody and of
-- each segment. Never pooled over dates.

with

metrics as (

    select * from {{ ref('eval_churn_metrics') }}

),

spreads as (

    {% for metric in churn_metrics() -%}
        {{ 'union all ' if not loop.first }}select
            case_number,
            '{{ metric }}' as metric,
            quantile_cont({{ metric }}, 0.025) as low,
            quantile_cont({{ metric }}, 0.5) as middle,
            quantile_cont({{ metric }}, 0.975) as high
        from {{ ref('eval_churn_draws') }}
        group by case_number
    {% endfor %}
),

-- the draws tell how far, the metric tells around what: among customers that are drawn
-- twice there are more equals, and so gaps and areas of the draws stand a little higher
reaches as (

    select
        metrics.*,
        metrics.metric_value - (spreads.middle - spreads.low) as low,
        metrics.metric_value + (spreads.high - spreads.middle) as high,
        case when metrics.metric = 'brier_skill' then -1e9 else 0 end as least_value,
        case
            when metrics.metric like '%lift%' or metrics.metric = 'log_loss' then 1e9
            else 1
        end as most_value

    from metrics

    left join spreads
        on metrics.case_number = spreads.case_number
        and metrics.metric = spreads.metric
        and metrics.segment_kind = 'all'

),

explained as (

    select
        population,
        task,
        model_name,
        as_of_date,
        horizon_days,
        segment_kind,
        segment,
        metric,
        metric_value,
        case when low is not null then round(greatest(low, least_value), 12) end
            as metric_low,
        case when high is not null then round(least(high, most_value), 12) end
            as metric_high,
        case
            when metric_value is not null then ''
            when positives_count = 0 then 'it happened to nobody'
            when positives_count = customers_count then 'it happened to everybody'
            else 'fewer than 100 customers'
        end as metric_note,
        customers_count,
        positives_count

    from reaches

)

select * from explained
