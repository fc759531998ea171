-- Grain: one row per version of a subscription period.
-- What the plan cost by the list on the day it began, and how much less is paid. NULL
-- where the catalogue does not know the plan, or in another currency alone.

{{ config(enabled=perennial.setting('enrichment')) }}

{%- set currency = setting('currency') %}

with

subscriptions as (

    select
        subscription_id,
        loaded_at,
        customer_id,
        known_date,
        superseded_date,
        plan,
        mrr,
        mrr - coalesce(discount_amount, 0) as paid_amount,
        {{ business_day('started_at') }} as started_date

    from {{ ref('input_subscriptions') }}

),

prices as (

    select
        plan,
        monthly_price,
        currency,
        valid_from,
        lead(valid_from) over (
            partition by plan order by valid_from
        ) as valid_until

    from {{ ref('price_catalogue') }}

),

priced as (

    select
        subscriptions.subscription_id,
        subscriptions.loaded_at,
        subscriptions.customer_id,
        subscriptions.known_date,
        subscriptions.superseded_date,
        subscriptions.plan,
        subscriptions.mrr,
        prices.monthly_price as list_price,
        cast(
            round(1 - subscriptions.paid_amount / prices.monthly_price, 4)
            as decimal(18, 4)
        ) as discount_rate

    from subscriptions

    left join prices
        on subscriptions.plan = prices.plan
        and subscriptions.started_date >= prices.valid_from
        and (
            subscriptions.started_date < prices.valid_until
            or prices.valid_until is null
        )
        {% if currency -%}
            and prices.currency = {{ text_literal(currency) }}
        {%- endif %}

)

select * from priced
