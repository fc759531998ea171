-- A row here is a sum that differs between the accepted events and the days of
-- customers: a part of the files was left out of the days, or counted twice.

with

files as (

    select coalesce(sum(rows_count), 0) as events_count

    from {{ ref('int_event_files') }}

),

-- refused, set aside, or replaced by a later version
left_out as (

    select count(*) as events_count

    from {{ ref('int_settled_events') }}

    where
        reject_reason is not null
        or exclude_reason is not null
        or superseded_date is not null

),

days as (

    select coalesce(sum(events_count), 0) as events_count

    from {{ ref('int_usage_days') }}

    where told_again_date is null

)

select
    files.events_count as delivered_events_count,
    left_out.events_count as left_out_events_count,
    days.events_count as counted_events_count

from files

cross join left_out

cross join days

where days.events_count <> files.events_count - left_out.events_count
