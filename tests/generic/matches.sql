{#- A text is as a whole of this form, a regular expression; NULL passes. -#}
{% test matches(model, column_name, pattern) %}

select {{ column_name }}

from {{ model }}

where not regexp_full_match({{ column_name }}, '{{ pattern }}')

{% endtest %}
