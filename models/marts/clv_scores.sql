-- Grain: one row per customer per horizon_days, as of the score date.
-- The published values: of the model that past dates speak for, by route and horizon.
-- Orders are those of the purchase model that the settings name, or of the other one
-- where it was refused.

with

score_date as (

    select score_date from {{ ref('int_score_date') }}

),

customers as (

    select published.*

    from {{ ref('eval_value_published') }} as published

    inner join score_date
        on published.as_of_date = score_date.score_date

),

purchases as (

    select
        score_clv.*,
        score_clv.model_name = '{{ setting("purchase_model") }}' as is_preferred

    from {{ ref('score_clv') }} as score_clv

    inner join score_date
        on score_clv.as_of_date = score_date.score_date

),

chosen_purchases as (

    select
        *,
        max(model_note) filter (where is_preferred) over (
            partition by customer_id, horizon_days
        ) as preferred_note

    from purchases

    qualify row_number() over (
        partition by customer_id, horizon_days
        order by is_own desc, is_preferred desc, model_name asc
    ) = 1

),

published as (

    select
        {{ published_id('customers.customer_id', 'customer') }},
        customers.as_of_date,
        cast(customers.horizon_days as bigint) as horizon_days,
        customers.clv_route,
        purchases.expected_orders_count,
        purchases.order_probability,
        cast(purchases.expected_order_amount as {{ prediction() }})
            as expected_order_amount,
        customers.expected_amount,
        customers.expected_value,
        bounds.amount_low_80,
        bounds.amount_high_80,
        bounds.amount_low_90,
        bounds.amount_high_90,
        coalesce(bounds.bounds_source, 'none') as bounds_source,
        customers.model_name,
        customers.model_source,
        case
            when customers.expected_amount is null
                then coalesce(
                    nullif(purchases.preferred_note, ''),
                    'nothing was learned of customers, and nothing was ordered'
                )
            else concat_ws(
                '; ',
                case
                    when customers.is_raised
                        then 'raised to what is expected of fewer days'
                end,
                nullif(purchases.preferred_note, '')
            )
        end as model_note

    from customers

    left join {{ ref('eval_value_bounds') }} as bounds
        on customers.customer_id = bounds.customer_id
        and customers.as_of_date = bounds.as_of_date
        and customers.horizon_days = bounds.horizon_days

    left join chosen_purchases as purchases
        on customers.customer_id = purchases.customer_id
        and customers.horizon_days = purchases.horizon_days

)

select * from published
