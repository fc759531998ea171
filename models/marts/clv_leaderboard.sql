-- Grain: one row per as_of_date, horizon_days, clv_route and model_name.
-- What every candidate of value showed on past dates, and which one is published for a
-- route: as of the score date, and as it would have been chosen on each past date.

with

choices as (

    select * from {{ ref('eval_value_choices') }}

),

leaderboard as (

    select
        as_of_date,
        cast(horizon_days as bigint) as horizon_days,
        clv_route,
        model_name,
        place,
        is_published,
        chosen_on,
        origins_count,
        mean_absolute_total_error,
        is_level,
        mean_normalised_gini,
        mean_root_mean_squared_error,
        customers_count

    from choices

)

select * from leaderboard
