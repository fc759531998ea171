-- Grain: one row per customer known by then and as_of_date.
-- What a customer was subscribed to, for how much and until when, and whether payments
-- failed, as known at the end of as_of_date. `known_periods`, `recent_changes` and
-- `failed_days` are where the clock is drawn: no later line sees a future.

{{ config(
    materialized='incremental',
    pre_hook={'sql': "{{ forget_dates() }}", 'transaction': false},
) }}

{%- set changes = [
    {
        'name': 'mrr_change', 'operation': 'sum', 'measure': 'mrr_change',
        'type': money(), 'windows': [90],
    },
    {
        'name': 'upgrades_count', 'operation': 'count', 'where': 'is_upgrade',
        'windows': [365],
    },
    {
        'name': 'downgrades_count', 'operation': 'count', 'where': 'is_downgrade',
        'windows': [365],
    },
] %}
{%- set failures = [
    {
        'name': 'failed_payments_count', 'operation': 'sum',
        'measure': 'failed_payments_count', 'windows': [30, 90],
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

-- which plan speaks for a customer who has several: the dearest, then the first by id
periods as (

    select
        *,
        row_number() over (
            order by mrr desc nulls last, subscription_id asc
        ) as place

    from {{ ref('int_subscription_periods') }}

),

known_periods as (

    select
        periods.customer_id,
        dates.as_of_date,
        periods.place,
        periods.plan,
        periods.mrr,
        periods.discount_amount,
        periods.started_date,
        periods.contract_ends_date,
        {{ is_known('periods.from_date', 'periods.to_date', 'dates.as_of_date') }}
            as is_live

    from (select distinct as_of_date from as_of_days) as dates

    inner join periods
        on {{ is_known(
            'periods.from_date', 'periods.superseded_date', 'dates.as_of_date'
        ) }}

),

subscriptions as (

    select
        customer_id,
        as_of_date,
        count(*) as periods_count,
        min(started_date) as first_started_date,
        count(*) filter (where is_live) as live_periods_count,
        min_by(plan, place) filter (where is_live) as plan,
        cast(sum(mrr) filter (where is_live) as {{ money() }}) as mrr,
        sum(discount_amount) filter (where is_live) as discount_amount,
        max(contract_ends_date) filter (where is_live) as contract_ends_date

    from known_periods

    group by customer_id, as_of_date

),

recent_changes as (

    select
        mrr_changes.customer_id,
        as_of_days.as_of_date,
        as_of_days.days_before,
        mrr_changes.mrr_change,
        mrr_changes.subscriptions_count > 0
        and mrr_changes.subscriptions_count_before > 0
        and mrr_changes.mrr_change > 0 as is_upgrade,
        mrr_changes.subscriptions_count > 0
        and mrr_changes.subscriptions_count_before > 0
        and mrr_changes.mrr_change < 0 as is_downgrade

    from {{ ref('int_mrr_changes') }} as mrr_changes

    inner join as_of_days
        on mrr_changes.activity_date = as_of_days.activity_date
        and as_of_days.days_before < 365

),

recent as (

    select
        customer_id,
        as_of_date,
        {{ window_features(changes) }}

    from recent_changes

    group by customer_id, as_of_date

),

failed_days as (

    select
        days.customer_id,
        as_of_days.as_of_date,
        as_of_days.days_before,
        days.failed_payments_count

    from {{ ref('int_order_days') }} as days

    inner join as_of_days
        on days.activity_date = as_of_days.activity_date
        and {{ is_known(
            'days.known_date', 'days.told_again_date', 'as_of_days.as_of_date'
        ) }}

    where days.failed_payments_count > 0

),

failed as (

    select
        customer_id,
        as_of_date,
        min(days_before) as days_since_last_failed_payment,
        {{ window_features(failures) }}

    from failed_days

    group by customer_id, as_of_date

),

features as (

    select
        -- keys
        customers.customer_id,
        customers.as_of_date,
        customers.feature_set_version,

        -- what is subscribed to
        {{ or_none('subscriptions.live_periods_count', 'subscriptions') }} > 0
            as is_subscribed,
        subscriptions.plan,
        case
            when subscriptions.live_periods_count > 0 then subscriptions.mrr
            else {{ or_none('null', 'subscriptions') }}
        end as mrr,
        {{ ratio('subscriptions.discount_amount', 'subscriptions.mrr') }}
            as discount_share,

        -- since when and until when
        {{ or_none('subscriptions.periods_count', 'subscriptions') }} as periods_count,
        {{ days_between('subscriptions.first_started_date', 'customers.as_of_date') }}
            as subscription_tenure_days,
        {{ days_between('customers.as_of_date', 'subscriptions.contract_ends_date') }}
            as days_to_contract_end,
        -- on its last day a contract is over
        {{ or_none(
            days_between('customers.as_of_date', 'subscriptions.contract_ends_date'),
            'subscriptions'
        ) }} > 0 as has_contract,

        -- how it changed
        {{ or_none('recent.mrr_change_90d', 'subscriptions') }} as mrr_change_90d,
        {{ or_none('recent.upgrades_count_365d', 'subscriptions') }}
            as upgrades_count_365d,
        {{ or_none('recent.downgrades_count_365d', 'subscriptions') }}
            as downgrades_count_365d,

        -- payments that did not go through
        {{ or_none('failed.failed_payments_count_30d', 'orders') }}
            as failed_payments_count_30d,
        {{ or_none('failed.failed_payments_count_90d', 'orders') }}
            as failed_payments_count_90d,
        failed.days_since_last_failed_payment

    from customers

    left join subscriptions
        on customers.customer_id = subscriptions.customer_id
        and customers.as_of_date = subscriptions.as_of_date

    left join recent
        on customers.customer_id = recent.customer_id
        and customers.as_of_date = recent.as_of_date

    left join failed
        on customers.customer_id = failed.customer_id
        and customers.as_of_date = failed.as_of_date

)

select * from features
