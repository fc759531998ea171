-- A row here is a file of which lines were lost or doubled on the way: what was read
-- is not what was accepted and what was refused, together.

with

lines as (

    select
        source_file,
        count(*) as lines_count

    from {{ ref('int_delivered_orders') }}

    group by source_file

),

used as (

    select
        source_file,
        source_line
    from {{ ref('input_orders') }}

    union all

    select
        source_file,
        source_line
    from {{ ref('quarantine') }}

),

used_lines as (

    select
        source_file,
        count(*) as lines_count

    from used

    group by source_file

)

select
    lines.source_file,
    lines.lines_count,
    used_lines.lines_count as used_lines_count

from lines

left join used_lines
    on lines.source_file = used_lines.source_file

where lines.lines_count is distinct from used_lines.lines_count
