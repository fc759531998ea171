-- Grain: one row per line of the company's files of tickets.
-- Names, types and units become ours here. Nothing is joined or dropped.

{{ config(enabled=(var('connector') == 'demo')) }}

with

raw_tickets as (

    select * from {{ raw_rows('demo', 'tickets') }}

),

renamed as (

    select
        -- keys
        ticket_id,
        customer_id,

        -- attributes
        topic as category,

        -- measures
        csat,

        -- times
        opened_at,
        first_response_at,
        resolved_at,

        -- where it stands
        {{ place_columns() }}

    from raw_tickets

)

select * from renamed
