-- Grain: one row per customer per horizon_days, as of the score date.
-- The published values: those of the purchase model that the settings name.

with

score_date as (

    select score_date from {{ ref('int_score_date') }}

),

scores as (

    select score_clv.*

    from {{ ref('score_clv') }} as score_clv

    inner join score_date
        on score_clv.as_of_date = score_date.score_date

    where score_clv.model_name = '{{ setting("purchase_model") }}'

),

published as (

    select
        customer_id,
        as_of_date,
        horizon_days,
        expected_orders_count,
        order_probability,
        cast(expected_order_amount as {{ prediction() }}) as expected_order_amount,
        cast(expected_amount as {{ prediction() }}) as expected_amount,
        cast(expected_value as {{ prediction() }}) as expected_value,
        model_source,
        model_note

    from scores

)

select * from published
