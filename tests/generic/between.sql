{#- A number lies in its range, ends included; NULL passes, NaN and infinity do not. -#}
{% test between(model, column_name, least='null', most='null') %}

select {{ column_name }}

from {{ model }}

where
    not isfinite(cast({{ column_name }} as double))
    or {{ column_name }} < {{ least }}
    or {{ column_name }} > {{ most }}

{% endtest %}
