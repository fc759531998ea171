{#- What a feature of a theme must not be, by its kind in the catalogue, as conditions. -#}
{% macro kind_faults(catalogue, theme) -%}
    {%- set query -%}
        select
            case
                when kind = 'count' or starts_with(feature_name, 'days_since_')
                    then feature_name || ' < 0'
                when unit = '0 to 100'
                    then feature_name || ' not between 0 and 100'
                when unit in ('1 to 5', 'fifth')
                    then feature_name || ' not between 1 and 5'
                else 'not isfinite(cast(' || feature_name || ' as double))'
            end as fault

        from {{ catalogue }}

        where
            kind in ('count', 'amount', 'rate', 'days', 'score')
            and theme = '{{ theme }}'

        order by feature_name
    {%- endset -%}
    {{ return(perennial.listed(catalogue, query)) }}
{%- endmacro %}
