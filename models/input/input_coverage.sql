-- Grain: one row per domain of the contract.
-- What the connector delivers, and what it costs that the rest is missing.

{{ config(materialized='table') }}

with

domains as (

    select
        listed.entity,
        listed.is_delivered,
        listed.empty_columns,
        listed.absence_costs

    from (
        values
        {% for entity in [
            'customers', 'orders', 'subscriptions', 'events', 'tickets', 'touches'
        ] -%}
            (
                '{{ entity }}',
                {{ (entity in setting('entities')) | lower }},
                {{ empty_columns(entity) }},
                '{{ contract(entity)["absence"] }}'
            ){{ ', ' if not loop.last }}
        {%- endfor %}
    ) as listed (entity, is_delivered, empty_columns, absence_costs)

),

lines as (

    select
        entity,
        sum(lines_count) as lines_count,
        sum(accepted_lines_count) as accepted_lines_count,
        sum(excluded_lines_count) as excluded_lines_count,
        sum(refused_lines_count) as refused_lines_count

    from {{ ref('input_files') }}

    group by entity

),

coverage as (

    select
        domains.entity,
        domains.is_delivered,
        cast(coalesce(lines.lines_count, 0) as bigint) as lines_count,
        cast(coalesce(lines.accepted_lines_count, 0) as bigint)
            as accepted_lines_count,
        cast(coalesce(lines.excluded_lines_count, 0) as bigint)
            as excluded_lines_count,
        cast(coalesce(lines.refused_lines_count, 0) as bigint) as refused_lines_count,
        case
            when lines.accepted_lines_count > 0 then nullif(domains.empty_columns, '')
        end as empty_columns,
        domains.absence_costs

    from domains

    left join lines
        on domains.entity = lines.entity

)

select * from coverage
