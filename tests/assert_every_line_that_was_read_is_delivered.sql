-- A row here is a file of which the connector lost or doubled lines between the reading
-- and the checks. A file may serve several domains, and one of them gets every line.

with

files as (

    select
        source_file,
        max(lines_count) as lines_count

    from {{ ref('int_current_files') }}

    group by source_file

    -- two raw tables can have a file of the same name
    having count(*) = 1

),

delivered as (

    select
        source_file,
        max(lines_count) as lines_count

    from {{ ref('input_files') }}

    group by source_file

)

select
    files.source_file,
    files.lines_count,
    delivered.lines_count as delivered_lines_count

from files

inner join delivered
    on files.source_file = delivered.source_file

where delivered.lines_count <> files.lines_count
