-- Grain: one row per subscription period that the connector delivered.
-- Subscriptions are judged here and nowhere else: accepted, excluded or refused.

with

files as (

    select
        reading_id,
        first_read_date,
        last_scored_date

    from {{ ref('int_current_files') }}

),

dated as (

    select
        delivered.*,
        files.first_read_date,
        files.last_scored_date

    from {{ ref('int_delivered_subscriptions') }} as delivered

    left join files
        on delivered.reading_id = files.reading_id

),

-- read twice, for the rows that share a key and the rest: cheaper than storing it
judged as not materialized (

    select
        * replace (
            case when row_fault is null then exclude_reason end as exclude_reason
        ),
        {{ known_date('subscriptions') }} as known_date,
        case
            {{ own_faults('subscriptions') }}
            when ended_at < started_at then 'ended_before_start'
            when mrr < 0 or discount_amount < 0 then 'negative_amount'
            {{ future_fault('subscriptions') }}
        end as reject_reason

    from dated

),

{{ settled_steps('subscriptions') }},

-- of accepted rows the text stays where it was delivered
checked as (

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
        reject_reason,
        exclude_reason,
        known_date,
        superseded_date,
        reading_id,
        source_file,
        source_line,
        source_lines_count,
        {{ unused_text('subscriptions') }} as source_text

    from settled

)

select * from checked
