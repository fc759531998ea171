{#- Tasks with a yes-or-no answer: the outcome that holds the label, its column, and the
    condition of being in scope. Another task is another entry. -#}
{% macro tasks_catalogue() -%}
    {{ return({
        'churn': {
            'outcome': 'outcome_churn', 'label': 'is_churned', 'scope': 'is_in_scope',
        },
        'expansion': {
            'outcome': 'outcome_expansion', 'label': 'is_expanded', 'scope': 'true',
        },
    }) }}
{%- endmacro %}

{#- The labels of all tasks, one below the other. All are read, so that the lineage is the
    same whatever is asked for. -#}
{% macro labels_of_tasks() -%}
    {%- for task, names in perennial.tasks_catalogue().items() -%}
        {{ 'union all ' if not loop.first }}select
            '{{ task }}' as task,
            horizon_days,
            as_of_date,
            customer_id,
            {{ names['label'] }} as label,
            {{ names['scope'] }} as is_in_scope
        from {{ ref(names['outcome']) }}
    {% endfor -%}
{%- endmacro %}

{#- A number from 0 to 4294967295 by a hash of a text, the same in every run; `purpose`
    keeps two draws of one text apart. -#}
{% macro hashed_number(text, purpose) -%}
    cast('0x' || left(md5('{{ purpose }} ' || {{ text }}), 8) as bigint)
{%- endmacro %}
