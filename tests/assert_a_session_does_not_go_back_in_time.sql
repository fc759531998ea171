-- A row here is an accepted event that lies before the one on the line above it, of the
-- same session and file: times were written wrongly, or lines shuffled. It stays
-- accepted. What this run read is looked at, beyond two million events only a share of
-- the sessions. Rows of a table are left out where nothing tells their order.

{{ config(severity='warn') }}

with

-- files that this run read first; of a table each run reads all rows
new_readings as (

    select reading_id

    from {{ ref('files_read') }}

    where {{ is_new_reading() }}

),

repeated_keys as (

    select event_key

    from {{ ref('int_repeated_event_keys') }}

    where event_key is not null

),

followed as (

    select
        reading_id,
        session_key,
        event_key,
        source_line,
        occurred_at,
        lag(occurred_at) over (
            partition by reading_id, session_key
            -- a line of text that all cores read has no number, but its place
            order by source_line asc, rowid asc
        ) as occurred_at_before

    from {{ ref('int_checked_events') }}

    where
        session_key is not null
        and verdict is null
        and event_key not in (select event_key from repeated_keys)
        and case
            when reading_id is null then source_line is not null
            when reading_id not in (select reading_id from new_readings) then false
            else
                source_line is not null
                or current_setting('preserve_insertion_order')
        end

)

select
    files.source_file,
    followed.source_line,
    followed.occurred_at,
    followed.occurred_at_before,
    followed.event_key

from followed

left join {{ ref('int_current_files') }} as files
    on followed.reading_id = files.reading_id

where followed.occurred_at < followed.occurred_at_before
