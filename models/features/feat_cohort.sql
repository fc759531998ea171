-- Grain: one row per customer known by then and as_of_date.
-- How a customer compares with those who signed up in the same month, and how good the
-- channel has been that the customer came by, as known at the end of as_of_date.

{{ config(
    materialized='incremental',
    pre_hook={'sql': "{{ forget_dates() }}", 'transaction': false},
) }}

{%- set channel_days = 180 %}

with

customers as (

    select
        customers.customer_id,
        customers.as_of_date,
        customers.feature_set_version,
        customers.signed_up_date,
        date_trunc('month', customers.signed_up_date) as cohort_month,
        customers.acquisition_channel,
        engagement.sessions_count_90d,
        purchases.order_amount_90d,
        purchases.orders_count,
        purchases.repeat_order_days_count

    from {{ ref('feat_customers') }} as customers

    inner join {{ ref('feat_engagement') }} as engagement
        on customers.customer_id = engagement.customer_id
        and customers.as_of_date = engagement.as_of_date

    inner join {{ ref('feat_purchases') }} as purchases
        on customers.customer_id = purchases.customer_id
        and customers.as_of_date = purchases.as_of_date

    where {{ is_new_date('customers.as_of_date') }}

),

cohorts as (

    select
        as_of_date,
        cohort_month,
        count(*) as customers_count,
        sum(sessions_count_90d) as sessions_count,
        sum(order_amount_90d) as order_amount

    from customers

    where cohort_month is not null

    group by as_of_date, cohort_month

),

-- only those count who had time to come back
channels as (

    select
        as_of_date,
        acquisition_channel,
        count(*) filter (where repeat_order_days_count > 0) as returned_count,
        count(orders_count) as customers_count

    from customers

    where {{ is_past(days_after('signed_up_date', channel_days), 'as_of_date') }}

    group by as_of_date, acquisition_channel

),

features as (

    select
        -- keys
        customers.customer_id,
        customers.as_of_date,
        customers.feature_set_version,

        -- against the mean of the cohort
        {{ ratio(
            'customers.sessions_count_90d * cohorts.customers_count',
            'cohorts.sessions_count'
        ) }} as sessions_vs_cohort,
        {{ ratio(
            'customers.order_amount_90d * cohorts.customers_count',
            'cohorts.order_amount'
        ) }} as amount_vs_cohort,

        -- the channel
        {{ ratio('channels.returned_count', 'channels.customers_count') }}
            as channel_quality

    from customers

    left join cohorts
        on customers.as_of_date = cohorts.as_of_date
        and customers.cohort_month = cohorts.cohort_month

    left join channels
        on customers.as_of_date = channels.as_of_date
        and customers.acquisition_channel = channels.acquisition_channel

)

select * from features
