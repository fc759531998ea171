{#- Columns of an accepted event. -#}
{% macro event_columns() -%}
    {{ contract('events')['columns'].keys() | join(', ') }},
    loaded_at,
    known_date,
    superseded_date,
    reading_id,
    file_path,
    source_file,
    source_line
{%- endmacro %}

{#- What tells a delivered event from all others: its file and line where every file knows
    the numbers of its lines, or else its file and the hash of what it says. -#}
{% macro event_line(content) -%}
    {%- set formats, sources = [], event_sources() -%}
    {%- for source in (graph.sources.values() if execute else [])
        if source.source_name ~ '.' ~ source.name in sources -%}
        {%- do formats.append(file_format(source)) -%}
    {%- endfor -%}
    {%- if formats | unique | list == ['parquet'] -%}
        cast(reading_id as bigint) * {{ 2 ** 40 }} + source_line
    {%- else -%}
        hash(reading_id, {{ content }})
    {%- endif -%}
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

{#- Before a run counts new keys: where a file that was counted counts no more, or a table
    was, which is read whole each time, all are counted anew. -#}
{% macro forget_counts() -%}
    {%- if is_incremental() -%}
        delete from {{ this }} where {{ counts_no_more() }}
    {%- endif -%}
{%- endmacro %}

{% macro counts_no_more() -%}
    exists (
        select 1

        from (select unnest(readings) as reading_id from {{ this }}) as counted

        where
            reading_id is null
            or reading_id not in (select reading_id from {{ ref('int_current_files') }})
    )
{%- endmacro %}

{#- Files whose keys are counted already, as far as that holds still. -#}
{% macro counted_readings() -%}
    {%- if not is_incremental() -%}
        {{ return([]) }}
    {%- endif -%}
    {%- set query -%}
        select distinct unnest(readings) as reading_id
        from {{ this }}
        where not {{ counts_no_more() }}
        order by reading_id
    {%- endset -%}
    {{ return(listed(this, query)) }}
{%- endmacro %}

{#- The reading_ids of all current files of events but these, as a list that an IN can
    hold: mostly few, so that the rows of the others are not even looked at. -#}
{% macro event_readings_without(readings) -%}
    {%- set current_files = ref('int_current_files') -%}
    {%- set found = listed(
        current_files,
        'select reading_id from ' ~ current_files ~ ' where source_table in '
        ~ literals(event_sources()) ~ ' order by reading_id'
    ) -%}
    ({{ (found | reject('in', readings) | list or [-1]) | join(', ') }})
{%- endmacro %}

{#- As many lines as meet a condition: a plan does not see how few they are among all,
    unless a limit says so. -#}
{% macro limit_of_lines(relation, condition) -%}
    {%- set query = 'select count(*) from ' ~ relation ~ ' where ' ~ condition -%}
    limit {{ listed(relation, query) | first }}
{%- endmacro %}

{#- Whether a relation is there to be asked: not while dbt parses or on a first run, nor
    in a unit test, which gives its rows itself. -#}
{% macro is_built(relation) -%}
    {{ return(
        execute
        and not relation.identifier.startswith('__dbt__cte__')
        and load_relation(relation) is not none
    ) }}
{%- endmacro %}

{#- Whether a row of files_read is a reading of this run, and of none before. -#}
{% macro is_new_reading() -%}
    ledger_number not in (select ledger_number from {{ ref('int_known_files') }})
{%- endmacro %}

{#- The first column of a query as a list, empty while a relation is missing. -#}
{% macro listed(relation, query) -%}
    {%- if is_built(relation) -%}
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

{#- Before a run counts days: those that are no more, or of which more was told. -#}
{% macro forget_days() -%}
    {%- if is_incremental() -%}
        delete from {{ this }}
        where
            (activity_date, day_state) not in (
                select (activity_date, day_state) from {{ ref('int_event_day_states') }}
            )
    {%- endif -%}
{%- endmacro %}

{#- The days that have to be counted, in parts: by month where no file would be read
    often for it, or else all at once. Each part names its days and files. -#}
{% macro event_batches(states) -%}
    {%- set event_days = ref('int_event_days') -%}
    {%- set current_files = ref('int_current_files') -%}
    {%- if not is_built(states) or not event_sources() -%}
        {{ return([{'paths': []}]) }}
    {%- endif -%}
    {%- set query -%}
        with

        new_days as (

            select activity_date

            from {{ states }}

            {% if is_incremental() -%}
                where (activity_date, day_state) not in (
                    select distinct (activity_date, day_state) from {{ this }}
                )
            {%- endif %}

        ),

        file_months as (

            select
                date_trunc('month', event_days.activity_date) as month,
                files.file_path,
                files.lines_count,
                min(event_days.activity_date) as first_date,
                max(event_days.activity_date) as last_date

            from {{ event_days }} as event_days

            inner join new_days
                on event_days.activity_date = new_days.activity_date

            inner join {{ current_files }} as files
                on event_days.reading_id = files.reading_id

            group by 1, 2, 3

        ),

        reading as (

            select
                sum(lines_count) <= 2 * (
                    select sum(lines_count)
                    from (select distinct file_path, lines_count from file_months)
                ) as is_by_month

            from file_months

        )

        select
            min(file_months.first_date) as first_date,
            max(file_months.last_date) as last_date,
            to_json(list(distinct file_months.file_path order by file_months.file_path))
                as paths,
            -- whether these are all days from the first to the last that have events
            (
                select count(*) filter (where new_days.activity_date is null) = 0
                from {{ states }} as states
                left join new_days
                    on states.activity_date = new_days.activity_date
                where
                    states.activity_date >= min(file_months.first_date)
                    and states.activity_date <= max(file_months.last_date)
            ) as is_whole

        from file_months

        cross join reading

        group by case when reading.is_by_month then file_months.month end

        order by first_date
    {%- endset -%}
    {%- set batches = [] -%}
    {%- for row in run_query(query).rows -%}
        {%- do batches.append({
            'first_date': row.first_date, 'last_date': row.last_date,
            'paths': fromjson(row.paths), 'is_whole': row.is_whole,
        }) -%}
    {%- endfor -%}
    {%- set nothing = {
        'first_date': '1970-01-01', 'last_date': '1970-01-01', 'paths': [''],
        'is_whole': true,
    } -%}
    {{ return(batches or [nothing]) }}
{%- endmacro %}

{#- Places of modules in a set of bits, as a mapping. -#}
{% macro module_places() -%}
    {%- set modules = ref('int_modules') -%}
    {%- set places = {} -%}
    {%- if is_built(modules) -%}
        {%- for row in run_query(
            'select module, place from ' ~ modules ~ ' order by place, module'
        ).rows -%}
            {%- do places.update({row.module: row.place}) -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(places) }}
{%- endmacro %}

{#- The set that holds an event's module alone. -#}
{% macro module_bit(places) -%}
    {%- if places -%}
    case module
        {%- for module, place in places.items() %}
        when {{ text_literal(module) }} then cast({{ 2 ** place }} as ubigint)
        {%- endfor %}
    end
    {%- else -%}
    cast(null as ubigint)
    {%- endif -%}
{%- endmacro %}

{#- Modules that count as core, and events that count as key actions, as lists. -#}
{% macro core_modules() -%}
    {{ return(listed(
        ref('module_weights'),
        'select module from ' ~ ref('module_weights') ~ ' where is_core order by 1'
    )) }}
{%- endmacro %}

{% macro key_actions() -%}
    {{ return(listed(
        ref('key_actions'), 'select event_name from ' ~ ref('key_actions') ~ ' order by 1'
    )) }}
{%- endmacro %}
