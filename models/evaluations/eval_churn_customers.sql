-- Grain: one row per customer and as_of_date that models are judged on.
-- The segments of the customer as they were known on the date, and the group that a
-- bootstrap draws the customer with. A kind of segment that nobody's data tell is NULL,
-- and `unknown` is who has none where others do.

{% set draw_groups = 200 %}

with

judged as (

    select distinct
        as_of_date,
        customer_id

    from {{ ref('train_examples') }}

    where is_test_date

),

told as (

    select
        judged.as_of_date,
        judged.customer_id,
        customers.segment,
        customers.acquisition_channel,
        customers.country,
        subscriptions.plan,
        coalesce(
            subscriptions.subscription_tenure_days, purchases.days_since_first_order
        ) as tenure_days

    from judged

    left join {{ ref('feat_customers') }} as customers
        on judged.as_of_date = customers.as_of_date
        and judged.customer_id = customers.customer_id

    left join {{ ref('feat_subscription') }} as subscriptions
        on judged.as_of_date = subscriptions.as_of_date
        and judged.customer_id = subscriptions.customer_id

    left join {{ ref('feat_purchases') }} as purchases
        on judged.as_of_date = purchases.as_of_date
        and judged.customer_id = purchases.customer_id

),

banded as (

    select
        *,
        case
            when tenure_days < 90 then 'below 90 days'
            when tenure_days < 365 then '90 to 364 days'
            when tenure_days < 730 then '365 to 729 days'
            when tenure_days >= 730 then '730 days and more'
        end as tenure_band

    from told

),

kinds as (

    select
        count(*) as customers_count
        {% for kind in segment_kinds() -%}
            , count({{ kind }}) > 0 as has_{{ kind }}
        {% endfor %}
    from banded

),

named as (

    select
        banded.as_of_date,
        banded.customer_id,
        {% for kind in segment_kinds() -%}
            case
                when kinds.has_{{ kind }} then coalesce(banded.{{ kind }}, 'unknown')
            end as {{ kind }},
        {% endfor -%}
        cast(
            {{ hashed_number('banded.customer_id', 'draw') }} % {{ draw_groups }}
            as integer
        ) as draw_group

    from banded

    cross join kinds

),

{% for kind in segment_kinds() -%}
    {{ kind }}_numbers as (

        select
            {{ kind }},
            cast(row_number() over (order by {{ kind }}) as integer)
                as {{ kind }}_number

        from named

        where {{ kind }} is not null

        group by {{ kind }}

    ),

{% endfor -%}
numbered as (

    select
        named.*
        {% for kind in segment_kinds() -%}
            , {{ kind }}_numbers.{{ kind }}_number
        {% endfor %}
    from named

    {% for kind in segment_kinds() -%}
        left join {{ kind }}_numbers
            on named.{{ kind }} = {{ kind }}_numbers.{{ kind }}

    {% endfor %}
)

select * from numbered
