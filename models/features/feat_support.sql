-- Grain: one row per customer known by then and as_of_date.
-- How often a customer asked for help, how long it took and how satisfied they were, as
-- known at the end of as_of_date. `recent_tickets` and `standing_tickets` are where the
-- clock is drawn: what was filled in later counts from its own day.

{{ config(
    materialized='incremental',
    pre_hook={'sql': "{{ forget_dates() }}", 'transaction': false},
) }}

{%- set windows = [
    {
        'name': 'tickets_count', 'operation': 'count',
        'windows': [30, 90], 'before': [30],
    },
    {
        'name': 'answered_tickets_count', 'operation': 'count',
        'where': 'is_answered', 'windows': [90],
    },
    {
        'name': 'response_seconds', 'operation': 'sum', 'measure': 'response_seconds',
        'where': 'is_answered', 'windows': [90],
    },
    {
        'name': 'resolved_tickets_count', 'operation': 'count',
        'where': 'is_resolved', 'windows': [90],
    },
    {
        'name': 'resolution_seconds', 'operation': 'sum',
        'measure': 'resolution_seconds', 'where': 'is_resolved', 'windows': [90],
    },
    {
        'name': 'rated_tickets_count', 'operation': 'count',
        'where': 'is_rated', 'windows': [90, 365], 'before': [90],
    },
    {
        'name': 'csat_sum', 'operation': 'sum', 'measure': 'csat',
        'type': money(), 'where': 'is_rated', 'windows': [90, 365], 'before': [90],
    },
] %}
{#- one fraction, so that it is rounded once -#}
{%- set csat_change = 'recent.csat_sum_90d * recent.rated_tickets_count_90d_before'
    ~ ' - recent.csat_sum_90d_before * recent.rated_tickets_count_90d' %}
{%- set ratings = 'recent.rated_tickets_count_90d'
    ~ ' * recent.rated_tickets_count_90d_before' %}

with

customers as (

    select
        customer_id,
        as_of_date,
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

tickets as (

    select * from {{ ref('int_ticket_versions') }}

),

recent_tickets as (

    select
        tickets.customer_id,
        as_of_days.as_of_date,
        as_of_days.days_before,
        tickets.response_seconds,
        tickets.resolution_seconds,
        tickets.csat,
        {{ is_past('tickets.answered_date', 'as_of_days.as_of_date') }} as is_answered,
        {{ is_past('tickets.resolved_date', 'as_of_days.as_of_date') }} as is_resolved,
        {{ is_past('tickets.rated_date', 'as_of_days.as_of_date') }} as is_rated

    from tickets

    inner join as_of_days
        on tickets.opened_date = as_of_days.activity_date
        and as_of_days.days_before < 365
        and {{ is_known(
            'tickets.from_date', 'tickets.superseded_date', 'as_of_days.as_of_date'
        ) }}

),

recent as (

    select
        customer_id,
        as_of_date,
        {{ window_features(windows) }}

    from recent_tickets

    group by customer_id, as_of_date

),

-- A version that stays makes an earlier ticket of the customer the last one no more: of
-- all tickets few have anything to tell of a date.
followed as (

    select
        *,
        min(from_date) filter (where superseded_date is null) over (
            partition by customer_id
            order by place asc
            rows between 1 following and unbounded following
        ) as followed_date

    from tickets

),

standing_tickets as (

    select
        followed.customer_id,
        dates.as_of_date,
        followed.place,
        followed.opened_date,
        followed.category,
        followed.resolved_date is null
        or not {{ is_past('followed.resolved_date', 'dates.as_of_date') }} as is_open

    from (select distinct as_of_date from as_of_days) as dates

    inner join followed
        on {{ is_known(
            'followed.from_date', 'followed.superseded_date', 'dates.as_of_date'
        ) }}
        and (
            {{ is_known(
                'followed.from_date', 'followed.followed_date', 'dates.as_of_date'
            ) }}
            or {{ is_known(
                'followed.from_date', 'followed.resolved_date', 'dates.as_of_date'
            ) }}
        )

),

standing as (

    select
        customer_id,
        as_of_date,
        count(*) filter (where is_open) as open_tickets_count,
        max(opened_date) as last_ticket_date,
        -- also where the last one has no category, it is that of no earlier one
        nullif(max_by(coalesce(category, ''), place), '') as last_ticket_category

    from standing_tickets

    group by customer_id, as_of_date

),

features as (

    select
        -- keys
        customers.customer_id,
        customers.as_of_date,
        customers.feature_set_version,

        -- how often and how lately
        {{ or_none('recent.tickets_count_30d', 'tickets') }}
            as tickets_count_30d,
        {{ or_none('recent.tickets_count_90d', 'tickets') }}
            as tickets_count_90d,
        {{ or_none('recent.tickets_count_30d_before', 'tickets') }}
            as tickets_count_30d_before,
        {{ or_none('standing.open_tickets_count', 'tickets') }} as open_tickets_count,
        standing.last_ticket_category,
        {{ days_between('standing.last_ticket_date', 'customers.as_of_date') }}
            as days_since_last_ticket,

        -- how long it took
        {{ ratio(
            'recent.response_seconds_90d', 'recent.answered_tickets_count_90d * 3600'
        ) }} as first_response_hours_90d,
        {{ ratio(
            'recent.resolution_seconds_90d', 'recent.resolved_tickets_count_90d * 3600'
        ) }} as resolution_hours_90d,

        -- how satisfied
        {{ or_none('recent.rated_tickets_count_90d', 'tickets') }}
            as rated_tickets_count_90d,
        {{ ratio('recent.csat_sum_90d', 'recent.rated_tickets_count_90d') }}
            as csat_mean_90d,
        {{ ratio('recent.csat_sum_365d', 'recent.rated_tickets_count_365d') }}
            as csat_mean_365d,
        {{ ratio(csat_change, ratings) }} as csat_trend

    from customers

    left join recent
        on customers.customer_id = recent.customer_id
        and customers.as_of_date = recent.as_of_date

    left join standing
        on customers.customer_id = standing.customer_id
        and customers.as_of_date = standing.as_of_date

)

select * from features
