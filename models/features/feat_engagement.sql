-- Grain: one row per customer known by then and as_of_date.
-- How much, how lately and how widely a customer used the product, as known at the end
-- of as_of_date. `recent_days` is where the clock is drawn: no later line sees a
-- future.

{{ config(
    materialized='incremental',
    pre_hook={'sql': "{{ forget_dates() }}", 'transaction': false},
) }}

{%- set windows = [
    {
        'name': 'sessions_count', 'operation': 'sum', 'measure': 'sessions_count',
        'windows': [7, 30, 90], 'before': [30],
    },
    {
        'name': 'events_count', 'operation': 'sum', 'measure': 'events_count',
        'windows': [7, 30, 90], 'before': [30],
    },
    {
        'name': 'active_days_count', 'operation': 'count',
        'windows': [7, 30, 90], 'before': [30],
    },
    {
        'name': 'active_seconds', 'operation': 'sum', 'measure': 'active_seconds',
        'windows': [30, 90],
    },
    {
        'name': 'core_seconds', 'operation': 'sum', 'measure': 'core_seconds',
        'windows': [30, 90],
    },
] %}
{%- set longest, activation = 90, 30 %}

with

customers as (

    select
        customer_id,
        as_of_date,
        signed_up_date,
        feature_set_version

    from {{ ref('feat_customers') }}

    where {{ is_new_date('as_of_date') }}

),

as_of_days as (

    select
        as_of_date,
        activity_date,
        days_before

    from {{ ref('int_as_of_days') }}

    where {{ is_new_date('as_of_date') }}

),

recent_days as (

    select
        days.customer_id,
        as_of_days.as_of_date,
        as_of_days.days_before,
        days.events_count,
        days.sessions_count,
        days.active_seconds,
        days.core_seconds,
        days.modules

    from {{ ref('int_usage_days') }} as days

    inner join as_of_days
        on days.activity_date = as_of_days.activity_date
        and as_of_days.days_before < {{ longest }}
        and {{ is_known(
            'days.known_date', 'days.told_again_date', 'as_of_days.as_of_date'
        ) }}

    where days.events_count > 0

),

recent as (

    select
        customer_id,
        as_of_date,
        bit_or(modules) as modules,
        {{ window_features(windows) }}

    from recent_days

    group by customer_id, as_of_date

),

-- days in a row that end with the as_of_date: only who was there on it has any
there_on_the_day as (

    select
        customer_id,
        as_of_date

    from recent_days

    where days_before = 0

),

days_in_a_row as (

    select
        recent_days.customer_id,
        recent_days.as_of_date,
        recent_days.days_before,
        row_number() over (
            partition by recent_days.customer_id, recent_days.as_of_date
            order by recent_days.days_before asc
        ) as active_days_count

    from recent_days

    semi join there_on_the_day
        on recent_days.customer_id = there_on_the_day.customer_id
        and recent_days.as_of_date = there_on_the_day.as_of_date

),

streaks as (

    select
        customer_id,
        as_of_date,
        count(*) as streak_days

    from days_in_a_row

    where active_days_count = days_before + 1

    group by customer_id, as_of_date

),

-- Adoption is the share of what the product has to offer, weighed, that the customer
-- used. It is worked out once for each set of modules.
module_sets as (

    select distinct modules as module_set

    from recent

),

total_weight as (

    select sum(weight) as weight

    from {{ ref('module_weights') }}

),

used_weights as (

    select
        module_sets.module_set,
        case
            when
                module_sets.module_set & (cast(1 as ubigint) << modules.place) > 0
                then weights.weight
            else 0
        end as weight

    from module_sets

    cross join {{ ref('int_modules') }} as modules

    inner join {{ ref('module_weights') }} as weights
        on modules.module = weights.module

),

adoption as (

    select
        used_weights.module_set,
        {{ ratio('sum(used_weights.weight)', 'total_weight.weight') }}
            as adoption_score

    from used_weights

    cross join total_weight

    group by used_weights.module_set, total_weight.weight

),

-- For figures of a whole life each day is counted once, at the first date that knows
-- it, and handed on to the dates after that. Days that were told anew later are few.
first_dates as (

    select
        activity_date as known_date,
        min(as_of_date) as as_of_date

    from as_of_days

    group by activity_date

),

usage_told_once as (

    select
        days.customer_id,
        first_dates.as_of_date,
        sum(days.sessions_count) as sessions_count,
        count(*) as active_days_count,
        min(days.activity_date) as first_use_date,
        max(days.activity_date) as last_use_date,
        min(days.activity_date) filter (where days.key_actions_count > 0)
            as first_key_action_date

    from {{ ref('int_usage_days') }} as days

    inner join first_dates
        on days.known_date = first_dates.known_date

    where days.events_count > 0 and days.told_again_date is null

    group by days.customer_id, first_dates.as_of_date

),

dates as (

    select distinct as_of_date

    from as_of_days

),

usage_told_again as (

    select
        days.customer_id,
        dates.as_of_date,
        sum(days.sessions_count) as sessions_count,
        count(*) as active_days_count,
        min(days.activity_date) as first_use_date,
        max(days.activity_date) as last_use_date,
        min(days.activity_date) filter (where days.key_actions_count > 0)
            as first_key_action_date

    from {{ ref('int_usage_days') }} as days

    inner join dates
        on {{ is_known('days.known_date', 'days.told_again_date', 'dates.as_of_date') }}

    where days.events_count > 0 and days.told_again_date is not null

    group by days.customer_id, dates.as_of_date

),

-- worked out first and alone: beside what is counted in windows it takes the memory of
-- both
usage_so_far as materialized (

    select
        customers.customer_id,
        customers.as_of_date,
        customers.signed_up_date,
        customers.feature_set_version,
        {% for count in ['sessions_count', 'active_days_count'] -%}
            cast(coalesce(
                sum(once.{{ count }}) over so_far + again.{{ count }},
                sum(once.{{ count }}) over so_far,
                again.{{ count }}
            ) as bigint) as {{ count }},
        {% endfor -%}
        least(
            min(once.first_use_date) over so_far, again.first_use_date
        ) as first_use_date,
        greatest(
            max(once.last_use_date) over so_far, again.last_use_date
        ) as last_use_date,
        least(
            min(once.first_key_action_date) over so_far, again.first_key_action_date
        ) as first_key_action_date

    from customers

    left join usage_told_once as once
        on customers.customer_id = once.customer_id
        and customers.as_of_date = once.as_of_date

    left join usage_told_again as again
        on customers.customer_id = again.customer_id
        and customers.as_of_date = again.as_of_date

    window so_far as (
        partition by customers.customer_id
        order by customers.as_of_date asc
        rows between unbounded preceding and current row
    )

),

-- What is usual for a customer is told by the whole life; who is new has lived through
-- a part of a window only.
lives as (

    select
        *,
        1 + {{ days_between('first_use_date', 'as_of_date') }} as days_so_far

    from usage_so_far

),

features as (

    select
        -- keys
        life.customer_id,
        life.as_of_date,
        life.feature_set_version,

        -- how lately, and since when
        life.first_use_date,
        {{ days_between('life.first_use_date', 'life.as_of_date') }}
            as days_since_first_use,
        life.last_use_date,
        {{ days_between('life.last_use_date', 'life.as_of_date') }}
            as days_since_last_use,
        {{ or_none('streaks.streak_days', 'events') }} as streak_days,

        -- how much
        {{ or_none('life.sessions_count', 'events') }} as sessions_count,
        {{ or_none('life.active_days_count', 'events') }} as active_days_count,
        {% for days in ['7d', '30d', '90d', '30d_before'] -%}
            {{ or_none('recent.sessions_count_' ~ days, 'events') }}
                as sessions_count_{{ days }},
            {{ or_none('recent.events_count_' ~ days, 'events') }}
                as events_count_{{ days }},
            {{ or_none('recent.active_days_count_' ~ days, 'events') }}
                as active_days_count_{{ days }},
        {% endfor -%}
        {{ velocity('recent.sessions_count_30d', 30, 'recent.sessions_count_90d', 90) }}
            as session_velocity,
        {{ ratio('30 * life.sessions_count', 'life.days_so_far') }}
            as usual_monthly_sessions,
        {% for days in [30, 90] -%}
            {{ velocity(
                or_none('recent.sessions_count_' ~ days ~ 'd', 'events'),
                'least(' ~ days ~ ', life.days_so_far)',
                'life.sessions_count',
                'life.days_so_far',
            ) }} as sessions_vs_usual_{{ days }}d,
        {% endfor -%}
        {{ ratio(or_none('recent.active_seconds_90d', 'events'), 60 * 90) }}
            as daily_active_minutes_90d,

        -- how widely
        {{ or_none('recent.core_seconds_30d', 'events') }} as core_seconds_30d,
        {{ or_none('recent.core_seconds_90d', 'events') }} as core_seconds_90d,
        {{ ratio('recent.core_seconds_90d', 'recent.active_seconds_90d') }}
            as core_share_90d,
        {{ or_none('cast(bit_count(recent.modules) as bigint)', 'events') }}
            as modules_count_90d,
        {{ or_none('adoption.adoption_score', 'events') }} as adoption_score_90d,

        -- whether the customer got going
        {{ days_between('life.signed_up_date', 'life.first_key_action_date') }}
            as days_to_first_key_action,
        case
            when
                {{ days_between('life.signed_up_date', 'life.first_key_action_date') }}
                <= {{ activation }}
                then true
            when
                {{ days_between('life.signed_up_date', 'life.as_of_date') }}
                >= {{ activation }}
                then {{ "false" if 'events' in setting('entities') else "null" }}
        end as is_activated_30d

    from lives as life

    left join recent
        on life.customer_id = recent.customer_id
        and life.as_of_date = recent.as_of_date

    left join streaks
        on life.customer_id = streaks.customer_id
        and life.as_of_date = streaks.as_of_date

    left join adoption
        on recent.modules = adoption.module_set

)

select * from features
