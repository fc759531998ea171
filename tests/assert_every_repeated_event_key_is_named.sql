-- A row here tells that an event may be accepted twice: the lines that were counted are
-- not those that are stored; or there are more of them than keys, and the repeated keys
-- that were named do not account for all of the difference.

with

named as (

    select
        count(*) as rows_count,
        count(distinct checked.event_key) as keys_count

    from {{ ref('int_checked_events') }} as checked

    where
        checked.verdict is null
        and checked.event_key in (
            select event_key

            from {{ ref('int_repeated_event_keys') }}

            where event_key is not null
        )

),

counted as (

    select
        coalesce(sum(rows_count), 0) as rows_count,
        coalesce(sum(keys_count), 0) as keys_count

    from {{ ref('int_event_key_counts') }}

),

stored as (

    select count(*) as rows_count

    from {{ ref('int_checked_events') }}

    where verdict is null

),

compared as (

    select
        counted.rows_count as counted_rows_count,
        stored.rows_count as stored_rows_count,
        counted.rows_count - counted.keys_count as surplus_count,
        named.rows_count - named.keys_count as named_surplus_count

    from counted

    cross join stored

    cross join named

)

select *

from compared

where
    counted_rows_count <> stored_rows_count
    or surplus_count <> named_surplus_count
