{#- Columns of an accepted event. -#}
{% macro event_columns() -%}
    {{ contract('events')['columns'].keys() | join(', ') }},
    loaded_at,
    known_date,
    superseded_date,
    source_file,
    source_line
{%- endmacro %}

{#- Hash of an event's id: rows with the same one are copies, versions or a conflict. -#}
{% macro event_key() -%}
    hash(event_id)
{%- endmacro %}

{#- Hash of all that an event's row says. A cell that cannot be read is NULL as an empty
    one is, and what is set aside may say the same as what is not: so both count too. -#}
{% macro event_content() -%}
    hash(
        {{ contract('events')['columns'].keys() | join(', ') }},
        loaded_at, row_fault, exclude_reason
    )
{%- endmacro %}

{#- Sources in files that a model reads, itself or through the models above it. -#}
{% macro file_sources(unique_id) -%}
    {%- set found = [] -%}
    {%- if unique_id in graph.sources -%}
        {%- set source = graph.sources[unique_id] -%}
        {%- if source.config.meta.get('files') -%}
            {%- do found.append(source.source_name ~ '.' ~ source.name) -%}
        {%- endif -%}
    {%- elif graph.nodes.get(unique_id, {}).get('resource_type') == 'model'
        and graph.nodes[unique_id].name not in ['int_current_files', 'erasures'] -%}
        {%- for parent in graph.nodes[unique_id].depends_on.nodes -%}
            {%- do found.extend(file_sources(parent)) -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(found | unique | list) }}
{%- endmacro %}

{#- Raw tables in files that the connector's events come from; none where they lie in a
    table. -#}
{% macro event_sources() -%}
    {%- set found = [] -%}
    {%- for node in (graph.nodes.values() if execute else [])
        if node.name == 'stg_' ~ var('connector') ~ '__events' -%}
        {%- do found.extend(file_sources(node.unique_id)) -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro %}

{#- Before a run adds to a table of events: rows of files that count no more are dropped,
    and those of tables, which are read whole each time. -#}
{% macro forget_readings() -%}
    {%- if is_incremental() -%}
        delete from {{ this }}
        where
            reading_id is null
            or reading_id not in (select reading_id from {{ ref('int_current_files') }})
    {%- endif -%}
{%- endmacro %}

{#- Whether a row of files_read is a reading of this run, and of none before. -#}
{% macro is_new_reading() -%}
    ledger_number not in (select ledger_number from {{ ref('int_known_files') }})
{%- endmacro %}

{#- The first column of a query as a list, empty while a relation is missing. -#}
{% macro listed(relation, query) -%}
    {%- if execute and load_relation(relation) -%}
        {{ return(run_query(query).columns[0].values() | list) }}
    {%- endif -%}
    {{ return([]) }}
{%- endmacro %}

{#- Values as a list of literals that an IN can hold, at least one. -#}
{% macro literals(values) -%}
    ({% for value in values -%} {{ text_literal(value) }}, {% endfor %} '')
{%- endmacro %}

{#- Lines of those files that the engine cuts itself, with their numbers. -#}
{% macro numbered_lines(paths) -%}
    {%- set current_files = ref('int_current_files') -%}
    {%- set groups = {} -%}
    {%- if execute and paths -%}
        {%- set query -%}
            select reading_id, source_file, file_path, lines_count, has_header
            from {{ current_files }}
            where
                not needs_care
                and file_format <> 'parquet'
                and file_path in {{ literals(paths) }}
            order by reading_id
        {%- endset -%}
        {%- for row in run_query(query).rows -%}
            {%- set file = dict(row.dict(), needs_care=false) -%}
            {%- do groups.setdefault(file.has_header, []).append(file) -%}
        {%- endfor -%}
    {%- endif -%}
    {%- for files in groups.values() %}
        select file_path, source_line, source_text
        from ({{ physical_lines(files, true) }})
        union all
    {%- endfor %}
    select
        cast(null as varchar) as file_path,
        cast(null as bigint) as source_line,
        cast(null as varchar) as source_text
    where false
{%- endmacro %}
