{#- Metrics of a ranking, from its steps: one row per distinct score, highest first, with
    the rows of the step, those of them that are positive, and both counted so far. -#}

{#- Twice the pairs of a positive and a negative that stand in the right order; a tie
    counts half. -#}
{% macro right_pairs_twice(rows_count, positives, positives_so_far) -%}
    cast(
        sum(
            ({{ rows_count }} - {{ positives }})
            * (2 * {{ positives_so_far }} - {{ positives }})
        ) as double
    )
{%- endmacro %}

{#- Precision of each step, weighted by its positives, in exact decimals. -#}
{% macro precision_total(rows_so_far, positives, positives_so_far) -%}
    cast(
        sum(
            cast(
                cast({{ positives }} * {{ positives_so_far }} as double)
                / {{ rows_so_far }}
                as decimal(38, 15)
            )
        ) as double
    )
{%- endmacro %}

{#- What customers are told apart by in a backtest; `all` is everybody. -#}
{% macro segment_kinds() -%}
    {{ return(['plan', 'segment', 'acquisition_channel', 'country', 'tenure_band']) }}
{%- endmacro %}

{#- The tenth that a place among so many belongs to, as ntile(10) has it: the first ones
    are larger by one where the number cannot be divided. -#}
{% macro tenth(place, places_count) -%}
    {%- set whole = 'floor(' ~ places_count ~ ' / 10)' -%}
    cast(
        case
            when {{ place }} <= {{ places_count }} % 10 * ({{ whole }} + 1)
                then ceil({{ place }} / ({{ whole }} + 1))
            else
                10 - floor(({{ places_count }} - {{ place }}) / greatest({{ whole }}, 1))
        end as bigint
    )
{%- endmacro %}

{#- The first so many of the customers that `lift_at_` and `precision_at_` look at: a
    share of them in per cent, or a number. -#}
{% macro tops() -%}
    {{ return({
        '1_percent': 'ceil(customers_count / 100)',
        '5_percent': 'ceil(5 * customers_count / 100)',
        '10_percent': 'ceil(customers_count / 10)',
        '100': '100',
    }) }}
{%- endmacro %}

{#- Metrics of a yes-or-no task. -#}
{% macro churn_metrics() -%}
    {{ return([
        'roc_auc', 'average_precision', 'ks_statistic', 'brier_score', 'brier_skill',
        'log_loss', 'expected_calibration_error', 'precision_at_1_percent',
        'precision_at_5_percent', 'precision_at_10_percent', 'precision_at_100',
        'lift_at_1_percent', 'lift_at_5_percent', 'lift_at_100', 'top_decile_lift',
        'positive_rate', 'mean_probability',
    ]) }}
{%- endmacro %}

{#- The squared gap between a probability and what happened, in exact decimals. -#}
{% macro squared_gap(probability, is_positive) -%}
    {%- set gap -%}
        cast({{ probability }} - cast({{ is_positive }} as integer) as decimal(7, 6))
    {%- endset -%}
    cast({{ gap }} * {{ gap }} as decimal(18, 12))
{%- endmacro %}

{#- Minus the logarithm of the probability of what happened, in exact decimals. -#}
{% macro log_loss(probability, is_positive) -%}
    cast(
        -ln(
            greatest(
                case
                    when {{ is_positive }} then cast({{ probability }} as double)
                    else 1 - cast({{ probability }} as double)
                end,
                1e-15
            )
        ) as decimal(18, 15)
    )
{%- endmacro %}

{#- Where a hash of 32 bits goes over to the next Poisson number of mean 1. -#}
{% macro poisson_limits() -%}
    {{ return([
        1580030169, 3160060337, 3950075422, 4213413783, 4279248374, 4292415292,
        4294609778,
    ]) }}
{%- endmacro %}

{#- How often a draw takes a row, from a hash of 32 bits: a Poisson number of mean 1. -#}
{% macro poisson_weight(hashed) -%}
    case
        {% for limit in perennial.poisson_limits() -%}
            when {{ hashed }} < {{ limit }} then {{ loop.index0 }}
        {% endfor -%}
        else 7
    end
{%- endmacro %}

{#- Ends of the 95 % interval around a share of a count, after Wilson (1927). -#}
{% macro wilson_end(positives, rows_count, sign) -%}
    {%- set z = 1.959964 -%}
    {%- set n = 'cast(' ~ rows_count ~ ' as double)' -%}
    {%- set share = positives ~ ' / ' ~ n -%}
    {{ 'greatest' if sign == '-' else 'least' }}(
        round(
            (
                {{ share }} + {{ z * z / 2 }} / {{ n }}
                {{ sign }} {{ z }} * sqrt(
                    {{ share }} * (1 - {{ share }}) / {{ n }}
                    + {{ z * z / 4 }} / ({{ n }} * {{ n }})
                )
            ) / (1 + {{ z * z }} / {{ n }}),
            12
        ),
        {{ 0 if sign == '-' else 1 }}
    )
{%- endmacro %}

{#- The twentieth part of the probabilities that one belongs to, from 1; 1 itself belongs
    to the last. -#}
{% macro probability_bin(probability) -%}
    cast(
        floor({{ probability }} * 20) + case when {{ probability }} < 1 then 1 else 0 end
        as bigint
    )
{%- endmacro %}
