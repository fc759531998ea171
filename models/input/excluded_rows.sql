-- Grain: one row per row of the source that was set aside.
-- Out of scope by nature, or an exact copy: no error, but it is told what is not used.

with

{% set entities = ['customers', 'orders', 'subscriptions', 'tickets', 'touches'] -%}
excluded as (

    {% for entity in entities -%}
        select
            '{{ entity }}' as entity,
            source_file,
            source_line,
            source_lines_count,
            exclude_reason,
            source_text

        from {{ ref('int_checked_' ~ entity) }}

        where exclude_reason is not null

        union all

    {% endfor -%}
    select
        'events' as entity,
        source_file,
        source_line,
        source_lines_count,
        exclude_reason,
        source_text

    from {{ ref('int_settled_events') }}

    where exclude_reason is not null

)

select * from excluded
