-- Grain: one row per column that came, went or changed its type between two files.
-- A new column does no harm: it is not read until the source declares it.

{{ config(materialized='view') }}

with

files as (

    select
        reading_id,
        source_table,
        source_file,
        file_format,
        first_read_date,
        cast(cast(header as json) as varchar[]) as names,
        cast(cast(column_types as json) as varchar[]) as types

    from {{ ref('files_read') }}

    where
        file_status in ('new', 'replaced')
        and file_format in ('csv', 'json_lines', 'parquet')

),

neighbours as (

    select
        *,
        lag(names) over earlier as names_before,
        lag(types) over earlier as types_before

    from files

    window earlier as (partition by source_table order by reading_id)

),

came as (

    select
        reading_id,
        source_table,
        source_file,
        first_read_date,
        unnest(list_filter(names, lambda name: not list_contains(names_before, name)))
            as column_name,
        'new_column' as change

    from neighbours

    where names_before is not null

),

went as (

    select
        reading_id,
        source_table,
        source_file,
        first_read_date,
        unnest(list_filter(names_before, lambda name: not list_contains(names, name)))
            as column_name,
        'lost_column' as change

    from neighbours

    where names_before is not null

),

typed as (

    select
        reading_id,
        source_table,
        source_file,
        first_read_date,
        unnest(list_filter(
            names,
            lambda name: types[list_position(names, name)]
            <> types_before[list_position(names_before, name)]
        )) as column_name,
        'changed_type' as change

    from neighbours

    where names_before is not null and file_format = 'parquet'

),

changes as (

    select * from came

    union all

    select * from went

    union all

    select * from typed

)

select * from changes
