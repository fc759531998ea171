-- Grain: one row per customer, day and day on which what is known of it changed.
-- Events become days in one pass over the files, and only days of which more was told
-- are counted anew. A day is described as it was known from known_date until
-- told_again_date. A session is counted on each day on which it was used.

-- depends_on: {{ ref('module_weights') }}, {{ ref('key_actions') }}, {{ ref('int_modules') }}

{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook="{{ forget_days() }}"
) }}

{%- set states = ref('int_event_day_states') %}
{%- set modules = module_places() %}

with

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
                customer_id,
                {{ business_day('occurred_at') }} as activity_date,
                greatest(known_date, {{ business_day('occurred_at') }}) as known_date,
                superseded_date,
                case when session_id is not null then hash(session_id) end
                    as session_key,
                duration_seconds,
                case when module in {{ literals(core_modules()) }} then duration_seconds end
                    as core_seconds,
                {{ module_bit(modules) }} as module_bit,
                event_name in {{ literals(key_actions()) }} as is_key_action

            from {{ ref('input_events') }}

            {% if batch.paths -%}
                where
                    file_path in {{ literals(batch.paths) }}
                    and {{ business_day('occurred_at') }}
                        between {{ date_literal(batch.first_date) }}
                        and {{ date_literal(batch.last_date) }}
            {%- endif %}
            {% if not batch.is_whole -%}
                {{ 'and' if batch.paths else 'where' }}
                    {{ business_day('occurred_at') }}
                    in (select activity_date from new_days)
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
                session_key

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
                count(sessions.session_key) as sessions_count,
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

        told_then as (

            select
                validities.customer_id,
                validities.activity_date,
                validities.known_date,
                sum(late.events_count) as events_count,
                count(distinct late.session_key) as sessions_count,
                sum(late.active_seconds) as active_seconds,
                sum(late.core_seconds) as core_seconds,
                bit_or(late.modules) as modules,
                sum(late.key_actions_count) as key_actions_count

            from validities

            inner join late
                on validities.customer_id = late.customer_id
                and validities.activity_date = late.activity_date
                and {{ is_known(
                    'late.known_date', 'late.superseded_date', 'validities.known_date'
                ) }}

            group by
                validities.customer_id,
                validities.activity_date,
                validities.known_date

        ),

        told_later as (

            select
                validities.customer_id,
                validities.activity_date,
                validities.known_date,
                validities.told_again_date,
                told_then.* exclude (customer_id, activity_date, known_date)

            from validities

            -- nothing is left of a day that was taken back whole
            left join told_then
                on validities.customer_id = told_then.customer_id
                and validities.activity_date = told_then.activity_date
                and validities.known_date = told_then.known_date

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
        cast(coalesce(usage.sessions_count, 0) as bigint) as sessions_count,
        cast(coalesce(usage.active_seconds, 0) as bigint) as active_seconds,
        cast(coalesce(usage.core_seconds, 0) as bigint) as core_seconds,
        cast(coalesce(usage.modules, 0) as ubigint) as modules,
        cast(coalesce(usage.key_actions_count, 0) as bigint) as key_actions_count,
        new_days.day_state

    from usage

    inner join new_days
        on usage.activity_date = new_days.activity_date

)

select * from usage_days
