-- Grain: one row per version of a customer.
-- The contract. Whom no row of customers names, but another domain does, is a customer
-- too, of whom nothing else is known.

with

checked_customers as (

    select * from {{ ref('int_checked_customers') }}

),

accepted as (

    select
        customer_id,
        signed_up_at,
        country,
        acquisition_channel,
        segment,
        birth_year,
        email,
        loaded_at,
        known_date,
        superseded_date,
        false as is_orphan,
        source_file,
        source_line

    from checked_customers

    where reject_reason is null and exclude_reason is null

),

named_elsewhere as (

    select
        named.customer_id,
        named.known_date,
        {{ ('customers' in setting('entities')) | lower }} as is_orphan

    from {{ ref('int_named_customers') }} as named

    left join accepted
        on named.customer_id = accepted.customer_id

    where accepted.customer_id is null

),

customers as (

    select * from accepted

    union all by name

    select * from named_elsewhere

)

select * from customers
