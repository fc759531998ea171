{#- In every file, the share of refused lines stays within the setting, and some line of
    it is of use. What was set aside is no fault, nor is a person who was erased. -#}
{% test few_refused_rows(model) %}

with

files as (

    select
        source_file,
        coalesce(
            sum(source_lines_count) filter (
                where reject_reason is distinct from 'erased'
            ), 0
        ) as lines_count,
        coalesce(
            sum(source_lines_count) filter (where reject_reason <> 'erased'), 0
        ) as refused_lines_count

    from {{ model }}

    group by source_file

)

select *

from files

where
    refused_lines_count > {{ setting('refused_rows_threshold') }} * lines_count
    or (refused_lines_count = lines_count and lines_count > 0)

{% endtest %}
