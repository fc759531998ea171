-- Grain: one row per customer per as_of_date by which the customer was known.
-- Who the customer is, as known at the end of as_of_date. The other themes have a row
-- for each row here, and no other.

{{ config(
    materialized='incremental',
    pre_hook={'sql': "{{ forget_dates_of_customers() }}", 'transaction': false},
) }}

with

as_of_dates as (

    select as_of_date

    from {{ ref('int_as_of_dates') }}

    where {{ is_new_date('as_of_date') }}

),

feature_set as (

    select feature_set_version from {{ ref('int_feature_set') }}

),

listed as (

    select
        as_of_dates.as_of_date,
        customers.customer_id,
        {{ business_day('customers.signed_up_at') }} as signed_up_date,
        customers.country,
        customers.acquisition_channel,
        customers.segment,
        customers.birth_year

    from as_of_dates

    inner join {{ ref('input_customers') }} as customers
        -- of whom no day is told was there always
        on {{ is_known(
            'coalesce(customers.known_date, as_of_dates.as_of_date)',
            'customers.superseded_date',
            'as_of_dates.as_of_date'
        ) }}

    -- a customer whom only another domain names has no such facts
    where customers.source_file is not null

),

-- a list that comes late finds customers who were there before it
named as (

    select
        as_of_dates.as_of_date,
        customers.customer_id

    from as_of_dates

    inner join {{ ref('int_named_customers') }} as customers
        on {{ is_past('customers.known_date', 'as_of_dates.as_of_date') }}

    anti join listed
        on as_of_dates.as_of_date = listed.as_of_date
        and customers.customer_id = listed.customer_id

),

customers as (

    select * from listed

    union all by name

    select * from named

),

features as (

    select
        customers.customer_id,
        customers.as_of_date,
        feature_set.feature_set_version,

        customers.signed_up_date,
        {{ days_between('customers.signed_up_date', 'customers.as_of_date') }}
            as days_since_sign_up,
        customers.country,
        customers.acquisition_channel,
        customers.segment,
        extract('year' from customers.as_of_date) - customers.birth_year
            as age_years

    from customers

    cross join feature_set

)

select * from features
