{#- The features of a theme are what the catalogue says: nothing is counted below 0, and
    a score stays on its scale; NULL passes, NaN does not. -#}
{% test within_its_kind(model, theme) %}

select *

from {{ model }}

where
    false
    {% for fault in kind_faults(ref('feature_catalogue'), theme) -%}
        or {{ fault }}
    {% endfor %}

{% endtest %}
