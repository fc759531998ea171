{#- Dates for which a feature model has no rows yet: a run computes no others. -#}
{% macro is_new_date(as_of_date) -%}
    {%- if is_incremental() -%}
        {{ as_of_date }} not in (select as_of_date from {{ this }})
    {%- else -%}
        true
    {%- endif -%}
{%- endmacro %}

{#- Before a run adds dates of customers: those that nobody needs any more, and those
    that another feature set wrote. -#}
{% macro forget_dates_of_customers() -%}
    {%- set as_of_dates, feature_set = ref('int_as_of_dates'), ref('int_feature_set') -%}
    {%- if is_incremental() -%}
        delete from {{ this }}
        where
            as_of_date not in (select as_of_date from {{ as_of_dates }})
            or feature_set_version not in (
                select feature_set_version from {{ feature_set }}
            )
    {%- endif -%}
{%- endmacro %}

{#- Before a run adds dates of a theme: those that customers do not have any more. Models
    forget them in a transaction of its own, since DuckDB adds no column, which a new
    feature needs, to a table that the same transaction deletes from. -#}
{% macro forget_dates() -%}
    {%- set customers = ref('feat_customers') -%}
    {%- if is_incremental() -%}
        delete from {{ this }}
        where
            (as_of_date, feature_set_version) not in (
                select distinct (as_of_date, feature_set_version) from {{ customers }}
            )
    {%- endif -%}
{%- endmacro %}

{#- Aggregates of a table of days over windows that end with the as_of_date. Each entry
    of `features` names what is measured: `name`, `operation` (count, sum or max),
    `measure` (nothing for a count), `windows` in days, and `before`: windows of which
    the stretch just before it is wanted as well. Rows tell how far back they lie by
    days_before. What never happened counts 0, and has no largest value. -#}
{% macro window_features(features) -%}
    {%- set columns = [] -%}
    {%- for feature in features -%}
        {%- for days in feature['windows'] -%}
            {%- do columns.append(perennial.window_feature(
                feature, days_from=0, days=days, suffix='_' ~ days ~ 'd'
            )) -%}
        {%- endfor -%}
        {%- for days in feature.get('before', []) -%}
            {%- do columns.append(perennial.window_feature(
                feature, days_from=days, days=days, suffix='_' ~ days ~ 'd_before'
            )) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ columns | join(',\n        ') }}
{%- endmacro %}

{% macro window_feature(feature, days_from, days, suffix) -%}
    {%- set operation = feature['operation'] -%}
    {%- set condition -%}
        {{ 'days_before >= ' ~ days_from ~ ' and ' if days_from -}}
        days_before < {{ days_from + days }}
        {{- ' and ' ~ feature['where'] if 'where' in feature }}
    {%- endset -%}
    {%- set aggregate -%}
        {{ operation }}({{ feature.get('measure', '*') }}) filter (where {{ condition }})
    {%- endset -%}
    {%- if operation == 'sum' -%}
        cast(coalesce({{ aggregate }}, 0) as {{ feature.get('type', 'bigint') }})
    {%- else -%}
        {{ aggregate }}
    {%- endif %} as {{ feature['name'] }}{{ suffix }}
{%- endmacro %}

{#- A ratio of two exact numbers, rounded so that it is the same whatever computed it;
    NULL where there is nothing to divide by. -#}
{% macro ratio(numerator, denominator) -%}
    round(cast({{ numerator }} as double) / nullif({{ denominator }}, 0), 6)
{%- endmacro %}

{#- How fast something happens now, against how fast it did over a longer time: 1 where
    nothing changed. -#}
{% macro velocity(recent, recent_days, longer, longer_days) -%}
    {{ perennial.ratio(recent ~ ' * ' ~ longer_days, longer ~ ' * ' ~ recent_days) }}
{%- endmacro %}

{#- What never happened counts 0, and nothing at all where the domain that would tell is
    not delivered. -#}
{% macro or_none(count, entity) -%}
    {{ 'coalesce(' ~ count ~ ', 0)' if entity in perennial.setting('entities') else count }}
{%- endmacro %}

{#- The hash of the SQL that makes features: of its words, not of its comments and spaces,
    and of the settings that it depends on. -#}
{% macro feature_sql_hash() -%}
    {%- set texts = [
        perennial.business_day('x'), perennial.days_between('x', 'y'),
        perennial.is_known('x', 'y', 'z'), perennial.is_past('x', 'y'),
        perennial.days_after('x', 'y'), perennial.ratio('x', 'y'),
        perennial.velocity('x', 1, 'y', 2), perennial.or_none('x', 'y'),
        perennial.window_features([{
            'name': 'x', 'operation': 'sum', 'measure': 'y', 'windows': [1], 'before': [1],
        }]),
        perennial.setting('entities') | sort | join(' '),
    ] -%}
    {%- for node in (graph.nodes.values() | sort(attribute='unique_id') if execute else [])
        if node.resource_type == 'model' and node.package_name == 'perennial'
        and (node.name.startswith('feat_') or 'days' in node.fqn) -%}
        {%- do texts.append(node.raw_code) -%}
    {%- endfor -%}
    {%- set words = texts | join(' ') -%}
    {%- for noise in ['(?s)[{]#.*?#[}]', '--[^\n]*', '\s+'] -%}
        {%- set words = modules.re.sub(noise, ' ', words) -%}
    {%- endfor -%}
    {{ return(local_md5(words)) }}
{%- endmacro %}

{#- Features that have a number and that models see, of the domains that are delivered. -#}
{% macro numeric_features() -%}
    {%- set catalogue = ref('feature_catalogue') -%}
    {{ return(perennial.listed(
        catalogue,
        'select feature_name from ' ~ catalogue
        ~ " where is_model_input and kind not in ('category', 'date')"
        ~ " and coalesce(entity, '') in "
        ~ perennial.literals(perennial.setting('entities')) ~ ' order by 1'
    ) or ['nothing']) }}
{%- endmacro %}

{#- How many standard deviations of training a value lies from the mean of training; 0
    where the feature never differed. `statistics` is the feature's row of
    feature_statistics. -#}
{% macro standardised(value, statistics) -%}
    case
        when {{ statistics }}.standard_deviation > 0
            then
                (cast({{ value }} as double) - {{ statistics }}.mean)
                / {{ statistics }}.standard_deviation
        when {{ value }} is not null
            then 0
    end
{%- endmacro %}
