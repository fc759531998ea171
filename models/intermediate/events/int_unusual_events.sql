-- Grain: one row per event line that has to be judged by itself.
-- Whole rows, read again from the files that hold them: those with a fault of their
-- own, those that the connector sets aside, and all rows of a key that is repeated.

{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook="{{ forget_readings() }}"
) }}

{%- set checked, current_files = ref('int_checked_events'), ref('int_current_files') %}
{%- set repeated_keys = ref('int_repeated_event_keys') %}
{%- set unusual -%}
    select
        reading_id,
        content,
        max(reject_reason) as reject_reason

    from (
        select
            reading_id,
            content,
            nullif(verdict, 'excluded') as reject_reason

        from {{ checked }}

        where verdict is not null

        union all

        select
            checked.reading_id,
            checked.content,
            null as reject_reason

        from {{ checked }} as checked

        semi join {{ repeated_keys }} as repeated_keys
            on checked.event_key = repeated_keys.event_key
    ) as unusual

    {% if is_incremental() -%}
        where not exists (
            select 1

            from {{ this }} as known

            where
                known.reading_id = unusual.reading_id
                and known.content = unusual.content
        )
    {%- endif %}

    group by reading_id, content
{%- endset %}
{#- Each is how many lines of a file are unusual, and its path. -#}
{%- set counts = listed(
    checked,
    "select count(*) || ' ' || coalesce(files.file_path, '') from (" ~ unusual
    ~ ') as unusual left join ' ~ current_files ~ ' as files '
    ~ 'on unusual.reading_id = files.reading_id group by files.file_path order by 1'
) %}
{%- set paths, lines_counts = [], [] %}
{%- for count in counts %}
    {%- do lines_counts.append(count.split(' ', 1)[0] | int) %}
    {%- do paths.append(count.split(' ', 1)[1]) %}
{%- endfor %}

with

unusual as (

    {{ unusual }}

    -- a plan does not see how few they are, unless a limit says so
    {% if counts -%}
        limit {{ lines_counts | sum }}
    {%- endif %}

),

delivered as (

    select
        *,
        {{ event_content() }} as content

    from {{ ref('int_delivered_events') }}

    {% if execute and event_sources() %}
        where file_path in {{ literals(paths) }}
    {% endif %}

),

whole as (

    select
        delivered.*,
        unusual.reject_reason

    from delivered

    inner join unusual
        on delivered.reading_id is not distinct from unusual.reading_id
        and delivered.content = unusual.content

),

-- a file of text does not know its line numbers while all cores read it
numbered_lines as (

    {{ numbered_lines(paths) }}

),

lines as (

    select
        file_path,
        source_line,
        source_text,
        row_number() over (
            partition by file_path, source_text order by source_line
        ) as copy_number

    from numbered_lines

    where source_text in (select source_text from whole)

),

copies as (

    select
        *,
        row_number() over (
            partition by file_path, source_text order by source_line
        ) as copy_number

    from whole

),

placed as (

    select
        copies.* exclude (copy_number)
        replace (coalesce(copies.source_line, lines.source_line) as source_line)

    from copies

    left join lines
        on copies.file_path = lines.file_path
        and copies.source_text = lines.source_text
        and copies.copy_number = lines.copy_number

)

select * from placed
