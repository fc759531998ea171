{#- The grain: no two rows share these columns, and none of them is NULL, apart from
    those that are said to be nullable, where NULL is a value like any other. -#}
{% test one_row_per(model, columns, nullable=[]) %}

select
    {{ columns | join(', ') }},
    count(*) as rows_count

from {{ model }}

group by {{ columns | join(', ') }}

having
    count(*) > 1
    {% for column in columns if column not in nullable -%}
        or {{ column }} is null
    {% endfor %}

{% endtest %}
