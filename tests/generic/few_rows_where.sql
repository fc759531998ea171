{#- The share of rows of which a condition holds stays within a setting. -#}
{% test few_rows_where(model, condition, threshold) %}

with

counted as (

    select
        count(*) as rows_count,
        count(*) filter (where {{ condition }}) as found_count

    from {{ model }}

)

select *

from counted

where found_count > {{ setting(threshold) }} * rows_count

{% endtest %}
