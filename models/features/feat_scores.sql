-- Grain: one row per customer known by then and as_of_date.
-- What is worked out of other features: ratios of use, and the five inputs that systems
-- for churn commonly take, two of them scores from 0 to 100.

{{ config(
    materialized='incremental',
    pre_hook={'sql': "{{ forget_dates() }}", 'transaction': false},
) }}

with

features_read as (

    select
        engagement.customer_id,
        engagement.as_of_date,
        engagement.feature_set_version,
        engagement.sessions_count_90d,
        engagement.events_count_90d,
        engagement.active_days_count_90d,
        engagement.active_days_count_30d,
        engagement.adoption_score_90d,
        engagement.core_share_90d,
        engagement.sessions_count_30d,
        engagement.sessions_count_30d_before,
        case
            when engagement.days_since_last_use < 90
                then 90 - engagement.days_since_last_use
            else 0
        end as lateness,
        purchases.order_amount_365d,
        tickets.tickets_count_30d,
        contracts.days_to_contract_end

    from {{ ref('feat_engagement') }} as engagement

    inner join {{ ref('feat_purchases') }} as purchases
        on engagement.customer_id = purchases.customer_id
        and engagement.as_of_date = purchases.as_of_date

    inner join {{ ref('feat_support') }} as tickets
        on engagement.customer_id = tickets.customer_id
        and engagement.as_of_date = tickets.as_of_date

    inner join {{ ref('feat_subscription') }} as contracts
        on engagement.customer_id = contracts.customer_id
        and engagement.as_of_date = contracts.as_of_date

    where {{ is_new_date('engagement.as_of_date') }}

),

measured as (

    select
        *,
        greatest(sessions_count_30d + sessions_count_30d_before, 1)
            as sessions_count_60d,
        cast(adoption_score_90d as decimal(9, 6)) as adoption,
        cast(coalesce(core_share_90d, 0) as decimal(9, 6)) as core_share

    from features_read

),

features as (

    select
        -- keys
        customer_id,
        as_of_date,
        feature_set_version,

        -- ratios of use
        {{ ratio('sessions_count_90d', 'active_days_count_90d') }}
            as sessions_per_active_day_90d,
        {{ ratio('events_count_90d', 'sessions_count_90d') }}
            as events_per_session_90d,

        -- half for how lately, half for the share of 60 days' sessions that is recent
        {{ ratio(
            '50 * (lateness * sessions_count_60d + 90 * sessions_count_30d)',
            '90 * sessions_count_60d'
        ) }} as behavioral_score,
        {{ ratio('order_amount_365d', 1000) }} as transactional_value_k,
        tickets_count_30d as support_ticket_volume_30d,
        -- a third each for how often, how widely, and on what counts
        {{ ratio(
            '100 * (active_days_count_30d + 30 * adoption + 30 * core_share)', 90
        ) }} as engagement_score,
        case
            when days_to_contract_end < 0 then 0
            else days_to_contract_end
        end as contract_days_remaining

    from measured

)

select * from features
