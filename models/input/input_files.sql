-- Grain: one row per file and the domain that its rows are meant for.
-- No line is lost: as many come out of the checks as were delivered to them.

{{ config(materialized='table') }}

{% set entities = ['customers', 'orders', 'subscriptions', 'tickets', 'touches'] %}

with

delivered as (

    {% for entity in entities -%}
        select
            '{{ entity }}' as entity,
            reading_id,
            source_file,
            sum(source_lines_count) as lines_count

        from {{ ref('int_delivered_' ~ entity) }}

        group by reading_id, source_file

        union all

    {% endfor -%}
    select
        'events' as entity,
        reading_id,
        source_file,
        lines_count

    from {{ ref('int_event_files') }}

),

judged as (

    {% for entity in entities -%}
        select
            '{{ entity }}' as entity,
            reading_id,
            source_file,
            sum(source_lines_count) filter (
                where reject_reason is null and exclude_reason is null
            ) as accepted_lines_count,
            sum(source_lines_count) filter (where exclude_reason is not null)
                as excluded_lines_count,
            sum(source_lines_count) filter (where reject_reason is not null)
                as refused_lines_count

        from {{ ref('int_checked_' ~ entity) }}

        group by reading_id, source_file

        union all

    {% endfor -%}
    -- of events only the others are stored, so the accepted ones are the rest
    select
        'events' as entity,
        reading_id,
        source_file,
        lines_count - excluded_lines_count - refused_lines_count
            as accepted_lines_count,
        excluded_lines_count,
        refused_lines_count

    from {{ ref('int_event_files') }}

),

files as (

    select
        delivered.entity,
        delivered.reading_id,
        delivered.source_file,
        cast(delivered.lines_count as bigint) as lines_count,
        cast(coalesce(judged.accepted_lines_count, 0) as bigint)
            as accepted_lines_count,
        cast(coalesce(judged.excluded_lines_count, 0) as bigint)
            as excluded_lines_count,
        cast(coalesce(judged.refused_lines_count, 0) as bigint) as refused_lines_count

    from delivered

    left join judged
        on delivered.entity = judged.entity
        and delivered.reading_id is not distinct from judged.reading_id
        and delivered.source_file = judged.source_file

)

select * from files
