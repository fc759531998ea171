-- A row here is a session of which several customers have accepted events: ids of
-- sessions come again, or somebody else signed in. What this run read is looked at,
-- beyond two million events only a share of the sessions.

{{ config(severity='warn') }}

with

-- files that this run read first; of a table each run reads all rows
new_readings as (

    select reading_id

    from {{ ref('files_read') }}

    where {{ is_new_reading() }}

)

select
    session_key,
    count(*) as events_count,
    count(distinct customer_key) as customers_count

from {{ ref('int_checked_events') }}

where
    session_key is not null
    and verdict is null
    and (
        reading_id is null
        or reading_id in (select reading_id from new_readings)
    )

group by session_key

having min(customer_key) <> max(customer_key)
