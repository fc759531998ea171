-- Grain: one row per population, model_name, as_of_date, horizon_days, target and
-- metric.
-- Whether groups of customers do what was said of them, from the deciles.

with

deciles as (

    select
        *,
        abs(predicted_sum - actual_sum) as absolute_gap

    from {{ ref('eval_deciles') }}

),

sums as (

    select
        population,
        model_name,
        as_of_date,
        horizon_days,
        target,
        is_probability,
        cast(sum(customers_count) as bigint) as customers_count,
        count(*) as deciles_count,
        cast(sum(absolute_gap) as double) as absolute_gap_sum,
        cast(sum(actual_sum) as double) as actual_total,
        cast(sum(actual_sum) filter (where decile = 1) as double) as actual_of_first,
        cast(
            sum(
                cast(
                    cast(absolute_gap as double) / nullif(actual_sum, 0)
                    as decimal(38, 15)
                )
            ) as double
        ) as relative_gap_sum,
        bool_and(actual_sum > 0) as every_decile_has_some

    from deciles

    group by
        population,
        model_name,
        as_of_date,
        horizon_days,
        target,
        is_probability

),

calibration as (

    select
        *,
        case
            when is_probability then absolute_gap_sum / customers_count
        end as expected_calibration_error,
        case
            when every_decile_has_some then relative_gap_sum / deciles_count
        end as mean_decile_error,
        actual_of_first / nullif(actual_total, 0) as top_decile_share

    from sums

),

metrics as (

    select
        population,
        model_name,
        as_of_date,
        horizon_days,
        target,
        'expected_calibration_error' as metric,
        round(expected_calibration_error, 12) as metric_value,
        customers_count
    from calibration
    where target = 'activity'

    union all

    select
        population,
        model_name,
        as_of_date,
        horizon_days,
        target,
        'mean_decile_error' as metric,
        round(mean_decile_error, 12) as metric_value,
        customers_count
    from calibration
    where target in ('orders', 'amount', 'value')

    union all

    select
        population,
        model_name,
        as_of_date,
        horizon_days,
        target,
        'top_decile_share' as metric,
        round(top_decile_share, 12) as metric_value,
        customers_count
    from calibration
    where target in ('orders', 'amount', 'value')

)

select * from metrics
