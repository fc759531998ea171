-- Grain: one row per task, customer, as_of_date, horizon_days and feature that is told.
-- Why the scores of the score date are what they are, of customers above the lowest
-- band: the strongest features, all others as one, and the base. They add up to the raw
-- score.

with

contributions as (

    select * from {{ ref('reason_contributions') }}

),

reasons as (

    select
        task,
        {{ published_id('customer_id', 'customer') }},
        as_of_date,
        cast(horizon_days as bigint) as horizon_days,
        feature_name,
        cast(feature_rank as bigint) as feature_rank,
        contribution,
        case
            when feature_name = 'base' then 'base'
            when contribution < 0 then 'lowers'
            else 'raises'
        end as direction,
        value_number,
        cast(value_text as varchar) as value_text,
        cast(value as varchar) as value,
        cast(usual_value as varchar) as usual_value,
        cast(reason as varchar) as reason,
        model_id

    from contributions

)

select * from reasons
