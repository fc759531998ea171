-- Grain: one row per support ticket that the connector delivered.
-- Tickets are judged here and nowhere else: accepted, excluded or refused.

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

    from {{ ref('int_delivered_tickets') }} as delivered

    left join files
        on delivered.reading_id = files.reading_id

),

-- read twice, for the rows that share a key and the rest: cheaper than storing it
judged as not materialized (

    select
        * replace (
            case when row_fault is null then exclude_reason end as exclude_reason
        ),
        {{ known_date('tickets') }} as known_date,
        case
            {{ own_faults('tickets') }}
            when resolved_at < opened_at or first_response_at < opened_at
                then 'resolved_before_opened'
            {{ future_fault('tickets') }}
        end as reject_reason

    from dated

),

{{ settled_steps('tickets') }},

-- of accepted rows the text stays where it was delivered
checked as (

    select
        ticket_id,
        customer_id,
        opened_at,
        category,
        first_response_at,
        resolved_at,
        csat,
        loaded_at,
        reject_reason,
        exclude_reason,
        known_date,
        superseded_date,
        reading_id,
        source_file,
        source_line,
        source_lines_count,
        {{ unused_text('tickets') }} as source_text

    from settled

)

select * from checked
