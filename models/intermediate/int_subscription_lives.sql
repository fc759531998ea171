-- Grain: one row per subscription that had begun by the score date.
-- From when to when it was live, as told last by the score date. It looks ahead, so
-- outcomes read it and features never do.

with

clock as (

    select score_date from {{ ref('int_score_date') }}

),

subscriptions as (

    select
        customer_id,
        subscription_id,
        known_date,
        superseded_date,
        {{ business_day('started_at') }} as started_date,
        {{ business_day('ended_at') }} as ended_date,
        is_voluntary

    from {{ ref('input_subscriptions') }}

),

lives as (

    select
        subscriptions.customer_id,
        subscriptions.subscription_id,
        subscriptions.started_date,
        subscriptions.ended_date,
        case
            when subscriptions.is_voluntary then 'voluntary'
            when not subscriptions.is_voluntary then 'involuntary'
            else 'unknown'
        end as leaving_kind

    from subscriptions

    inner join clock
        on {{ is_known(
            'subscriptions.known_date',
            'subscriptions.superseded_date',
            'clock.score_date'
        ) }}
        and {{ is_past('subscriptions.started_date', 'clock.score_date') }}

)

select * from lives
