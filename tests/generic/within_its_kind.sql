{#- The features of a theme lie in the range of what the catalogue says they are: nothing
    is counted below 0, and a score stays on its scale; NULL passes, NaN does not. -#}
{% test within_its_kind(model, theme) %}

{% set catalogue = ref('feature_catalogue') %}
{% set faults = listed(
    catalogue,
    "
    select
        case
            when kind = 'count' or starts_with(feature_name, 'days_since_')
                then feature_name || ' < 0'
            when unit = '0 to 100'
                then feature_name || ' not between 0 and 100'
            when unit in ('1 to 5', 'fifth')
                then feature_name || ' not between 1 and 5'
            else 'not isfinite(cast(' || feature_name || ' as double))'
        end
    from " ~ catalogue ~ "
    where kind in ('count', 'amount', 'rate', 'days', 'score') and theme = '" ~ theme ~ "'
    order by feature_name
    "
) %}

select *

from {{ model }}

where
    false
    {% for fault in faults -%}
        or {{ fault }}
    {% endfor %}

{% endtest %}
