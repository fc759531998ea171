-- Grain: one row per population, task, model_name, as_of_date, horizon_days,
-- segment_kind, segment and metric.
-- Whether those to whom it happened stand first, by the score that ranks, and whether
-- the probabilities are true; of everybody and of each segment.

{% set kinds = ['all'] + segment_kinds() %}
{% set key = [
    'population', 'task', 'model_name', 'as_of_date', 'horizon_days', 'segment_kind',
    'segment'
] | join(', ') %}

with

totals as (

    select
        case_number,
        segment_number,
        {{ key }},
        cast(sum(customers_count) as bigint) as customers_count,
        cast(sum(positives_count) as bigint) as positives_count,
        cast(sum(customers_count) as double) as customers_sum,
        cast(sum(positives_count) as double) as positives_sum,
        cast(sum(customers_count - positives_count) as double) as negatives_sum,
        {% for name in tops() -%}
            cast(sum(positives_in_{{ name }}) as double) as positives_in_{{ name }},
        {% endfor -%}
        cast(sum(abs(probability_sum - positives_count)) as double) as gap_sum,
        cast(sum(probability_sum) as double) as probability_sum,
        cast(sum(squared_error_sum) as double) as squared_error_sum,
        cast(sum(log_loss_sum) as double) as log_loss_sum

    from {{ ref('eval_churn_bins') }}

    group by case_number, segment_number, {{ key }}

),

-- equal scores are one step of the curves; these turn only where it happened to
-- somebody, and the last place of the step tells how many came so far
turns as (

    select distinct
        case_number,
        raw_score

    from {{ ref('eval_churn_ranks') }}

    where is_positive

),

ranks as (

    select
        ranks.*,
        1 as all_number,
        ranks.place as place_in_all

    from {{ ref('eval_churn_ranks') }} as ranks

    inner join turns
        on ranks.case_number = turns.case_number
        and ranks.raw_score = turns.raw_score

),

steps as (

    {% for kind in kinds -%}
        {{ 'union all ' if not loop.first }}select
            case_number,
            '{{ kind }}' as segment_kind,
            {{ kind }}_number as segment_number,
            raw_score,
            count(*) as customers_count,
            count(*) filter (where is_positive) as positives_count,
            max(place_in_{{ kind }}) as customers_so_far
        from ranks
        where {{ kind }}_number is not null
        group by case_number, {{ kind }}_number, raw_score
        having bool_or(is_positive)
    {% endfor %}
),

curves as (

    select
        *,
        customers_count - positives_count as negatives_count,
        sum(positives_count) over downwards as positives_so_far,
        customers_so_far - sum(positives_count) over downwards as negatives_so_far

    from steps

    window downwards as (
        partition by case_number, segment_kind, segment_number
        order by customers_so_far asc
        rows unbounded preceding
    )

),

sums as (

    select
        curves.case_number,
        curves.segment_kind,
        curves.segment_number,
        -- the other way round: a negative that stands before a positive
        {{ right_pairs_twice(
            'curves.customers_count', 'curves.negatives_count',
            'curves.negatives_so_far'
        ) }}
            as wrong_pairs_twice,
        {{ precision_total(
            'curves.customers_so_far', 'curves.positives_count',
            'curves.positives_so_far'
        ) }}
            as precision_sum,
        -- the two shares are furthest apart after a step up, or before one
        max(
            greatest(
                curves.positives_so_far / totals.positives_sum
                - curves.negatives_so_far / totals.negatives_sum,
                (curves.negatives_so_far - curves.negatives_count)
                / totals.negatives_sum
                - (curves.positives_so_far - curves.positives_count)
                / totals.positives_sum
            )
        ) as furthest_apart

    from curves

    inner join totals
        on curves.case_number = totals.case_number
        and curves.segment_kind = totals.segment_kind
        and curves.segment_number = totals.segment_number

    group by curves.case_number, curves.segment_kind, curves.segment_number

),

measured as (

    select
        totals.*,
        totals.positives_sum / totals.customers_sum as positive_rate,
        totals.probability_sum / totals.customers_sum as mean_probability,
        1 - sums.wrong_pairs_twice
        / nullif(2 * totals.positives_sum * totals.negatives_sum, 0) as roc_auc,
        sums.precision_sum / nullif(totals.positives_sum, 0) as average_precision,
        case when totals.negatives_sum > 0 then sums.furthest_apart end
            as ks_statistic,
        totals.squared_error_sum / totals.customers_sum as brier_score,
        1 - brier_score / nullif(positive_rate * (1 - positive_rate), 0)
            as brier_skill,
        totals.log_loss_sum / totals.customers_sum as log_loss,
        totals.gap_sum / totals.customers_sum as expected_calibration_error,
        {% for name, top in tops().items() -%}
            case
                when totals.customers_count >= {{ top }}
                    then totals.positives_in_{{ name }} / {{ top }}
            end as precision_at_{{ name }},
            precision_at_{{ name }} / nullif(positive_rate, 0) as lift_at_{{ name }},
        {% endfor -%}
        lift_at_10_percent as top_decile_lift

    from totals

    left join sums
        on totals.case_number = sums.case_number
        and totals.segment_kind = sums.segment_kind
        and totals.segment_number = sums.segment_number

),

metrics as (

    {% for metric in churn_metrics() -%}
        {{ 'union all ' if not loop.first }}select
            case_number,
            {{ key }},
            '{{ metric }}' as metric,
            round({{ metric }}, 12) as metric_value,
            customers_count,
            positives_count
        from measured
    {% endfor %}
)

select * from metrics
