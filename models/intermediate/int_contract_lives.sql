-- Grain: one row per customer who had subscribed by the score date.
-- The first time that somebody was a subscriber, without a gap: for how many renewals,
-- and whether it ended. As told last by the score date, so that it looks ahead: fits of
-- the score date read it, and features never do.

with

clock as (

    select score_date from {{ ref('int_score_date') }}

),

subscriptions as (

    select
        lives.customer_id,
        lives.subscription_id,
        lives.started_date,
        -- an end that is only planned is none yet
        case
            when {{ is_past('lives.ended_date', 'clock.score_date') }}
                then lives.ended_date
        end as ended_date

    from {{ ref('int_subscription_lives') }} as lives

    cross join clock

),

-- what was agreed at first, by the first version that was told
agreed as (

    select
        subscription_id,
        arg_min_null(plan, (known_date, loaded_at)) as plan,
        arg_min_null(
            {{ business_day('contract_ends_at') }}, (known_date, loaded_at)
        ) as contract_ends_date

    from {{ ref('input_subscriptions') }}

    group by subscription_id

),

-- a subscription that begins after all before it have ended begins a life of its own
ordered as (

    select
        *,
        max(coalesce(ended_date, date '9999-12-31')) over earlier as covered_date

    from subscriptions

    window earlier as (
        partition by customer_id
        order by started_date asc, subscription_id asc
        rows between unbounded preceding and 1 preceding
    )

),

numbered as (

    select
        *,
        count(*) filter (where started_date > covered_date) over so_far
            as gaps_count

    from ordered

    window so_far as (
        partition by customer_id
        order by started_date asc, subscription_id asc
        rows between unbounded preceding and current row
    )

),

first_lives as (

    select
        customer_id,
        min(started_date) as started_date,
        max(coalesce(ended_date, date '9999-12-31')) as last_date,
        arg_min(subscription_id, (started_date, subscription_id)) as subscription_id

    from numbered

    where gaps_count = 0

    group by customer_id

),

lives as (

    select
        first_lives.customer_id,
        agreed.plan,
        first_lives.started_date,
        nullif(first_lives.last_date, date '9999-12-31') as ended_date,
        clock.score_date,
        case
            when agreed.contract_ends_date is null then 1
            else greatest({{ whole_months(
                'first_lives.started_date', 'agreed.contract_ends_date'
            ) }}, 1)
        end as period_months

    from first_lives

    cross join clock

    inner join agreed
        on first_lives.subscription_id = agreed.subscription_id

),

-- Who left within a period had paid for it, and was lost at the renewal that ends it.
dated as (

    select
        *,
        ended_date is not null as is_lost,
        case
            when ended_date is null then score_date
            else greatest({{ days_after('ended_date', -1) }}, started_date)
        end as last_date

    from lives

),

counted as (

    select
        customer_id,
        plan,
        started_date,
        ended_date,
        cast(period_months as integer) as period_months,
        is_lost,
        cast(
            {{ whole_months('started_date', 'last_date') }} // period_months
            + cast(is_lost as integer) as integer
        ) as renewals_count

    from dated

)

select * from counted
