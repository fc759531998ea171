-- Grain: one row per customer known by then and as_of_date.
-- What a customer had bought, how lately and how steadily, as known at the end of
-- as_of_date. `known_days` is where the clock is drawn: no later line sees a future.

{{ config(
    materialized='incremental',
    pre_hook={'sql': "{{ forget_dates() }}", 'transaction': false},
) }}

{%- set windows = [
    {
        'name': 'order_days_count', 'operation': 'count',
        'windows': [7, 30, 90, 365], 'before': [90],
    },
    {
        'name': 'order_amount', 'operation': 'sum', 'measure': 'order_amount',
        'type': money(), 'windows': [7, 30, 90, 365], 'before': [90],
    },
] %}

with

customers as (

    select
        customer_id,
        as_of_date,
        feature_set_version

    from {{ ref('feat_customers') }}

    where {{ is_new_date('as_of_date') }}

),

as_of_days as (

    select
        as_of_date,
        activity_date,
        days_before

    from {{ ref('int_as_of_days') }}

    where {{ is_new_date('as_of_date') }}

),

known_days as (

    select
        days.customer_id,
        as_of_days.as_of_date,
        days.activity_date,
        as_of_days.days_before,
        days.orders_count,
        days.order_amount,
        days.refund_amount

    from {{ ref('int_order_days') }} as days

    inner join as_of_days
        on days.activity_date = as_of_days.activity_date
        and {{ is_known(
            'days.known_date', 'days.told_again_date', 'as_of_days.as_of_date'
        ) }}

),

-- what the customer kept is the worth of a day; a day given back whole has none, and
-- tells nothing of what the customer spends. A free one has: 0.
order_days as (

    select
        *,
        order_amount + refund_amount as kept_amount,
        refund_amount = 0 or order_amount + refund_amount > 0 as is_kept

    from known_days

    where orders_count > 0

),

history as (

    select
        customer_id,
        as_of_date,
        min(activity_date) as first_order_date,
        max(activity_date) as last_order_date,
        cast(sum(orders_count) as bigint) as orders_count,
        count(*) as order_days_count,
        cast(sum(order_amount) as {{ money() }}) as total_order_amount,
        max(order_amount) as largest_order_day_amount,
        min_by(order_amount, activity_date) as first_order_day_amount,
        max_by(order_amount, activity_date) as last_order_day_amount,
        count(*) filter (where is_kept) as kept_days_count,
        coalesce(sum(kept_amount) filter (where is_kept), 0) as kept_amount,
        min_by(case when is_kept then 1 else 0 end, activity_date)
            as kept_first_days_count,
        min_by(case when is_kept then kept_amount else 0 end, activity_date)
            as kept_first_amount,
        {{ window_features(windows) }}

    from order_days

    group by customer_id, as_of_date

),

-- money may come back on a day without an order
refunds as (

    select
        customer_id,
        as_of_date,
        cast(-sum(refund_amount) as {{ money() }}) as total_refund_amount

    from known_days

    where refund_amount <> 0

    group by customer_id, as_of_date

),

gaps as (

    select
        gaps.customer_id,
        as_of_days.as_of_date,
        cast(count(*) as double) as gaps_count,
        sum(gaps.gap_days) as gap_days,
        sum(gaps.gap_days * gaps.gap_days) as squared_gap_days,
        median(gaps.gap_days) as median_days_between_orders

    from {{ ref('int_order_gaps') }} as gaps

    inner join as_of_days
        on gaps.activity_date = as_of_days.activity_date
        and {{ is_known(
            'gaps.known_date', 'gaps.told_again_date', 'as_of_days.as_of_date'
        ) }}

    group by gaps.customer_id, as_of_days.as_of_date

),

dates as (

    select distinct as_of_date

    from as_of_days

),

categories as (

    select
        categories.customer_id,
        dates.as_of_date,
        count(distinct categories.category) as categories_count

    from dates

    inner join {{ ref('int_customer_categories') }} as categories
        on {{ is_known(
            'categories.known_date', 'categories.told_again_date', 'dates.as_of_date'
        ) }}

    group by categories.customer_id, dates.as_of_date

),

repeats as (

    select
        *,
        order_days_count - 1 as repeat_order_days_count,
        kept_days_count - kept_first_days_count as kept_repeat_days_count,
        cast(kept_amount - kept_first_amount as {{ money() }}) as repeat_order_amount

    from history

),

features as (

    select
        -- keys
        customers.customer_id,
        customers.as_of_date,
        customers.feature_set_version,

        -- how often
        {{ or_none('repeats.orders_count', 'orders') }} as orders_count,
        {{ or_none('repeats.order_days_count', 'orders') }} as order_days_count,
        repeats.repeat_order_days_count,
        {% for days in ['7d', '30d', '90d', '365d', '90d_before'] -%}
            {{ or_none('repeats.order_days_count_' ~ days, 'orders') }}
                as order_days_count_{{ days }},
        {% endfor -%}
        {{ velocity(
            'repeats.order_days_count_30d', 30, 'repeats.order_days_count_90d', 90
        ) }} as order_velocity,

        -- how lately and for how long
        repeats.first_order_date,
        repeats.last_order_date,
        {{ days_between('repeats.first_order_date', 'repeats.last_order_date') }}
            as days_first_to_last_order,
        {{ days_between('repeats.first_order_date', 'customers.as_of_date') }}
            as days_since_first_order,
        {{ days_between('repeats.last_order_date', 'customers.as_of_date') }}
            as days_since_last_order,

        -- how steadily
        gaps.median_days_between_orders,
        round(
            sqrt(
                gaps.gaps_count * gaps.squared_gap_days - gaps.gap_days * gaps.gap_days
            ) / nullif(gaps.gap_days, 0),
            6
        ) as order_gap_variation,

        -- how much: an average is an exact sum over a count
        {{ or_none('repeats.total_order_amount', 'orders') }} as total_order_amount,
        repeats.first_order_day_amount,
        repeats.last_order_day_amount,
        repeats.largest_order_day_amount,
        repeats.repeat_order_amount,
        {% for days in ['7d', '30d', '90d', '365d', '90d_before'] -%}
            {{ or_none('repeats.order_amount_' ~ days, 'orders') }}
                as order_amount_{{ days }},
        {% endfor -%}
        cast(repeats.total_order_amount as double) / repeats.order_days_count
            as mean_order_day_amount,
        cast(repeats.repeat_order_amount as double)
        / nullif(repeats.kept_repeat_days_count, 0) as mean_repeat_order_day_amount,
        {{ or_none('refunds.total_refund_amount', 'orders') }} as total_refund_amount,
        {{ ratio(
            'coalesce(refunds.total_refund_amount, 0)', 'repeats.total_order_amount'
        ) }} as refund_rate,
        {{ or_none('categories.categories_count', 'orders') }} as categories_count

    from customers

    left join repeats
        on customers.customer_id = repeats.customer_id
        and customers.as_of_date = repeats.as_of_date

    left join refunds
        on customers.customer_id = refunds.customer_id
        and customers.as_of_date = refunds.as_of_date

    left join gaps
        on customers.customer_id = gaps.customer_id
        and customers.as_of_date = gaps.as_of_date

    left join categories
        on customers.customer_id = categories.customer_id
        and customers.as_of_date = categories.as_of_date

)

select * from features
