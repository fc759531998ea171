-- Grain: one row per customer, as_of_date and horizon_days, for every customer who had
-- ever done what the connector's churn_definition is about.
-- Whether the customer left within the window, why the label is what it is, and whether
-- there was anybody to lose. A window that is not over yet is NULL, never false.

{% set definition = setting('churn_definition') %}
{% set entities = setting('entities') %}

with

-- a domain that is not delivered cannot be silent
definition as (

    select
        {{ (definition in ['no_order', 'either'] and 'orders' in entities) | lower }}
            as counts_orders,
        {{ (definition in ['no_use', 'either'] and 'events' in entities) | lower }}
            as counts_use,
        {{ (definition in ['subscription_ended', 'either']) | lower }}
            as counts_subscriptions

),

windows as (

    select
        as_of_date,
        horizon_days,
        last_date,
        is_over

    from {{ ref('int_windows') }}

),

as_of_dates as (

    select distinct as_of_date from windows

),

histories as (

    select
        store.customer_id,
        store.as_of_date,
        definition.counts_orders,
        definition.counts_use,
        definition.counts_orders or definition.counts_use as counts_activity,
        least(
            case when definition.counts_orders then store.days_since_last_order end,
            case when definition.counts_use then store.days_since_last_use end
        ) as days_since_activity,
        definition.counts_subscriptions
        and coalesce(store.is_subscribed, false) as is_subscribed,
        definition.counts_subscriptions
        and coalesce(store.periods_count, 0) > 0 as has_subscribed

    from {{ ref('feature_store') }} as store

    cross join definition

),

customers as (

    select * from histories

    where days_since_activity is not null or has_subscribed

),

-- the first day after the as_of_date, of each kind
coming_days as (

    select
        active_days.customer_id,
        as_of_dates.as_of_date,
        min(active_days.activity_date) filter (
            where active_days.activity_kind = 'ordered'
        ) as next_order_date,
        min(active_days.activity_date) filter (
            where active_days.activity_kind = 'used'
        ) as next_use_date

    from {{ ref('int_active_days') }} as active_days

    inner join as_of_dates
        on not {{ is_past('active_days.activity_date', 'as_of_dates.as_of_date') }}
        and (
            active_days.previous_date is null
            or {{ is_past('active_days.previous_date', 'as_of_dates.as_of_date') }}
        )

    group by active_days.customer_id, as_of_dates.as_of_date

),

-- who changes plan is subscribed all along: one period ends on the day on which the
-- next one starts
subscribed_after as (

    select distinct
        lives.customer_id,
        windows.as_of_date,
        windows.horizon_days

    from windows

    inner join {{ ref('int_subscription_lives') }} as lives
        on {{ is_past('lives.started_date', 'windows.last_date') }}
        and (
            lives.ended_date is null
            or not {{ is_past('lives.ended_date', 'windows.last_date') }}
        )

),

ends as (

    select
        customer_id,
        ended_date,
        leaving_kind,
        lead(ended_date) over (
            partition by customer_id
            order by ended_date asc, subscription_id asc
        ) as next_ended_date

    from {{ ref('int_subscription_lives') }}

    where ended_date is not null

),

last_ends as (

    select
        ends.customer_id,
        windows.as_of_date,
        windows.horizon_days,
        ends.leaving_kind

    from windows

    inner join ends
        on {{ is_past('ends.ended_date', 'windows.last_date') }}
        and (
            ends.next_ended_date is null
            or not {{ is_past('ends.next_ended_date', 'windows.last_date') }}
        )

),

followed as (

    select
        customers.*,
        windows.horizon_days,
        windows.is_over,
        customers.counts_orders
        and coalesce({{ is_future(
            'coming_days.next_order_date',
            'windows.as_of_date',
            'windows.horizon_days'
        ) }}, false) as has_ordered,
        customers.counts_use
        and coalesce({{ is_future(
            'coming_days.next_use_date', 'windows.as_of_date', 'windows.horizon_days'
        ) }}, false) as has_used,
        customers.is_subscribed
        and subscribed_after.customer_id is null as has_ended,
        coalesce(last_ends.leaving_kind, 'unknown') as leaving_kind

    from customers

    inner join windows
        on customers.as_of_date = windows.as_of_date

    left join coming_days
        on customers.customer_id = coming_days.customer_id
        and customers.as_of_date = coming_days.as_of_date

    left join subscribed_after
        on customers.customer_id = subscribed_after.customer_id
        and windows.as_of_date = subscribed_after.as_of_date
        and windows.horizon_days = subscribed_after.horizon_days

    left join last_ends
        on customers.customer_id = last_ends.customer_id
        and windows.as_of_date = last_ends.as_of_date
        and windows.horizon_days = last_ends.horizon_days

),

reasoned as (

    select
        *,
        case
            when not counts_activity and not is_subscribed then 'not_subscribed'
            when not is_over then 'window_not_over'
            when has_ended then 'subscription_ended'
            when has_ordered then 'ordered'
            when has_used then 'used'
            when not counts_activity then 'still_subscribed'
            when not counts_use then 'no_order'
            when not counts_orders then 'no_use'
            else 'no_order_nor_use'
        end as label_reason,
        case
            when is_subscribed then 'subscribed'
            when not counts_activity then 'not_subscribed'
            when days_since_activity <= {{ setting('hiatus_days') }}
                then 'active_lately'
            else 'lapsed'
        end as scope_reason

    from followed

),

labelled as (

    select
        customer_id,
        as_of_date,
        horizon_days,
        case
            when label_reason in ('ordered', 'used', 'still_subscribed') then false
            when label_reason not in ('window_not_over', 'not_subscribed') then true
        end as is_churned,
        case
            when label_reason = 'subscription_ended' then leaving_kind
            when label_reason in ('no_order', 'no_use', 'no_order_nor_use')
                then 'inactivity'
        end as churn_kind,
        label_reason,
        scope_reason in ('subscribed', 'active_lately') as is_in_scope,
        scope_reason

    from reasoned

)

select * from labelled
