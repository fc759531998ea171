{#- As few_refused_rows, of a table that has counted the lines of each file already. -#}
{% test few_refused_lines(model) %}

select *

from {{ model }}

where
    refused_lines_count - erased_lines_count
    > {{ setting('refused_rows_threshold') }} * (lines_count - erased_lines_count)
    or (refused_lines_count = lines_count and lines_count > erased_lines_count)

{% endtest %}
