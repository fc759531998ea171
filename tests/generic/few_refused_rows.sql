{#- In every file, the share of refused rows stays within the setting. -#}
{% test few_refused_rows(model) %}

select
    source_file,
    count(*) as rows_count,
    count(reject_reason) as refused_count

from {{ model }}

group by source_file

having count(reject_reason) > {{ setting('refused_rows_threshold') }} * count(*)

{% endtest %}
