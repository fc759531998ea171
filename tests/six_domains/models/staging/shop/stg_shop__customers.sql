-- Grain: one row per line of the shop's files of customers.
-- Names, types and units become ours here. Nothing is joined or dropped.

{{ config(enabled=('customers' in perennial.setting('entities'))) }}

with

raw_customers as (

    select * from {{ perennial.raw_rows('shop', 'customers') }}

),

renamed as (

    select
        -- keys
        customer_id,

        -- attributes
        country,
        acquisition_channel,
        segment,
        birth_year,
        email,

        -- times
        signed_up_at,
        loaded_at,

        -- where it stands
        {{ perennial.place_columns() }}

    from raw_customers

)

select * from renamed
