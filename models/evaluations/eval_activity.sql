-- Grain: one row per population, model_name, as_of_date, horizon_days and metric.
-- Whether those who order again stand first, and whether the probabilities are true.
-- A baseline that only ranks has no Brier score.

with

predictions as (

    select
        population,
        model_name,
        as_of_date,
        horizon_days,
        is_probability,
        predicted,
        actual

    from {{ ref('eval_predictions') }}

    where target = 'activity'

),

-- equal predictions are one step of the curves
steps as (

    select
        population,
        model_name,
        as_of_date,
        horizon_days,
        is_probability,
        predicted,
        count(*) as customers_count,
        cast(sum(actual) as bigint) as active_count,
        case
            when predicted >= 0.5 then cast(sum(actual) as bigint)
            else count(*) - cast(sum(actual) as bigint)
        end as right_count,
        sum({{ squared('predicted - actual') }}) as squared_error_sum

    from predictions

    group by
        population,
        model_name,
        as_of_date,
        horizon_days,
        is_probability,
        predicted

),

curves as (

    select
        *,
        sum(customers_count) over downwards as customers_so_far,
        sum(active_count) over downwards as active_so_far

    from steps

    window downwards as (
        partition by population, model_name, as_of_date, horizon_days
        order by predicted desc
        rows unbounded preceding
    )

),

sums as (

    select
        population,
        model_name,
        as_of_date,
        horizon_days,
        is_probability,
        cast(sum(customers_count) as bigint) as customers_count,
        cast(sum(active_count) as double) as active_sum,
        cast(sum(customers_count - active_count) as double) as inactive_sum,
        cast(sum(right_count) as double) as right_sum,
        cast(sum(squared_error_sum) as double) as squared_error_sum,
        {{ right_pairs_twice('customers_count', 'active_count', 'active_so_far') }}
            as right_pairs_twice,
        {{ precision_total('customers_so_far', 'active_count', 'active_so_far') }}
            as precision_sum

    from curves

    group by population, model_name, as_of_date, horizon_days, is_probability

),

activity as (

    select
        *,
        right_pairs_twice / nullif(2 * active_sum * inactive_sum, 0) as roc_auc,
        precision_sum / nullif(active_sum, 0) as average_precision,
        case
            when is_probability then squared_error_sum / customers_count
        end as brier_score,
        case when is_probability then right_sum / customers_count end as accuracy

    from sums

),

metrics as (

    {% for metric in [
        'roc_auc', 'average_precision', 'brier_score', 'accuracy'
    ] -%}
        {{ 'union all ' if not loop.first }}select
            population,
            model_name,
            as_of_date,
            horizon_days,
            'activity' as target,
            '{{ metric }}' as metric,
            round({{ metric }}, 12) as metric_value,
            customers_count
        from activity
    {% endfor %}
)

select * from metrics
