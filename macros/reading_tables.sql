{#- Rows of a table in an attached database, as raw_rows gives those of files. -#}
{% macro table_rows(source_relation, columns) -%}
    {%- set delivered = adapter.get_columns_in_relation(source_relation) -%}
    {%- set name = perennial.table_name(source_relation) -%}
    {%- set relation -%}
    (
        select
            cast(null as integer) as reading_id,
            cast(null as varchar) as file_path,
            {{ perennial.text_literal(name) }} as source_file,
            cast(null as bigint) as source_line,
            source_rows.*
        from {{ perennial.exact_table(source_relation, delivered) }} as source_rows
    )
    {%- endset -%}
    ({{ perennial.typed_rows('Table ' ~ name, relation, delivered, columns) }})
{%- endmacro %}

{#- Rows that have types of their own in the declared ones; what a cast would change or
    lose is a fault. `delivered` has the name and dtype of each column. -#}
{% macro typed_rows(holder, relation, delivered, columns) -%}
    {%- set typed = [] -%}
    {%- set faults = [] -%}
    {%- for column in columns -%}
        {%- set found = perennial.table_column(holder, delivered, column) -%}
        {%- if found is none -%}
            {%- set value = "cast(null as " ~ column.data_type ~ ")" -%}
        {%- else -%}
            {%- set raw = "source_rows." ~ perennial.quoted(found.name) -%}
            {%- set value = perennial.table_value(
                raw, found.dtype, column.data_type,
                perennial.column_meta(column).get('time_format')
            ) -%}
            {%- do faults.append(
                "when " ~ perennial.is_delivered(raw, found.dtype) ~ " and " ~ value
                ~ " is null then "
                ~ perennial.text_literal("unreadable_" ~ column.name)
            ) if value != raw -%}
        {%- endif -%}
        {%- do typed.append(value ~ " as " ~ perennial.quoted(column.name)) -%}
    {%- endfor -%}
        select
            source_rows.reading_id,
            source_rows.file_path,
            source_rows.source_file,
            source_rows.source_line,
            cast(1 as bigint) as source_lines_count,
            cast(to_json(struct_pack(
                {%- for column in delivered -%}
                {{ perennial.quoted(column.name) }} := source_rows.
                {{- perennial.quoted(column.name) }}{{ ", " if not loop.last }}
                {%- endfor -%}
            )) as varchar) as source_text,
            cast({{ "case " ~ faults | join(" ") ~ " end" if faults else "null" }}
                as varchar) as row_fault,
            {{ typed | join(",\n            ") }}
        from {{ relation }} as source_rows
{%- endmacro %}

{#- The table, with nothing lost on the way. DuckDB reads PostgreSQL's numeric NaN as
    0.00, and numeric without a precision as a double; so PostgreSQL itself writes as
    text what has no type of exactly the same values here. Only the columns that are
    asked for travel. -#}
{% macro exact_table(source_relation, delivered) -%}
    {%- if perennial.database_type(source_relation) != 'postgres' -%}
        {{ source_relation }}
    {%- else -%}
    {%- set same_values = [
        'BOOLEAN', 'SMALLINT', 'INTEGER', 'BIGINT', 'DATE', 'TIMESTAMP',
        'TIMESTAMP WITH TIME ZONE',
    ] -%}
    {%- set chosen = [] -%}
    {%- for column in delivered -%}
        {%- set name = perennial.quoted(column.name) -%}
        {%- do chosen.append(
            name if column.dtype in same_values else name ~ "::text as " ~ name
        ) -%}
    {%- endfor -%}
    {%- set query = "select " ~ chosen | join(", ") ~ " from "
        ~ perennial.quoted(source_relation.schema) ~ "."
        ~ perennial.quoted(source_relation.identifier) -%}
    postgres_query(
        '{{ source_relation.database }}', '{{ query | replace("'", "''") }}'
    )
    {%- endif -%}
{%- endmacro %}

{#- A value of a table in its declared type, or NULL where it is none of that type. -#}
{% macro table_value(value, delivered_type, data_type, time_format=none) -%}
    {%- set type = data_type | lower | replace(' ', '') -%}
    {%- set scale = perennial.decimal_scale(data_type) -%}
    {%- set keeps_all_digits = perennial.is_whole(delivered_type) or (
        perennial.decimal_scale(delivered_type) is not none
        and perennial.decimal_scale(delivered_type) <= (scale or 0)
    ) -%}
    {%- if type == 'timestamp' and perennial.is_time(delivered_type) -%}
        case
            when isfinite({{ value }})
                then {{ perennial.utc_of_table_time(value, delivered_type) }}
        end
    {%- elif type == 'boolean' and delivered_type == 'BOOLEAN' -%} {{ value }}
    {%- elif keeps_all_digits
        and (scale is not none or type in ['bigint', 'integer']) -%}
        try_cast({{ value }} as {{ data_type }})
    {%- else -%}
        {{ perennial.parsed(
            perennial.plain_text(value, delivered_type), data_type, time_format
        ) }}
    {%- endif -%}
{%- endmacro %}

{#- A time of a table in UTC: one with a zone says itself when it was, one without is
    of the declared zone, a mere day begins at midnight of the business zone. -#}
{% macro utc_of_table_time(value, delivered_type) -%}
    {%- if delivered_type == 'TIMESTAMP WITH TIME ZONE' -%} timezone('UTC', {{ value }})
    {%- elif delivered_type == 'DATE' -%}
        {{ perennial.start_of_day("cast(" ~ value ~ " as timestamp)") }}
    {%- else -%} {{ perennial.utc_of("cast(" ~ value ~ " as timestamp)") }}
    {%- endif -%}
{%- endmacro %}

{#- A value as the text that a file would hold. Equal numbers are equal texts: an id 12
    may come as 12.00, and money 12.5000 has no fraction of a cent. -#}
{% macro plain_text(value, delivered_type) -%}
    {%- if delivered_type == 'VARCHAR' -%} {{ value }}
    {%- elif perennial.is_fractional(delivered_type) -%}
        case
            when not isfinite(try_cast({{ value }} as double)) then null
            when
                regexp_full_match(cast({{ value }} as varchar), '-?[0-9]+[.][0-9]+')
                then rtrim(rtrim(cast({{ value }} as varchar), '0'), '.')
            else cast({{ value }} as varchar)
        end
    {%- else -%} cast({{ value }} as varchar)
    {%- endif -%}
{%- endmacro %}

{#- Blank text is no value, as in a file. -#}
{% macro is_delivered(value, delivered_type) -%}
    {%- if delivered_type == 'VARCHAR' -%} trim({{ value }}) != ''
    {%- else -%} {{ value }} is not null
    {%- endif -%}
{%- endmacro %}

{#- The column of a table behind a declared one; none if it may be absent, and is. -#}
{% macro table_column(holder, delivered, column) -%}
    {%- for candidate in delivered if candidate.name | lower == column.name | lower -%}
        {{ return(candidate) }}
    {%- endfor -%}
    {%- if not perennial.column_meta(column).get('optional', false) -%}
        {{ exceptions.raise_compiler_error(
            holder ~ " has no column " ~ column.name ~ ": correct the name in the "
            ~ "declaration of the source, or write there config: {meta: {optional: true}}."
        ) }}
    {%- endif -%}
    {{ return(none) }}
{%- endmacro %}

{#- What a source says of a column beyond its type. -#}
{% macro column_meta(column) -%}
    {{ return((column.get('config') or {}).get('meta') or column.get('meta') or {}) }}
{%- endmacro %}

{% macro table_name(relation) -%}
    {{ return(relation.database ~ "." ~ relation.schema ~ "." ~ relation.identifier) }}
{%- endmacro %}

{% macro database_type(relation) -%}
    {%- set found = run_query(
        "select type from duckdb_databases() where lower(database_name) = '"
        ~ relation.database | lower | replace("'", "''") ~ "'"
    ) -%}
    {{ return(found.columns[0].values()[0]) }}
{%- endmacro %}

{% macro decimal_scale(type) -%}
    {%- set found = modules.re.fullmatch(
        'decimal\\([0-9]+,([0-9]+)\\)', type | lower | replace(' ', '')
    ) -%}
    {{ return(found.group(1) | int if found else none) }}
{%- endmacro %}

{% macro is_whole(type) -%}
    {%- set whole = 'U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)' -%}
    {{ return(modules.re.fullmatch(whole, type) is not none) }}
{%- endmacro %}

{% macro is_fractional(type) -%}
    {%- set is_decimal = perennial.decimal_scale(type) is not none -%}
    {{ return(is_decimal or type in ['DOUBLE', 'FLOAT']) }}
{%- endmacro %}

{% macro is_time(type) -%}
    {{ return(type == 'DATE' or type.startswith('TIMESTAMP')) }}
{%- endmacro %}
