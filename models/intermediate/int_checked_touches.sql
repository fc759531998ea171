-- Grain: one row per marketing touch that the connector delivered.
-- Touches are judged here and nowhere else: accepted, excluded or refused.

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

    from {{ ref('int_delivered_touches') }} as delivered

    left join files
        on delivered.reading_id = files.reading_id

),

-- read twice, for the rows that share a key and the rest: cheaper than storing it
judged as not materialized (

    select
        * replace (
            case when row_fault is null then exclude_reason end as exclude_reason
        ),
        {{ known_date('touches') }} as known_date,
        case
            {{ own_faults('touches') }}
            when
                opened_at < sent_at or clicked_at < sent_at or redeemed_at < sent_at
                then 'response_before_sending'
            {{ future_fault('touches') }}
        end as reject_reason

    from dated

),

{{ settled_steps('touches') }},

-- of accepted rows the text stays where it was delivered
checked as (

    select
        touch_id,
        customer_id,
        sent_at,
        campaign_id,
        channel,
        is_control,
        opened_at,
        clicked_at,
        redeemed_at,
        offer,
        loaded_at,
        reject_reason,
        exclude_reason,
        known_date,
        superseded_date,
        reading_id,
        source_file,
        source_line,
        source_lines_count,
        {{ unused_text('touches') }} as source_text

    from settled

)

select * from checked
