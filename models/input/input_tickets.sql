-- Grain: one row per version of an accepted support ticket.
-- The contract: whatever the source was, tickets look like this from here on.

with

checked_tickets as (

    select * from {{ ref('int_checked_tickets') }}

),

accepted as (

    select
        ticket_id,
        customer_id,
        opened_at,
        category,
        first_response_at,
        resolved_at,
        csat,
        loaded_at,
        known_date,
        superseded_date,
        source_file,
        source_line

    from checked_tickets

    where reject_reason is null and exclude_reason is null

)

select * from accepted
