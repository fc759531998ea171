-- Grain: one row per line of the company's files of customers.
-- Names, types and units become ours here. Nothing is joined or dropped.

{{ config(enabled=(var('connector') == 'demo')) }}

with

raw_customers as (

    select * from {{ raw_rows('demo', 'customers') }}

),

renamed as (

    select
        -- keys
        customer_id,

        -- attributes
        country,
        channel as acquisition_channel,
        company_size as segment,
        birth_year,
        email,

        -- times
        signed_up_at,

        -- where it stands
        {{ place_columns() }}

    from raw_customers

)

select * from renamed
