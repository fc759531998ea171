-- Grain: one row per customer per horizon_days, as of the score date.
-- The published values: those of the purchase model that the settings name, or those
-- of the other one where it was refused.

with

score_date as (

    select score_date from {{ ref('int_score_date') }}

),

scores as (

    select
        score_clv.*,
        score_clv.model_name = '{{ setting("purchase_model") }}' as is_preferred,
        score_clv.model_source like score_clv.model_name || '+%' as is_of_the_model

    from {{ ref('score_clv') }} as score_clv

    inner join score_date
        on score_clv.as_of_date = score_date.score_date

),

chosen as (

    select
        *,
        max(model_note) filter (where is_preferred) over (
            partition by customer_id, horizon_days
        ) as preferred_note

    from scores

    qualify row_number() over (
        partition by customer_id, horizon_days
        order by is_of_the_model desc, is_preferred desc, model_name asc
    ) = 1

),

published as (

    select
        {{ published_id('customer_id', 'customer') }},
        as_of_date,
        horizon_days,
        expected_orders_count,
        order_probability,
        cast(expected_order_amount as {{ prediction() }}) as expected_order_amount,
        cast(expected_amount as {{ prediction() }}) as expected_amount,
        cast(expected_value as {{ prediction() }}) as expected_value,
        model_source,
        preferred_note as model_note

    from chosen

)

select * from published
