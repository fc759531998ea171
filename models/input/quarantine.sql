-- Grain: one row per refused row of the source.
-- Nothing is lost: the line stands here as it came, with the reason.

with

checked_orders as (

    select * from {{ ref('int_checked_orders') }}

),

refused as (

    select
        'orders' as entity,
        source_file,
        source_line,
        reject_reason,
        source_text

    from checked_orders

    where reject_reason is not null

)

select * from refused
