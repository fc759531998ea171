-- Grain: one row per population, task, model_name, as_of_date, horizon_days and metric.
-- Whether those to whom it happened stand first, by the score that ranks, and whether
-- the probabilities are true.

with

-- equal scores are one step of the curves
steps as (

    select
        population,
        task,
        model_name,
        as_of_date,
        horizon_days,
        raw_score,
        count(*) as customers_count,
        count(*) filter (where is_positive) as positives_count,
        sum(
            {{ squared('probability - cast(is_positive as integer)') }}
        ) as squared_error_sum,
        sum(
            cast(
                -ln(
                    greatest(
                        case
                            when is_positive then cast(probability as double)
                            else 1 - cast(probability as double)
                        end,
                        1e-15
                    )
                ) as decimal(38, 15)
            )
        ) as log_loss_sum

    from {{ ref('eval_churn_predictions') }}

    group by population, task, model_name, as_of_date, horizon_days, raw_score

),

curves as (

    select
        *,
        sum(customers_count) over downwards as customers_so_far,
        sum(positives_count) over downwards as positives_so_far

    from steps

    window downwards as (
        partition by population, task, model_name, as_of_date, horizon_days
        order by raw_score desc
        rows unbounded preceding
    )

),

sums as (

    select
        population,
        task,
        model_name,
        as_of_date,
        horizon_days,
        cast(sum(customers_count) as bigint) as customers_count,
        cast(sum(positives_count) as bigint) as positives_count,
        cast(sum(squared_error_sum) as double) as squared_error_sum,
        cast(sum(log_loss_sum) as double) as log_loss_sum,
        {{ right_pairs_twice(
            'customers_count', 'positives_count', 'positives_so_far'
        ) }}
            as right_pairs_twice,
        {{ precision_total(
            'customers_so_far', 'positives_count', 'positives_so_far'
        ) }}
            as precision_sum

    from curves

    group by population, task, model_name, as_of_date, horizon_days

),

gaps as (

    select
        population,
        task,
        model_name,
        as_of_date,
        horizon_days,
        cast(sum(abs(probability_sum - positives_count)) as double) as gap_sum,
        cast(sum(probability_sum) as double) as probability_sum,
        cast(max(positives_count) filter (where decile = 1) as double)
        / max(customers_count) filter (where decile = 1) as rate_of_first

    from {{ ref('eval_churn_bins') }}

    group by population, task, model_name, as_of_date, horizon_days

),

measured as (

    select
        sums.population,
        sums.task,
        sums.model_name,
        sums.as_of_date,
        sums.horizon_days,
        sums.customers_count,
        sums.positives_count,
        cast(sums.positives_count as double) / sums.customers_count as positive_rate,
        gaps.probability_sum / sums.customers_count as mean_probability,
        sums.right_pairs_twice / nullif(
            2 * cast(sums.positives_count as double)
            * (sums.customers_count - sums.positives_count),
            0
        ) as roc_auc,
        sums.precision_sum / nullif(sums.positives_count, 0) as average_precision,
        sums.squared_error_sum / sums.customers_count as brier_score,
        1 - brier_score / nullif(positive_rate * (1 - positive_rate), 0)
            as brier_skill,
        sums.log_loss_sum / sums.customers_count as log_loss,
        gaps.gap_sum / sums.customers_count as expected_calibration_error,
        gaps.rate_of_first / nullif(positive_rate, 0) as top_decile_lift

    from sums

    inner join gaps
        on sums.population = gaps.population
        and sums.task = gaps.task
        and sums.model_name = gaps.model_name
        and sums.as_of_date = gaps.as_of_date
        and sums.horizon_days = gaps.horizon_days

),

metrics as (

    {% for metric in [
        'roc_auc', 'average_precision', 'brier_score', 'brier_skill', 'log_loss',
        'expected_calibration_error', 'top_decile_lift', 'positive_rate',
        'mean_probability'
    ] -%}
        {{ 'union all ' if not loop.first }}select
            population,
            task,
            model_name,
            as_of_date,
            horizon_days,
            '{{ metric }}' as metric,
            round({{ metric }}, 12) as metric_value,
            customers_count,
            positives_count
        from measured
    {% endfor %}
)

select * from metrics
