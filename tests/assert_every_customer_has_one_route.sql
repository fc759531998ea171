-- Whoever has a value goes by one route, and every customer of the score date has one.

with

routes as (

    select
        customer_id,
        count(distinct clv_route) as routes_count,
        count(*) as rows_count

    from {{ ref('clv_routes') }}

    group by customer_id

)

select
    scores.customer_id,
    scores.horizon_days

from {{ ref('clv_scores') }} as scores

left join routes
    on scores.customer_id = routes.customer_id

where
    routes.customer_id is null
    or routes.routes_count <> 1
