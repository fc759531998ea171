-- Grain: one row per population, model_name, as_of_date, horizon_days, target and
-- metric.
-- How far off: of all customers together, and of each one.

with

sums as (

    select
        population,
        model_name,
        as_of_date,
        horizon_days,
        target,
        count(*) as customers_count,
        cast(sum(predicted) as double) as predicted_sum,
        cast(sum(actual) as double) as actual_sum,
        cast(sum(abs(predicted - actual)) as double) as absolute_error_sum,
        cast(sum({{ squared('predicted - actual') }}) as double) as squared_error_sum

    from {{ ref('eval_predictions') }}

    where target in ('orders', 'amount')

    group by population, model_name, as_of_date, horizon_days, target

),

errors as (

    select
        *,
        predicted_sum / nullif(actual_sum, 0) - 1 as total_error,
        absolute_error_sum / customers_count as mean_absolute_error,
        sqrt(squared_error_sum / customers_count) as root_mean_squared_error

    from sums

),

metrics as (

    {% for metric in [
        'total_error', 'mean_absolute_error', 'root_mean_squared_error'
    ] -%}
        {{ 'union all ' if not loop.first }}select
            population,
            model_name,
            as_of_date,
            horizon_days,
            target,
            '{{ metric }}' as metric,
            round({{ metric }}, 12) as metric_value,
            customers_count
        from errors
    {% endfor %}
)

select * from metrics
