-- Grain: one row per customer known by then and as_of_date.
-- Where a customer stands among all who had ordered by the date: fifths of how lately,
-- how often and how much, 5 the best. Equals are told apart by their id, so that the
-- fifths are of one size.

{{ config(
    materialized='incremental',
    pre_hook={'sql': "{{ forget_dates() }}", 'transaction': false},
) }}

with

customers as (

    select
        customer_id,
        as_of_date,
        feature_set_version,
        orders_count,
        days_since_last_order,
        order_days_count,
        total_order_amount

    from {{ ref('feat_purchases') }}

    where {{ is_new_date('as_of_date') }}

),

quintiles as (

    select
        customer_id,
        as_of_date,
        ntile(5) over (
            partition by as_of_date
            order by days_since_last_order desc, customer_id asc
        ) as recency_quintile,
        ntile(5) over (
            partition by as_of_date
            order by order_days_count asc, customer_id asc
        ) as frequency_quintile,
        ntile(5) over (
            partition by as_of_date
            order by total_order_amount asc, customer_id asc
        ) as monetary_quintile

    from customers

    where orders_count > 0

),

features as (

    select
        -- keys
        customers.customer_id,
        customers.as_of_date,
        customers.feature_set_version,

        -- places
        quintiles.recency_quintile,
        quintiles.frequency_quintile,
        quintiles.monetary_quintile,
        round(
            (
                4 * quintiles.recency_quintile
                + 3 * quintiles.frequency_quintile
                + 3 * quintiles.monetary_quintile
            ) / 10,
            1
        ) as rfm_score

    from customers

    left join quintiles
        on customers.customer_id = quintiles.customer_id
        and customers.as_of_date = quintiles.as_of_date

)

select * from features
