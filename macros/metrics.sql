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
