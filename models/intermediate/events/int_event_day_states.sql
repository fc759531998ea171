-- Grain: one row per day on which an event happened.
-- A hash of all that counting the day rests on: the files that tell of it, the lines
-- that were judged by themselves, and what counts as core and as a key action. A day
-- whose hash stays need not be counted again.

with

rules as (

    select
        hash(
            '{{ setting("business_time_zone") }}',
            (
                select string_agg(module || is_core, ',' order by module)
                from {{ ref('module_weights') }}
            ),
            (
                select string_agg(event_name, ',' order by event_name)
                from {{ ref('key_actions') }}
            )
        ) as state

),

files as (

    select
        activity_date,
        bit_xor(hash(reading_id, module, events_count, content)) as state

    from {{ ref('int_event_days') }}

    group by activity_date

),

settled as (

    select
        {{ business_day('occurred_at') }} as activity_date,
        bit_xor(
            hash(
                reading_id, source_line, content, reject_reason, exclude_reason,
                known_date, superseded_date
            )
        ) as state

    from {{ ref('int_settled_events') }}

    group by {{ business_day('occurred_at') }}

),

states as (

    select
        files.activity_date,
        hash(files.state, settled.state, rules.state) as day_state

    from files

    left join settled
        on files.activity_date = settled.activity_date

    cross join rules

)

select * from states
