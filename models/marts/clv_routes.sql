-- Grain: one row per customer and horizon_days, as of the score date.
-- Who is valued by which model, and why: every customer goes by one route, and of each
-- route and horizon past dates told which model to believe.

with

score_date as (

    select score_date from {{ ref('int_score_date') }}

),

customers as (

    select customers.*

    from {{ ref('eval_value_published') }} as customers

    inner join score_date
        on customers.as_of_date = score_date.score_date

),

choices as (

    select *

    from {{ ref('eval_value_choices') }}

    where is_published

),

routes as (

    select
        {{ published_id('customers.customer_id', 'customer') }},
        customers.as_of_date,
        cast(customers.horizon_days as bigint) as horizon_days,
        customers.clv_route,
        case customers.clv_route
            when 'contractual' then 'has a subscription'
            when 'cold_start'
                then 'first seen ' || customers.days_since_first_seen || ' days ago'
            when 'early'
                then 'first seen ' || customers.days_since_first_seen || ' days ago'
            when 'lapsed'
                then coalesce(
                    'silent for ' || customers.days_since_activity || ' days',
                    'never ordered nor used anything'
                )
            when 'established'
                then 'active ' || customers.days_since_activity || ' days ago'
            else 'no day is known on which the customer came'
        end as route_reason,
        customers.has_ordered,
        customers.model_name,
        customers.model_source,
        coalesce(choices.chosen_on, 'nothing') as chosen_on,
        cast(coalesce(choices.origins_count, 0) as bigint) as origins_count

    from customers

    left join choices
        on customers.as_of_date = choices.as_of_date
        and customers.horizon_days = choices.horizon_days
        and customers.clv_route = choices.clv_route

)

select * from routes
