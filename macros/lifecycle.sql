{#- The rules of a customer's stage, in their order, each with the theme and the kind of
    the feature that it reads; none while the seeds are not loaded. -#}
{% macro lifecycle_rules(rules, catalogue) -%}
    {%- set found = [] -%}
    {%- if perennial.is_built(rules) and perennial.is_built(catalogue) -%}
        {%- set query -%}
            select
                rules.rule_number,
                rules.stage,
                rules.feature_name,
                rules.operator,
                cast(rules.value as varchar) as value,
                catalogue.theme,
                catalogue.kind

            from {{ rules }} as rules

            left join {{ catalogue }} as catalogue
                on rules.feature_name = catalogue.feature_name

            order by rules.rule_number, rules.feature_name, rules.operator, rules.value
        {%- endset -%}
        {%- for row in run_query(query).rows -%}
            {%- do found.append(row.dict()) -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(found) }}
{%- endmacro %}

{#- The stage as a CASE: the rules of one number must all hold, and the lowest number that
    holds wins. What is not known holds in no rule. -#}
{% macro lifecycle_stage(rules, themes) -%}
    {%- if not rules -%} cast(null as varchar)
    {%- else -%}
    case
        {%- for number, parts in rules | groupby('rule_number') %}
        when {% for rule in parts -%}
            {{ ' and ' if not loop.first }}{{ perennial.lifecycle_condition(rule, themes) }}
            {%- endfor %}
            then {{ perennial.lifecycle_stage_name(number, parts) }}
        {%- endfor %}
    end
    {%- endif -%}
{%- endmacro %}

{#- The one stage that the rules of a number name. -#}
{% macro lifecycle_stage_name(number, parts) -%}
    {%- set stages = ['onboarding', 'adoption', 'value', 'expansion', 'at_risk', 'lapsed'] -%}
    {%- set named = parts | map(attribute='stage') | unique | list -%}
    {%- if named | length > 1 -%}
        {{ perennial.refuse_rule(number, 'names several stages: ' ~ named | join(', ')) }}
    {%- elif named[0] not in stages -%}
        {{ perennial.refuse_rule(
            number, 'names the stage ' ~ named[0] ~ ', which is none of ' ~ stages | join(', ')
        ) }}
    {%- endif -%}
    '{{ named[0] }}'
{%- endmacro %}

{#- One comparison of a rule; a flag counts 1 where it is true and 0 where it is not. -#}
{% macro lifecycle_condition(rule, themes) -%}
    {%- set operators = ['<', '<=', '>', '>=', '='] -%}
    {%- set kinds = ['count', 'amount', 'rate', 'days', 'score', 'flag'] -%}
    {%- if rule['theme'] not in themes -%}
        {{ perennial.refuse_rule(
            rule['rule_number'],
            'reads ' ~ rule['feature_name'] ~ ', which is no feature of '
            ~ themes | join(', ')
        ) }}
    {%- elif rule['kind'] not in kinds -%}
        {{ perennial.refuse_rule(
            rule['rule_number'],
            'compares ' ~ rule['feature_name'] ~ ' with a number, and it is a '
            ~ rule['kind']
        ) }}
    {%- elif rule['operator'] not in operators -%}
        {{ perennial.refuse_rule(
            rule['rule_number'],
            'compares by ' ~ rule['operator'] ~ ', which is none of ' ~ operators | join(' ')
        ) }}
    {%- elif rule['value'] is none -%}
        {{ perennial.refuse_rule(
            rule['rule_number'], 'compares ' ~ rule['feature_name'] ~ ' with nothing'
        ) }}
    {%- endif -%}
    {%- if rule['kind'] == 'flag' -%}
        cast({{ rule['feature_name'] }} as integer)
    {%- else -%}
        {{ rule['feature_name'] }}
    {%- endif %} {{ rule['operator'] }} {{ rule['value'] }}
{%- endmacro %}

{% macro refuse_rule(number, fault) -%}
    {{ exceptions.raise_compiler_error(
        'Rule ' ~ number ~ ' of lifecycle_rules ' ~ fault ~ '.'
    ) }}
{%- endmacro %}
