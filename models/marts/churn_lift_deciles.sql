-- Grain: one row per population, task, model_name, as_of_date, horizon_days and decile.
-- How many more were lost in the first tenths than among as many by chance.

with

bins as (

    select * from {{ ref('eval_churn_bins') }} where segment_kind = 'all'

),

so_far as (

    select
        *,
        cast(sum(customers_count) over downwards as double) as customers_so_far,
        cast(sum(positives_count) over downwards as double) as positives_so_far,
        cast(sum(customers_count) over cases as double) as customers_sum,
        cast(sum(positives_count) over cases as double) as positives_sum

    from bins

    window
        cases as (partition by case_number),
        downwards as (
            partition by case_number
            order by decile asc
            rows unbounded preceding
        )

),

lifts as (

    select
        population,
        task,
        model_name,
        as_of_date,
        horizon_days,
        decile,
        customers_count,
        positives_count,
        round(cast(positives_count as double) / customers_count, 12) as positive_rate,
        round(
            positives_count * customers_sum
            / nullif(customers_count * positives_sum, 0),
            12
        ) as lift,
        round(customers_so_far / customers_sum, 12) as customers_share_so_far,
        round(positives_so_far / nullif(positives_sum, 0), 12)
            as positives_share_so_far,
        round(
            positives_so_far * customers_sum
            / nullif(customers_so_far * positives_sum, 0),
            12
        ) as lift_so_far

    from so_far

),

published as (

    select
        lifts.*,
        coalesce(choices.is_published, false) as is_published

    from lifts

    left join {{ ref('churn_backtest_choices') }} as choices
        on lifts.task = choices.task
        and lifts.model_name = choices.model_name
        and lifts.as_of_date = choices.origin_date
        and lifts.horizon_days = choices.horizon_days

)

select * from published
