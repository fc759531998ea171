{#- Text as a literal: what it says never becomes SQL. -#}
{% macro text_literal(text) -%}
    '{{ (text | string).replace("'", "''") }}'
{%- endmacro %}

{#- A name as an identifier, whatever it holds. -#}
{% macro quoted(name) -%}
    "{{ name.replace('"', '""') }}"
{%- endmacro %}

{#- What the previous run left in a table, or nothing and typed on the first run. The
    only edge that runs backwards: for the ledger of files, and for what is learned. What
    an older version of the table lacks is NULL. -#}
{% macro previous(model_name, columns) -%}
    {%- set found = namespace(relation=none) -%}
    {%- if execute -%}
        {%- for node in graph.nodes.values()
            if node.name == model_name and node.resource_type == 'model' -%}
            {%- set found.relation = adapter.get_relation(
                node.database, node.schema, node.alias
            ) -%}
        {%- endfor -%}
    {%- endif -%}
    {%- if found.relation %}
    {%- set there = adapter.get_columns_in_relation(found.relation)
        | map(attribute='name') | list %}
    select
        {%- for name, type in columns.items() %}
        {{ name if name in there else 'cast(null as ' ~ type ~ ') as ' ~ name }}
        {{- ',' if not loop.last }}
        {%- endfor %}
    from {{ found.relation }}
    {%- else %}
    select
        {%- for name, type in columns.items() %}
        cast(null as {{ type }}) as {{ name }}{{ ',' if not loop.last }}
        {%- endfor %}
    where false
    {%- endif -%}
{%- endmacro %}

{#- What the sources that some model reads declare to lie in files. -#}
{% macro declared_files() -%}
    {%- set declared = [] -%}
    {%- for node in graph.sources.values() | sort(attribute='unique_id')
        if node.config.meta.get('files') -%}
        {%- set meta = node.config.meta -%}
        {%- set readers = [] -%}
        {%- for model in graph.nodes.values()
            if model.resource_type == 'model'
            and node.unique_id in model.depends_on.nodes -%}
            {%- do readers.append(model.config.materialized) -%}
        {%- endfor -%}
        {%- set required, optional = [], [] -%}
        {%- for column in node.columns.values() -%}
            {%- do (optional if perennial.column_meta(column).get('optional')
                else required).append(column.name) -%}
        {%- endfor -%}
        {%- do declared.append({
            'name': node.source_name ~ '.' ~ node.name,
            'files': meta.files,
            'file_format': perennial.file_format(node),
            'delimiter': meta.get('delimiter', ','),
            'first_line': meta.get('first_line') or none,
            'line_pattern': meta.get('line_pattern') or none,
            'required': required,
            'optional': optional,
            'is_stored': 'view' not in readers,
        }) if readers -%}
    {%- endfor -%}
    {{ return(declared) }}
{%- endmacro %}

{% macro file_format(source_node) -%}
    {%- set known = ['csv', 'json_lines', 'parquet', 'lines'] -%}
    {%- set format = source_node.config.meta.get('format') -%}
    {%- if format not in known -%}
        {{ exceptions.raise_compiler_error(
            "Source " ~ source_node.source_name ~ "." ~ source_node.name
            ~ " has meta.format " ~ format ~ ", and it must be "
            ~ known | join(' or ') ~ "."
        ) }}
    {%- endif -%}
    {{ return(format) }}
{%- endmacro %}

{#- Stops the run with one line per file that cannot be used. -#}
{% macro stop_at_faulty_files(files_found) -%}
    {%- if execute and load_relation(files_found) -%}
        {%- set faults = run_query(
            'select distinct file_fault from ' ~ files_found
            ~ ' where file_fault is not null order by file_fault'
        ).columns[0].values() -%}
        {%- if faults and flags.WHICH in ['build', 'run'] -%}
            {{ exceptions.raise_compiler_error(faults | join('\n')) }}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{#- The rows of a raw table: every declared column with its declared type, and where the
    row stands. In an incremental model only the files that it does not hold yet. Where
    `numbered` is false a line of text does not know its number, and all cores read. -#}
{% macro raw_rows(source_name, table_name, numbered=true) -%}
    {%- set relation = source(source_name, table_name) -%}
    {%- set current_files = ref('int_current_files') -%}
    {%- if not execute -%}
        (select 1)
    {%- elif relation.identifier and relation.identifier.startswith('__dbt__cte__') -%}
        {#- a unit test gives the rows -#}
        {{ relation }}
    {%- else -%}
        {%- set node = graph.sources.values()
            | selectattr('source_name', 'equalto', source_name)
            | selectattr('name', 'equalto', table_name) | first -%}
        {%- set rows -%}
        {%- if node.config.meta.get('files') -%}
            {{ perennial.file_rows(node, perennial.files_to_read(node, current_files), numbered) }}
        {%- else -%}
            {{ perennial.table_rows(relation, node.columns.values() | list) }}
        {%- endif -%}
        {%- endset -%}
        {{ perennial.without_the_erased(
            rows, node.columns.values() | list, perennial.erasures_beside(current_files)
        ) }}
    {%- endif -%}
{%- endmacro %}

{#- Rows of int_current_files that a model has to read, as mappings. -#}
{% macro files_to_read(node, current_files) -%}
    {%- if not load_relation(current_files) -%} {{ return([]) }} {%- endif -%}
    {%- set name = node.source_name ~ '.' ~ node.name -%}
    {%- set query -%}
        select
            reading_id, source_file, file_path, file_format, lines_count, header,
            column_types, has_header, needs_care, has_quotes, has_control_characters
        from {{ current_files }}
        where
            source_table = {{ perennial.text_literal(name) }}
            {% if is_incremental() %}
            and reading_id not in (
                select reading_id from {{ this }} where reading_id is not null
            )
            {% endif %}
        order by reading_id
    {%- endset -%}
    {%- set files = [] -%}
    {%- for row in run_query(query).rows -%}
        {%- do files.append(row.dict()) -%}
    {%- endfor -%}
    {{ return(files) }}
{%- endmacro %}

{#- Files that can be read by one statement stand together: of one format and header. -#}
{% macro file_rows(node, files, numbered) -%}
    {%- set columns = node.columns.values() | list -%}
    {%- set groups = {} -%}
    {%- for file in files -%}
        {%- set kind = [
            file.needs_care, file.header, file.column_types, file.has_quotes,
            file.has_control_characters, file.has_header,
        ] | string -%}
        {%- do groups.setdefault(kind, []).append(file) -%}
    {%- endfor -%}
    (
    {%- for kind, group in groups.items() %}
        {% if group[0].file_format == 'parquet' -%}
            {{ perennial.parquet_rows(group, columns) }}
        {%- else -%}
            {{ perennial.text_rows(node, group, columns, numbered) }}
        {%- endif %}
        union all
    {% endfor %}
    select
        cast(null as integer) as reading_id,
        cast(null as varchar) as file_path,
        cast(null as varchar) as source_file,
        cast(null as bigint) as source_line,
        cast(null as bigint) as source_lines_count,
        cast(null as varchar) as source_text,
        cast(null as varchar) as row_fault
        {%- for column in columns %},
        cast(null as {{ column.data_type }}) as {{ perennial.quoted(column.name) }}
        {%- endfor %}
    where false
    )
{%- endmacro %}

{#- A row's place, as every staging model hands it on. -#}
{% macro place_columns() -%}
    reading_id,
    file_path,
    source_file,
    source_line,
    source_lines_count,
    source_text,
    row_fault
{%- endmacro %}

{% macro files_as_rows(files) -%}
    {%- set lines = namespace(before=0) -%}
    (values
    {%- for file in files %}
        (
            {{ perennial.text_literal(file.file_path) }},
            {{ file.reading_id }},
            {{ perennial.text_literal(file.source_file) }},
            {{ lines.before - (1 if file.has_header else 0) }}
        ){{ ',' if not loop.last }}
        {%- set lines.before = lines.before + file.lines_count -%}
    {%- endfor %}
    ) as files (file_path, reading_id, source_file, lines_before)
{%- endmacro %}

{% macro file_list(files) -%}
    [
    {%- for file in files -%}
        {{ perennial.text_literal(file.file_path) }}{{ ', ' if not loop.last }}
    {%- endfor -%}
    ]
{%- endmacro %}

{#- Physical lines of text files, each with its number where that is wanted. -#}
{% macro physical_lines(files, numbered) -%}
    {%- if files[0].needs_care %}
    select
        records.reading_id,
        files.file_path,
        files.source_file,
        records.source_line,
        records.source_lines_count,
        records.source_text,
        records.line_fault
    from {{ ref('int_current_files').include(identifier=false) }}.careful_records
        as records
    inner join {{ perennial.files_as_rows(files) }}
        on records.reading_id = files.reading_id
    {%- else %}
    {%- set one = files[0] if files | length == 1 else none %}
    select
        {{ one.reading_id if one else 'lines.file.reading_id' }} as reading_id,
        {{ perennial.text_literal(one.file_path) if one else 'lines.filename' }}
            as file_path,
        {{ perennial.text_literal(one.source_file) if one
            else 'lines.file.source_file' }} as source_file,
        {% if numbered -%}
        lines.line_number
        - ({{ (-1 if one.has_header else 0) if one else 'lines.file.lines_before' }})
            as source_line,
        {%- else -%}
        cast(null as bigint) as source_line,
        {%- endif %}
        cast(1 as bigint) as source_lines_count,
        lines.source_text,
        cast(null as varchar) as line_fault
    from (
        select
            {% if not one -%}
            filename,
            {#- no join, which could turn the order of the lines round #}
            (
                select files
                from {{ perennial.files_as_rows(files) }}
                where files.file_path = filename
            ) as file,
            {%- endif %}
            {% if numbered -%} row_number() over () as line_number, {%- endif %}
            coalesce(line, '') as source_text
        from read_csv(
            {{ perennial.file_list(files) }},
            columns = {'line': 'VARCHAR'},
            auto_detect = false,
            header = {{ files[0].has_header }},
            delim = chr(31),
            quote = '',
            escape = '',
            {#- small enough for a cache, and longer than the longest line #}
            buffer_size = {{ 4 * 1024 * 1024 }},
            filename = {{ not one }}
        )
    ) as lines
    {%- endif %}
{%- endmacro %}

{#- Lines cut into cells, and cells into columns of their declared types. -#}
{% macro text_rows(node, files, columns, numbered) -%}
    {%- set format = files[0].file_format -%}
    {%- set delimiter = node.config.meta.get('delimiter', ',') -%}
    {%- set header = fromjson(files[0].header) -%}
    {%- set names = columns | map(attribute='name') | list -%}
    select
        reading_id,
        file_path,
        source_file,
        source_line,
        source_lines_count,
        source_text,
        case
            when line_fault is not null then line_fault
            {%- for column in columns if column.data_type | lower != 'varchar' %}
            when
                {{ perennial.quoted(column.name) }} is null
                and {{ perennial.quoted(column.name ~ ' text') }} is not null
                then {{ perennial.text_literal('unreadable_' ~ column.name) }}
            {%- endfor %}
        end as row_fault
        {%- for column in columns %},
        {{ perennial.quoted(column.name) }}
        {%- endfor %}
    from (
        select
            *
            {%- for column in columns if column.data_type | lower != 'varchar' %},
            {{ perennial.parsed(perennial.quoted(column.name ~ ' text'), column.data_type,
                perennial.column_meta(column).get('time_format')) }} as {{ perennial.quoted(column.name) }}
            {%- endfor %}
        from (
            select
                * exclude (cells)
                {%- for column in columns %},
                {%- set is_text = column.data_type | lower == 'varchar' -%}
                {%- set place = header.index(column.name) + 1
                    if column.name in header else none %}
                {% if format in ['json_lines', 'lines'] -%}
                    nullif(cells[{{ loop.index }}], '')
                {%- elif place -%}
                    nullif(cells[{{ place }}], '')
                {%- else -%}
                    cast(null as varchar)
                {%- endif %} as {{ perennial.quoted(column.name ~ ('' if is_text else ' text')) }}
                {%- endfor %}
            from (
                select
                    * replace (
                        case
                            when line_fault is not null then line_fault
                            when {{ perennial.is_blank('source_text') }} then 'empty_line'
                            {%- if files[0].has_control_characters
                                or files[0].needs_care %}
                            when
                                regexp_matches(
                                    source_text, '[\x00-\x08\x0E-\x1F\x7F]'
                                )
                                then 'control_character'
                            {%- endif %}
                            {%- if format == 'json_lines' %}
                            when cells is null then 'unreadable_line'
                            {%- elif format == 'csv' %}
                            when cells is null then 'misplaced_quote'
                            when len(cells) < {{ header | length }} then 'short_line'
                            when len(cells) > {{ header | length }} then 'long_line'
                            {%- endif %}
                        end as line_fault
                    )
                from (
                    select
                        *,
                        {{ perennial.line_cells(format, delimiter, names,
                            files[0].has_quotes or files[0].needs_care) }} as cells
                    from ({{ perennial.physical_lines(files, numbered) }})
                )
            )
        )
    )
{%- endmacro %}

{#- A line's cells as a list of text; NULL where it has no such form. -#}
{% macro line_cells(format, delimiter, names, has_quotes) -%}
    {%- set cell = '(?:"[^"]*(?:""[^"]*)*"|[^"' ~ perennial.regular(delimiter) ~ ']*)' -%}
    {%- set between = perennial.regular(delimiter) -%}
    {%- if format == 'json_lines' -%}
    case
        when json_valid(source_text) and json_type(source_text) = 'OBJECT'
            then
                json_extract_string(
                    source_text,
                    [
                    {%- for name in names -%}
                        {{ perennial.text_literal('$."' ~ name ~ '"') }}{{ ', ' if not loop.last }}
                    {%- endfor -%}
                    ]
                )
    end
    {%- elif format == 'lines' -%}
    [source_text]
    {%- elif not has_quotes -%}
    string_split(source_text, {{ perennial.text_literal(delimiter) }})
    {%- else -%}
    case
        when not contains(source_text, '"')
            then string_split(source_text, {{ perennial.text_literal(delimiter) }})
        when
            regexp_full_match(
                source_text, {{ perennial.text_literal('(?s)' ~ cell ~ '(?:' ~ between ~ cell ~ ')*') }}
            )
            then
                list_transform(
                    regexp_extract_all(
                        {{ perennial.text_literal(delimiter) }} || source_text,
                        {{ perennial.text_literal('(?s)' ~ between ~ '(' ~ cell ~ ')') }},
                        1
                    ),
                    lambda cell:
                        case
                            when starts_with(cell, '"')
                                then replace(cell[2:-2], '""', '"')
                            else cell
                        end
                )
    end
    {%- endif -%}
{%- endmacro %}

{#- A delimiter as a regular expression. -#}
{% macro regular(delimiter) -%}
    {%- if delimiter is not string or delimiter | length != 1
        or delimiter in ['"', '\n', '\r'] -%}
        {{ exceptions.raise_compiler_error(
            "A delimiter is " ~ (delimiter | string)[:20] ~ ", and must be one character."
        ) }}
    {%- endif -%}
    {{- return('\\t' if delimiter == '\t' else '\\' ~ delimiter) -}}
{%- endmacro %}

{#- Rows of Parquet files that have one schema. -#}
{% macro parquet_rows(files, columns) -%}
    {%- set delivered = [] -%}
    {%- set types = fromjson(files[0].column_types) -%}
    {%- for name in fromjson(files[0].header) -%}
        {%- do delivered.append({'name': name, 'dtype': types[loop.index0]}) -%}
    {%- endfor -%}
    {%- set one = files[0] if files | length == 1 else none -%}
    {%- set relation -%}
    (
        select
            {{ one.reading_id if one else 'files.reading_id' }} as reading_id,
            {{ perennial.text_literal(one.file_path) if one
                else 'rows_of_file.filename' }} as file_path,
            {{ perennial.text_literal(one.source_file) if one
                else 'files.source_file' }} as source_file,
            rows_of_file.file_row_number + 1 as source_line,
            rows_of_file.* exclude (file_row_number {{- ', filename' if not one }})
        from
            read_parquet(
                {{ perennial.file_list(files) }},
                filename = {{ not one }},
                file_row_number = true
            ) as rows_of_file
        {% if not one -%}
        inner join {{ perennial.files_as_rows(files) }}
            on rows_of_file.filename = files.file_path
        {%- endif %}
    )
    {%- endset -%}
    {{ perennial.typed_rows('The file ' ~ files[0].file_path, relation, delivered, columns) }}
{%- endmacro %}
