-- Grain: one row per customer known by then and as_of_date.
-- Which messages a customer got and what came of them, as known at the end of
-- as_of_date. `recent_touches` and the steps to `touched_so_far` are where the clock is
-- drawn. The control group got nothing: a touch of it is no message.

{{ config(
    materialized='incremental',
    pre_hook={'sql': "{{ forget_dates() }}", 'transaction': false},
) }}

{%- set windows = [
    {
        'name': 'touches_count', 'operation': 'count', 'where': 'is_sent',
        'windows': [30, 90],
    },
    {
        'name': 'opened_count', 'operation': 'count', 'where': 'is_sent and is_opened',
        'windows': [90],
    },
    {
        'name': 'clicked_count', 'operation': 'count', 'where': 'is_sent and is_clicked',
        'windows': [90],
    },
    {
        'name': 'redeemed_count', 'operation': 'count',
        'where': 'is_sent and is_redeemed', 'windows': [90],
    },
    {
        'name': 'offers_count', 'operation': 'count', 'where': 'is_sent and is_offer',
        'windows': [30],
    },
    {
        'name': 'withheld_count', 'operation': 'count', 'where': 'not is_sent',
        'windows': [90],
    },
] %}

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

touches as (

    select * from {{ ref('int_touch_versions') }}

),

recent_touches as (

    select
        touches.customer_id,
        as_of_days.as_of_date,
        as_of_days.days_before,
        touches.is_sent,
        touches.is_offer,
        {{ is_past('touches.opened_date', 'as_of_days.as_of_date') }} as is_opened,
        {{ is_past('touches.clicked_date', 'as_of_days.as_of_date') }} as is_clicked,
        {{ is_past('touches.redeemed_date', 'as_of_days.as_of_date') }} as is_redeemed

    from touches

    inner join as_of_days
        on touches.sent_date = as_of_days.activity_date
        and as_of_days.days_before < 90
        and {{ is_known(
            'touches.from_date', 'touches.superseded_date', 'as_of_days.as_of_date'
        ) }}

),

recent as (

    select
        customer_id,
        as_of_date,
        {{ window_features(windows) }}

    from recent_touches

    group by customer_id, as_of_date

),

-- A message tells of two days: from its own on that it was sent, and from the day on
-- which it was opened that it was. For figures of a whole life what stays is counted
-- once, at the first date that knows it, and handed on to the dates after that.
told as (

    select
        customer_id,
        from_date as known_date,
        superseded_date,
        sent_date,
        cast(null as date) as opened_date

    from touches

    where is_sent

    union all

    select
        customer_id,
        greatest(from_date, opened_date) as known_date,
        superseded_date,
        cast(null as date) as sent_date,
        opened_date

    from touches

    where is_sent and opened_date is not null

),

first_dates as (

    select
        activity_date as known_date,
        min(as_of_date) as as_of_date

    from as_of_days

    group by activity_date

),

told_for_good as (

    select
        told.customer_id,
        first_dates.as_of_date,
        count(told.sent_date) as touches_count,
        count(told.opened_date) as opened_count,
        max(told.sent_date) as last_sent_date,
        max(told.opened_date) as last_opened_date

    from told

    inner join first_dates
        on told.known_date = first_dates.known_date

    where told.superseded_date is null

    group by told.customer_id, first_dates.as_of_date

),

told_for_a_time as (

    select
        told.customer_id,
        dates.as_of_date,
        count(told.sent_date) as touches_count,
        count(told.opened_date) as opened_count,
        max(told.sent_date) as last_sent_date,
        max(told.opened_date) as last_opened_date

    from (select distinct as_of_date from as_of_days) as dates

    inner join told
        on {{ is_known('told.known_date', 'told.superseded_date', 'dates.as_of_date') }}

    where told.superseded_date is not null

    group by told.customer_id, dates.as_of_date

),

touched_so_far as (

    select
        customers.customer_id,
        customers.as_of_date,
        customers.feature_set_version,
        {% for count in ['touches_count', 'opened_count'] -%}
            cast(coalesce(
                sum(for_good.{{ count }}) over life + for_a_time.{{ count }},
                sum(for_good.{{ count }}) over life,
                for_a_time.{{ count }}
            ) as bigint) as {{ count }},
        {% endfor -%}
        greatest(
            max(for_good.last_sent_date) over life, for_a_time.last_sent_date
        ) as last_sent_date,
        greatest(
            max(for_good.last_opened_date) over life, for_a_time.last_opened_date
        ) as last_opened_date

    from customers

    left join told_for_good as for_good
        on customers.customer_id = for_good.customer_id
        and customers.as_of_date = for_good.as_of_date

    left join told_for_a_time as for_a_time
        on customers.customer_id = for_a_time.customer_id
        and customers.as_of_date = for_a_time.as_of_date

    window life as (
        partition by customers.customer_id
        order by customers.as_of_date asc
        rows between unbounded preceding and current row
    )

),

features as (

    select
        -- keys
        touched.customer_id,
        touched.as_of_date,
        touched.feature_set_version,

        -- how many messages, and how lately
        {{ or_none('touched.touches_count', 'touches') }} as touches_count,
        {{ or_none('recent.touches_count_30d', 'touches') }} as touches_count_30d,
        {{ or_none('recent.touches_count_90d', 'touches') }} as touches_count_90d,
        {{ or_none('recent.offers_count_30d', 'touches') }} as offers_count_30d,
        {{ days_between('touched.last_sent_date', 'touched.as_of_date') }}
            as days_since_last_touch,
        {{ or_none('recent.withheld_count_90d', 'touches') }} > 0
            as is_in_control_group_90d,

        -- what came of them
        {{ ratio('touched.opened_count', 'touched.touches_count') }} as open_rate,
        {{ ratio('recent.opened_count_90d', 'recent.touches_count_90d') }}
            as open_rate_90d,
        {{ ratio('recent.clicked_count_90d', 'recent.touches_count_90d') }}
            as click_rate_90d,
        {{ ratio('recent.redeemed_count_90d', 'recent.touches_count_90d') }}
            as redemption_rate_90d,
        {{ days_between('touched.last_opened_date', 'touched.as_of_date') }}
            as days_since_last_open

    from touched_so_far as touched

    left join recent
        on touched.customer_id = recent.customer_id
        and touched.as_of_date = recent.as_of_date

)

select * from features
