-- Grain: one row per line of the shop's files of tickets.
-- Names, types and units become ours here. Nothing is joined or dropped.

{{ config(enabled=('tickets' in perennial.setting('entities'))) }}

with

raw_tickets as (

    select * from {{ perennial.raw_rows('shop', 'tickets') }}

),

renamed as (

    select
        -- keys
        ticket_id,
        customer_id,

        -- attributes
        category,

        -- measures
        csat,

        -- times
        opened_at,
        first_response_at,
        resolved_at,
        loaded_at,

        -- where it stands
        {{ perennial.place_columns() }}

    from raw_tickets

)

select * from renamed
