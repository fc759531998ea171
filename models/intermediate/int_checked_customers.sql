-- Grain: one row per customer that the connector delivered.
-- Customers are judged here and nowhere else: accepted, excluded or refused.

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

    from {{ ref('int_delivered_customers') }} as delivered

    left join files
        on delivered.reading_id = files.reading_id

),

-- read twice, for the rows that share a key and the rest: cheaper than storing it
judged as not materialized (

    select
        * replace (
            case when row_fault is null then exclude_reason end as exclude_reason
        ),
        {{ known_date('customers') }} as known_date,
        case
            {{ own_faults('customers') }}
            {{ future_fault('customers') }}
        end as reject_reason

    from dated

),

{{ settled_steps('customers') }},

-- of accepted rows the text stays where it was delivered
checked as (

    select
        customer_id,
        signed_up_at,
        country,
        acquisition_channel,
        segment,
        birth_year,
        email,
        loaded_at,
        reject_reason,
        exclude_reason,
        known_date,
        superseded_date,
        reading_id,
        source_file,
        source_line,
        source_lines_count,
        {{ unused_text('customers') }} as source_text

    from settled

)

select * from checked
