-- Grain: one row per refused row of the source.
-- Nothing is lost: the line stands here as it came, with the reason.

with

{% set entities = ['customers', 'orders', 'subscriptions', 'tickets', 'touches'] -%}
refused as (

    {% for entity in entities -%}
        select
            '{{ entity }}' as entity,
            source_file,
            source_line,
            source_lines_count,
            reject_reason,
            source_text

        from {{ ref('int_checked_' ~ entity) }}

        where reject_reason is not null

        union all

    {% endfor -%}
    select
        'events' as entity,
        source_file,
        source_line,
        source_lines_count,
        reject_reason,
        source_text

    from {{ ref('int_settled_events') }}

    where reject_reason is not null

)

select * from refused
