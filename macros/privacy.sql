{#- An id as the marts show it: as it came, or as its keyed hash. -#}
{% macro published_id(column, kind) -%}
    {%- if perennial.setting('pseudonymise') -%}
        perennial_keyed_hash('{{ kind }}', {{ column }}) as {{ column.split('.')[-1] }}
    {%- else -%}
        {{ column }}
    {%- endif -%}
{%- endmacro %}

{#- Stops the run with one line where an id has to be hashed and there is no key, or
    another one than that of the erasures: whom they name would be let in again. -#}
{% macro stop_without_key(erasures) -%}
    {%- if execute and flags.WHICH in ['build', 'run'] -%}
        {%- set checks = perennial.listed(
            erasures, 'select distinct key_check from ' ~ erasures
        ) -%}
        {%- set reason = 'persons were erased here' if checks
            else 'the setting pseudonymise is on' -%}
        {%- if checks or perennial.setting('pseudonymise') -%}
            {%- set function = run_query(
                "select 1 from duckdb_functions() where function_name = 'perennial_key_check'"
            ) -%}
            {%- if function.rows | length == 0 -%}
                {{ exceptions.raise_compiler_error(
                    "The key cannot be used: " ~ reason ~ ", so profiles.yml must name "
                    ~ "the plugin perennial.dbt_plugin, as perennial's own does."
                ) }}
            {%- endif -%}
            {%- set check = run_query('select perennial_key_check()').columns[0][0] -%}
            {%- if check is none -%}
                {{ exceptions.raise_compiler_error(
                    "The key is missing: " ~ reason ~ ", so the environment variable "
                    ~ "DBT_ENV_SECRET_PERENNIAL_KEY must hold a secret of at least 16 "
                    ~ "characters."
                ) }}
            {%- endif -%}
            {%- if checks | reject('equalto', check) | list -%}
                {{ exceptions.raise_compiler_error(
                    "The key is another one: set DBT_ENV_SECRET_PERENNIAL_KEY to the one "
                    ~ "with which persons were erased, or they would be let in again."
                ) }}
            {%- endif -%}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{#- The table of erasures in the schema of another model, or none while it is empty. A
    staging model that referred to it would have to give it in all of its unit tests. -#}
{% macro erasures_beside(relation) -%}
    {%- set erasures = adapter.get_relation(relation.database, relation.schema, 'erasures') -%}
    {%- if erasures and run_query('select 1 from ' ~ erasures ~ ' limit 1').rows -%}
        {{ return(erasures) }}
    {%- endif -%}
    {{ return(none) }}
{%- endmacro %}

{#- Condition: the customer was erased. -#}
{% macro is_erased(customer_id, erasures) -%}
    {%- if perennial.erasures_beside(erasures) -%}
        perennial_keyed_hash('erased customer', {{ customer_id }}) in (
            select customer_hash from {{ erasures }}
        )
    {%- else -%}
        false
    {%- endif -%}
{%- endmacro %}

{#- A raw column that says whose row it is, as the id in it; none for other columns. -#}
{% macro identifying(column) -%}
    {%- set meta = perennial.column_meta(column) -%}
    {%- if meta.get('identifies') == 'customer'
        or column.name | lower == 'customer_id' -%}
        {%- set name = perennial.quoted(column.name) -%}
        {%- set pattern = meta.get('id_pattern') -%}
        {{ return(
            "nullif(regexp_extract(" ~ name ~ ", " ~ perennial.text_literal(pattern)
            ~ ", 1), '')" if pattern else "cast(" ~ name ~ " as varchar)"
        ) }}
    {%- endif -%}
    {{ return(none) }}
{%- endmacro %}

{#- Rows of a raw table in which those of erased persons keep their place alone. A line
    that was not cut into cells, or has no id, loses its text too: it might be theirs. The
    hash is made of each id once, so the rows are read a second time, for the ids. -#}
{% macro without_the_erased(rows, columns, erasures) -%}
    {%- set ids, cell_faults = [], [] -%}
    {%- for column in columns -%}
        {%- set id = perennial.identifying(column) -%}
        {%- do ids.append(id) if id is not none -%}
        {%- do cell_faults.append(perennial.text_literal('unreadable_' ~ column.name)) -%}
    {%- endfor -%}
    {%- if not erasures or not ids -%}
    {{ rows }}
    {%- else -%}
    (
        select
            reading_id,
            file_path,
            source_file,
            source_line,
            source_lines_count,
            case when not is_erased and is_cut and is_told then source_text end
                as source_text,
            case when is_erased then 'erased' else row_fault end as row_fault
            {%- for column in columns %},
            {%- set name = perennial.quoted(column.name) %}
            case when not is_erased and is_cut then {{ name }} end as {{ name }}
            {%- endfor %}
        from (
            select
                *,
                row_fault is null
                or row_fault in ({{ cell_faults | join(', ') }}) as is_cut,
                coalesce({{ ids | join(', ') }}) is not null as is_told,
                {% for id in ids -%}
                coalesce({{ id }} in (
                    select id
                    from (select distinct {{ id }} as id from {{ rows }} as raw_rows)
                    where {{ perennial.is_erased('id', erasures) }}
                ), false){{ ' or ' if not loop.last }}
                {%- endfor %} as is_erased
            from {{ rows }} as raw_rows
        )
    )
    {%- endif -%}
{%- endmacro %}
