{#- How far predictions are off, of all customers together and of each one, and
    whether the better ones stand first: of orders and amounts, from a relation like
    eval_predictions. Sums are of whole numbers and exact decimals, so that no metric
    depends on the order of rows. -#}
{% macro error_metrics(predictions) -%}
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
            cast(sum({{ perennial.squared('predicted - actual') }}) as double)
                as squared_error_sum,
            cast(
                sum({{ perennial.squared('actual') }}) as double
            ) as squared_actual_sum,
            count(*) filter (where actual > 0) as buyers_count,
            cast(
                sum(
                    cast(
                        cast(abs(predicted - actual) as double) / nullif(actual, 0)
                        as decimal(38, 9)
                    )
                ) filter (where actual > 0) as double
            ) as relative_error_sum

        from {{ predictions }}

        where target in ('orders', 'amount', 'value')

        group by population, model_name, as_of_date, horizon_days, target

    ),

    errors as (

        select
            *,
            predicted_sum / nullif(actual_sum, 0) - 1 as total_error,
            absolute_error_sum / customers_count as mean_absolute_error,
            sqrt(squared_error_sum / customers_count) as root_mean_squared_error,
            absolute_error_sum / nullif(actual_sum, 0) as weighted_absolute_error,
            relative_error_sum / nullif(buyers_count, 0) as relative_error_of_buyers,
            1 - squared_error_sum / nullif(
                squared_actual_sum - actual_sum * actual_sum / customers_count, 0
            ) as r_squared

        from sums

    ),

    metrics as (

        {% for metric in [
            'total_error', 'mean_absolute_error', 'root_mean_squared_error',
            'weighted_absolute_error', 'relative_error_of_buyers', 'r_squared',
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
{%- endmacro %}

{#- Whether the better customers stand first, of the same. -#}
{% macro ranking_metrics(predictions) -%}
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

        from {{ predictions }}

        where target in ('orders', 'amount', 'value')

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
{%- endmacro %}

{#- Candidates of value in rising order of complexity, by which the simpler of two is
    told. -#}
{% macro value_candidates_in_order() -%}
    {{ return([
        'channel_mean', 'linear', 'bg_nbd', 'mbg_nbd', 'all_orders', 'seasonal',
        'pareto_nbd', 'hazard', 'tweedie', 'two_stages', 'blend',
    ]) }}
{%- endmacro %}

{#- Whom to believe where no past date could tell: the blend, which keeps the ranking of
    some and the level of others; then each of them. -#}
{% macro value_candidates_untold() -%}
    {%- set first = ['blend', perennial.setting('purchase_model')] -%}
    {%- for name in [
        'bg_nbd', 'mbg_nbd', 'pareto_nbd', 'tweedie', 'two_stages', 'hazard', 'linear',
        'channel_mean',
    ] if name not in first -%}
        {%- do first.append(name) -%}
    {%- endfor -%}
    {{ return(first) }}
{%- endmacro %}

{#- Place of a text in a list, as SQL; after all of them where it is not there. -#}
{% macro place_in(text, values) -%}
    case {{ text }}
        {%- for value in values %}
            when '{{ value }}' then {{ loop.index }}
        {%- endfor %}
        else {{ values | length + 1 }}
    end
{%- endmacro %}

{#- What an amount that is spread evenly over a horizon is worth today, per unit: each
    week's part is discounted from its end, as in score_clv, and times the margin. -#}
{% macro worth_of_amount(horizon_days) -%}
    case {{ horizon_days }}
        {%- for days in perennial.setting('horizons_days') -%}
            {%- set worth = namespace(sum=0.0) -%}
            {%- for start in range(0, days, 7) -%}
                {%- set end = [start + 7, days] | min -%}
                {%- set worth.sum = worth.sum + (end - start)
                    * (1 + perennial.setting('annual_discount_rate')) ** (-end / 365) -%}
            {%- endfor %}
            when {{ days }} then {{ '%.12f' | format(
                worth.sum / days * perennial.setting('gross_margin')
            ) }}
        {%- endfor %}
    end
{%- endmacro %}

{#- Money that was paid for days, from the sum over them of what is paid a month: a month
    is 365 / 12 days. -#}
{% macro amount_of_days(monthly_amount_days) -%}
    cast(
        round(cast({{ monthly_amount_days }} as double) * 12 / 365, 2)
        as {{ perennial.money() }}
    )
{%- endmacro %}

{#- Whole months that a subscriber has been one: a month is 365 / 12 days. -#}
{% macro tenure_months(days) -%}
    greatest(coalesce({{ days }}, 0), 0) * 12 // 365
{%- endmacro %}
