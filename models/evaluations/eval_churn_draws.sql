-- Grain: one row per case_number and draw.
-- The metrics of everybody once more, of customers drawn with replacement: a draw takes
-- each group of customers as often as a hash of the two says, Poisson with mean 1, and
-- the same for every model and date.

{#- Customers side by side in the order of the score are one step, at the top one or
    two, from then on 8 % of the places so far. What some 100 steps and 200 groups of
    customers add up to is no more for many customers than for few. -#}
{% set steps_so_far = 12 %}

with

-- equal scores are one place, that of the first of them
ties as (

    select
        case_number,
        raw_score,
        min(place) - 1 as place

    from {{ ref('eval_churn_ranks') }}

    where is_tied

    group by case_number, raw_score

),

cells as (

    select
        ranks.case_number,
        {{ tenth('ranks.place', 'cases.customers_count') }} as decile,
        cast(
            floor(
                {{ steps_so_far }}
                * ln(
                    1 + coalesce(ties.place, ranks.place) / {{ steps_so_far }}.0
                )
            ) as integer
        ) as step,
        ranks.draw_group,
        cast(count(*) as integer) as customers_count,
        cast(count(*) filter (where ranks.is_positive) as integer)
            as positives_count,
        -- millionths
        cast(sum(ranks.probability) * 1000000 as bigint) as probability_sum,
        sum(ranks.squared_error) as squared_error_sum,
        sum(ranks.log_loss) as log_loss_sum

    from {{ ref('eval_churn_ranks') }} as ranks

    inner join {{ ref('eval_churn_cases') }} as cases
        on ranks.case_number = cases.case_number

    left join ties
        on ranks.case_number = ties.case_number
        and ranks.raw_score = ties.raw_score

    group by
        ranks.case_number,
        {{ tenth('ranks.place', 'cases.customers_count') }},
        step,
        ranks.draw_group

),

groups as (

    select distinct draw_group from cells

),

hashed as (

    select
        groups.draw_group,
        cast(draws.draw as integer) as draw,
        {{ hashed_number("groups.draw_group || ' ' || draws.draw", 'weight') }}
            as hashed

    from groups

    cross join range({{ setting('bootstrap_draws') }}) as draws (draw)

),

weights as (

    select
        draw_group,
        draw,
        {{ poisson_weight('hashed') }} as weight

    from hashed

    where hashed >= {{ poisson_limits()[0] }}

),

drawn as (

    select
        cells.case_number,
        weights.draw,
        cells.decile,
        cells.step,
        cast(sum(weights.weight * cells.customers_count) as bigint)
            as customers_count,
        cast(sum(weights.weight * cells.positives_count) as bigint)
            as positives_count,
        cast(sum(weights.weight * cells.probability_sum) as bigint)
            as probability_sum

    from cells

    inner join weights
        on cells.draw_group = weights.draw_group

    group by cells.case_number, weights.draw, cells.decile, cells.step

),

steps as (

    select
        case_number,
        draw,
        step,
        cast(sum(customers_count) as bigint) as customers_count,
        cast(sum(positives_count) as bigint) as positives_count

    from drawn

    group by case_number, draw, step

),

curves as (

    select
        *,
        cast(sum(customers_count) over downwards as bigint) as customers_so_far,
        cast(sum(positives_count) over downwards as bigint) as positives_so_far

    from steps

    window downwards as (
        partition by case_number, draw
        order by step asc
        rows unbounded preceding
    )

),

totals as (

    select
        case_number,
        draw,
        cast(sum(customers_count) as bigint) as customers_count,
        cast(sum(positives_count) as double) as positives_sum,
        cast(sum(customers_count - positives_count) as double) as negatives_sum

    from steps

    group by case_number, draw

),

-- where the first so many end within a step, its customers are alike
sums as (

    select
        curves.case_number,
        curves.draw,
        {{ right_pairs_twice(
            'curves.customers_count', 'curves.positives_count',
            'curves.positives_so_far'
        ) }}
            as right_pairs_twice,
        {{ precision_total(
            'curves.customers_so_far', 'curves.positives_count',
            'curves.positives_so_far'
        ) }}
            as precision_sum,
        max(
            abs(
                curves.positives_so_far / totals.positives_sum
                - (curves.customers_so_far - curves.positives_so_far)
                / totals.negatives_sum
            )
        ) as furthest_apart
        {% for name, top in tops().items() -%}
            , cast(
                sum(
                    cast(
                        curves.positives_count * least(
                            greatest(
                                {{ top | replace('customers', 'totals.customers') }}
                                - curves.customers_so_far + curves.customers_count,
                                0
                            ) / curves.customers_count,
                            1
                        ) as decimal(18, 9)
                    )
                ) as double
            ) as positives_in_{{ name }}
        {% endfor %}
    from curves

    inner join totals
        on curves.case_number = totals.case_number
        and curves.draw = totals.draw

    group by curves.case_number, curves.draw

),

gaps as (

    select
        case_number,
        draw,
        cast(sum(gap) as double) / 1000000 as gap_sum,
        cast(sum(probability_sum) as double) / 1000000 as probability_sum

    from (
        select
            case_number,
            draw,
            abs(sum(probability_sum) - 1000000 * sum(positives_count)) as gap,
            sum(probability_sum) as probability_sum
        from drawn
        group by case_number, draw, decile
    ) as by_decile

    group by case_number, draw

),

errors as (

    select
        by_group.case_number,
        weights.draw,
        cast(sum(weights.weight * by_group.squared_error_sum) as double)
            as squared_error_sum,
        cast(sum(weights.weight * by_group.log_loss_sum) as double) as log_loss_sum

    from (
        select
            case_number,
            draw_group,
            sum(squared_error_sum) as squared_error_sum,
            sum(log_loss_sum) as log_loss_sum
        from cells
        group by case_number, draw_group
    ) as by_group

    inner join weights
        on by_group.draw_group = weights.draw_group

    group by by_group.case_number, weights.draw

),

draws as (

    select
        totals.case_number,
        totals.draw,
        totals.positives_sum / totals.customers_count as positive_rate,
        gaps.probability_sum / totals.customers_count as mean_probability,
        sums.right_pairs_twice
        / nullif(2 * totals.positives_sum * totals.negatives_sum, 0) as roc_auc,
        sums.precision_sum / nullif(totals.positives_sum, 0) as average_precision,
        case
            when totals.positives_sum > 0 and totals.negatives_sum > 0
                then sums.furthest_apart
        end as ks_statistic,
        errors.squared_error_sum / totals.customers_count as brier_score,
        1 - brier_score / nullif(positive_rate * (1 - positive_rate), 0)
            as brier_skill,
        errors.log_loss_sum / totals.customers_count as log_loss,
        gaps.gap_sum / totals.customers_count as expected_calibration_error,
        {% for name, top in tops().items() -%}
            case
                when totals.customers_count >= {{ top }}
                    then sums.positives_in_{{ name }} / {{ top }}
            end as precision_at_{{ name }},
            precision_at_{{ name }} / nullif(positive_rate, 0) as lift_at_{{ name }},
        {% endfor -%}
        lift_at_10_percent as top_decile_lift

    from totals

    inner join sums
        on totals.case_number = sums.case_number
        and totals.draw = sums.draw

    inner join gaps
        on totals.case_number = gaps.case_number
        and totals.draw = gaps.draw

    inner join errors
        on totals.case_number = errors.case_number
        and totals.draw = errors.draw

)

select * from draws
