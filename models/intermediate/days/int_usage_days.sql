-- Grain: one row per customer, day and day on which what is known of it changed.
-- Events become days in one pass over the files, and only days of which more was told
-- are counted anew. A day is described as it was known from known_date until
-- told_again_date. A session is counted on each day on which it was used.

{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook="{{ forget_days() }}"
) }}

{%- set states = ref('int_event_day_states') %}
{%- set key_actions = listed(
    ref('key_actions'), 'select event_name from ' ~ ref('key_actions') ~ ' order by 1'
) %}

with

modules as (

    select
        modules.module,
        modules.place,
        coalesce(weights.is_core, false) as is_core

    from {{ ref('int_modules') }} as modules

    left join {{ ref('module_weights') }} as weights
        on modules.module = weights.module

),

-- days that are not in here yet, or were told anew since
new_days as (

    select
        activity_date,
        day_state

    from {{ states }}

    {% if is_incremental() -%}
        where activity_date not in (select activity_date from {{ this }})
    {%- endif %}

)

{#- A month after the other: the groups of a month fit the processor's cache. -#}
{% for batch in event_batches(states) %}
, batch_{{ loop.index }} as (

    select *
    from (
        with

        events as (

            select
                events.customer_id,
                new_days.activity_date,
                greatest(events.known_date, new_days.activity_date) as known_date,
                events.superseded_date,
                hash(events.session_id) as session_key,
                events.session_id is not null as has_session,
                events.duration_seconds,
                case
                    when modules.is_core then events.duration_seconds
                end as core_seconds,
                cast(1 as ubigint) << modules.place as module_bit,
                events.event_name in {{ literals(key_actions) }} as is_key_action

            from {{ ref('input_events') }} as events

            inner join new_days
                on {{ business_day('events.occurred_at') }} = new_days.activity_date

            left join modules
                on events.module = modules.module

            {% if batch.paths -%}
                where events.file_path in {{ literals(batch.paths) }}
                and {{ business_day('events.occurred_at') }}
                    between {{ date_literal(batch.first_date) }}
                    and {{ date_literal(batch.last_date) }}
            {%- endif %}

        ),

        -- sessions first: to count different ones takes six times as long
        sessions as materialized (

            select
                customer_id,
                activity_date,
                known_date,
                superseded_date,
                session_key,
                has_session,
                count(*) as events_count,
                sum(duration_seconds) as active_seconds,
                sum(core_seconds) as core_seconds,
                bit_or(module_bit) as modules,
                count(*) filter (where is_key_action) as key_actions_count

            from events

            group by
                customer_id,
                activity_date,
                known_date,
                superseded_date,
                session_key,
                has_session

        ),

        -- few days are told of twice, or later
        late_days as materialized (

            select distinct
                customer_id,
                activity_date

            from sessions

            where known_date > activity_date or superseded_date is not null

        ),

        told_at_once as (

            select
                sessions.customer_id,
                sessions.activity_date,
                sessions.activity_date as known_date,
                cast(null as date) as told_again_date,
                sum(sessions.events_count) as events_count,
                count(*) filter (where sessions.has_session) as sessions_count,
                sum(sessions.active_seconds) as active_seconds,
                sum(sessions.core_seconds) as core_seconds,
                bit_or(sessions.modules) as modules,
                sum(sessions.key_actions_count) as key_actions_count

            from sessions

            anti join late_days
                on sessions.customer_id = late_days.customer_id
                and sessions.activity_date = late_days.activity_date

            group by sessions.customer_id, sessions.activity_date

        ),

        late as (

            select sessions.*

            from sessions

            semi join late_days
                on sessions.customer_id = late_days.customer_id
                and sessions.activity_date = late_days.activity_date

        ),

        change_dates as (

            select
                customer_id,
                activity_date,
                known_date

            from late

            union

            select
                customer_id,
                activity_date,
                superseded_date as known_date

            from late

            where superseded_date is not null

        ),

        validities as (

            select
                *,
                lead(known_date) over (
                    partition by customer_id, activity_date
                    order by known_date asc
                ) as told_again_date

            from change_dates

        ),

        told_later as (

            select
                validities.customer_id,
                validities.activity_date,
                validities.known_date,
                validities.told_again_date,
                sum(late.events_count) as events_count,
                count(distinct case when late.has_session then late.session_key end)
                    as sessions_count,
                sum(late.active_seconds) as active_seconds,
                sum(late.core_seconds) as core_seconds,
                bit_or(late.modules) as modules,
                sum(late.key_actions_count) as key_actions_count

            from validities

            left join late
                on validities.customer_id = late.customer_id
                and validities.activity_date = late.activity_date
                and {{ is_known(
                    'late.known_date', 'late.superseded_date', 'validities.known_date'
                ) }}

            group by
                validities.customer_id,
                validities.activity_date,
                validities.known_date,
                validities.told_again_date

        )

        select * from told_at_once
        union all
        select * from told_later
    )

)
{%- endfor %}

, usage as (

    {% for batch in event_batches(states) -%}
        select * from batch_{{ loop.index }}
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

usage_days as (

    select
        usage.customer_id,
        usage.activity_date,
        usage.known_date,
        usage.told_again_date,
        cast(coalesce(usage.events_count, 0) as bigint) as events_count,
        cast(usage.sessions_count as bigint) as sessions_count,
        cast(coalesce(usage.active_seconds, 0) as bigint) as active_seconds,
        cast(coalesce(usage.core_seconds, 0) as bigint) as core_seconds,
        coalesce(usage.modules, 0) as modules,
        cast(coalesce(usage.key_actions_count, 0) as bigint) as key_actions_count,
        new_days.day_state

    from usage

    inner join new_days
        on usage.activity_date = new_days.activity_date

)

select * from usage_days
order by activity_date
