-- Grain: one row per version of a subscription.
-- A version is live from the day on which it had begun and was known until the day on
-- which it ended or was replaced. An end counts from its own day, whenever it was told;
-- a version that tells of an end only on that day is never live.

with

versions as (

    select
        customer_id,
        subscription_id,
        row_number() over (
            partition by subscription_id
            order by loaded_at asc nulls first
        ) as version_number,
        plan,
        mrr,
        discount_amount,
        {{ business_day('started_at') }} as started_date,
        {{ business_day('contract_ends_at') }} as contract_ends_date,
        {{ business_day('ended_at') }} as ended_date,
        cancel_reason,
        is_voluntary,
        known_date,
        superseded_date

    from {{ ref('input_subscriptions') }}

),

dated as (

    select
        *,
        greatest(known_date, started_date) as from_date,
        case
            when superseded_date <= ended_date or ended_date is null
                then superseded_date
            else ended_date
        end as to_date

    from versions

),

periods as (

    select
        customer_id,
        subscription_id,
        version_number,
        plan,
        mrr,
        discount_amount,
        started_date,
        known_date,
        from_date,
        to_date,
        contract_ends_date,
        ended_date,
        cancel_reason,
        is_voluntary

    from dated

)

select * from periods
