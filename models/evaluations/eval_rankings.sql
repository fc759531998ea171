-- Grain: one row per population, model_name, as_of_date, horizon_days, target and
-- metric.
-- Whether the better customers stand first. Everything is summed as whole numbers or
-- exact decimals; the one division comes last.

with

predictions as (

    select
        population,
        model_name,
        as_of_date,
        horizon_days,
        target,
        customer_id,
        predicted,
        actual

    from {{ ref('eval_predictions') }}

    where target in ('orders', 'amount')

),

ranked as (

    select
        *,
        -- twice the middle rank of equals, so that it is whole
        2 * rank() over (by_model order by predicted asc)
        + count(*) over (by_prediction) - 1 as predicted_rank,
        2 * rank() over (by_model order by actual asc)
        + count(*) over (by_actual) - 1 as actual_rank,
        -- how many stand at this place or below it
        count(*) over (by_model)
        - row_number() over (by_model order by predicted desc, customer_id asc)
        + 1 as predicted_place,
        count(*) over (by_model)
        - row_number() over (by_model order by actual desc, customer_id asc)
        + 1 as actual_place

    from predictions

    window
        by_model as (
            partition by population, model_name, as_of_date, horizon_days, target
        ),
        by_prediction as (
            partition by
                population,
                model_name,
                as_of_date,
                horizon_days,
                target,
                predicted
        ),
        by_actual as (
            partition by
                population,
                model_name,
                as_of_date,
                horizon_days,
                target,
                actual
        )

),

sums as (

    select
        population,
        model_name,
        as_of_date,
        horizon_days,
        target,
        count(*) as customers_count,
        cast(sum(actual) as double) as actual_sum,
        cast(sum(actual * predicted_place) as double) as predicted_place_sum,
        cast(sum(actual * actual_place) as double) as actual_place_sum,
        cast(
            count(*) * sum(predicted_rank * actual_rank)
            - sum(predicted_rank) * sum(actual_rank) as double
        ) as covariance,
        cast(
            count(*) * sum(predicted_rank * predicted_rank)
            - sum(predicted_rank) * sum(predicted_rank) as double
        ) as predicted_variance,
        cast(
            count(*) * sum(actual_rank * actual_rank)
            - sum(actual_rank) * sum(actual_rank) as double
        ) as actual_variance

    from ranked

    group by population, model_name, as_of_date, horizon_days, target

),

-- the area between the diagonal and the share of the total that the first k hold
ginis as (

    select
        *,
        2 * predicted_place_sum / nullif(customers_count * actual_sum, 0) - 1
            as gini,
        2 * actual_place_sum / nullif(customers_count * actual_sum, 0) - 1
            as perfect_gini

    from sums

),

rankings as (

    select
        *,
        covariance / nullif(sqrt(predicted_variance * actual_variance), 0)
            as spearman_correlation,
        gini / nullif(perfect_gini, 0) as normalised_gini

    from ginis

),

metrics as (

    {% for metric in ['spearman_correlation', 'normalised_gini'] -%}
        {{ 'union all ' if not loop.first }}select
            population,
            model_name,
            as_of_date,
            horizon_days,
            target,
            '{{ metric }}' as metric,
            round({{ metric }}, 12) as metric_value,
            customers_count
        from rankings
    {% endfor %}
)

select * from metrics
