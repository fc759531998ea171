-- Grain: one row per version of an accepted subscription period.
-- The contract: whatever the source was, subscriptions look like this from here on.

with

checked_subscriptions as (

    select * from {{ ref('int_checked_subscriptions') }}

),

accepted as (

    select
        subscription_id,
        customer_id,
        started_at,
        plan,
        mrr,
        discount_amount,
        ended_at,
        contract_ends_at,
        cancel_reason,
        is_voluntary,
        loaded_at,
        known_date,
        superseded_date,
        source_file,
        source_line

    from checked_subscriptions

    where reject_reason is null and exclude_reason is null

)

select * from accepted
