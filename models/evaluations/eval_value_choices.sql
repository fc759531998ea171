-- Grain: one row per as_of_date, horizon_days, clv_route and model_name.
-- Which candidate is published for a route, and what each would have got: chosen on
-- past dates whose windows were over by then, never on the newest. Level first, then
-- ranking: of those whose mean error in total is no more than .15 above the least, the
-- one with the best Gini, and of equals to two digits the one with the least square
-- error. A route with too few buyers is told by all customers, and one date alone tells
-- nothing of levels, which move together from date to date.

{%- set most_level_gap = 0.15 %}
{%- set least_buyers = 30 %}
{%- set least_origins = 2 %}

with

splits as (

    select
        horizon_days,
        as_of_date,
        bool_or(is_for_selection) as is_for_selection

    from {{ ref('model_splits') }}

    where
        task = 'purchases'
        and role in ('test', 'score')

    group by horizon_days, as_of_date

),

metrics as (

    select
        population,
        model_name,
        as_of_date,
        horizon_days,
        customers_count,
        max(metric_value) filter (where metric = 'total_error') as total_error,
        max(metric_value) filter (where metric = 'root_mean_squared_error')
            as root_mean_squared_error,
        max(metric_value) filter (where metric = 'normalised_gini')
            as normalised_gini

    from {{ ref('eval_value_metrics') }}

    group by population, model_name, as_of_date, horizon_days, customers_count

    -- who is asked about some customers alone cannot be compared on all
    qualify
        customers_count = max(customers_count) over (
            partition by population, as_of_date, horizon_days
        )

),

buyers as (

    select
        population,
        model_name,
        as_of_date,
        horizon_days,
        count(*) filter (where actual > 0) as buyers_count

    from {{ ref('eval_value_cases') }}

    group by population, model_name, as_of_date, horizon_days

),

judged as (

    select
        splits.as_of_date,
        splits.horizon_days,
        metrics.population,
        metrics.model_name,
        count(*) as origins_count,
        cast(
            sum(cast(abs(metrics.total_error) as decimal(38, 12))) as double
        ) / count(*) as mean_absolute_total_error,
        cast(
            sum(cast(metrics.root_mean_squared_error as decimal(38, 12))) as double
        ) / count(*) as mean_root_mean_squared_error,
        cast(
            sum(cast(metrics.normalised_gini as decimal(38, 12))) as double
        ) / count(*) as mean_normalised_gini

    from splits

    inner join metrics
        on splits.horizon_days = metrics.horizon_days
        and {{ is_over(
            'metrics.as_of_date', 'metrics.horizon_days', 'splits.as_of_date'
        ) }}

    inner join splits as selections
        on metrics.horizon_days = selections.horizon_days
        and metrics.as_of_date = selections.as_of_date
        and selections.is_for_selection

    inner join buyers
        on metrics.population = buyers.population
        and metrics.model_name = buyers.model_name
        and metrics.horizon_days = buyers.horizon_days
        and metrics.as_of_date = buyers.as_of_date
        and buyers.buyers_count >= {{ least_buyers }}

    where
        metrics.total_error is not null
        and metrics.normalised_gini is not null

    group by
        splits.as_of_date,
        splits.horizon_days,
        metrics.population,
        metrics.model_name

    having count(*) >= {{ least_origins }}

),

offered as (

    select
        as_of_date,
        horizon_days,
        clv_route,
        model_name,
        count(*) as customers_count

    from {{ ref('score_value_candidates') }}

    group by as_of_date, horizon_days, clv_route, model_name

    qualify
        customers_count = max(customers_count) over (
            partition by as_of_date, horizon_days, clv_route
        )

),

routes as (

    select
        offered.as_of_date,
        offered.horizon_days,
        offered.clv_route,
        coalesce(
            max(judged.population) filter (where judged.population <> 'all'),
            max(judged.population)
        ) as population

    from offered

    left join judged
        on offered.as_of_date = judged.as_of_date
        and offered.horizon_days = judged.horizon_days
        and offered.model_name = judged.model_name
        and judged.population in (offered.clv_route, 'all')

    group by offered.as_of_date, offered.horizon_days, offered.clv_route

),

told as (

    select
        offered.*,
        case
            when routes.population is null then 'nothing'
            when routes.population = 'all' then 'all_customers'
            else 'route'
        end as chosen_on,
        judged.origins_count,
        judged.mean_absolute_total_error,
        judged.mean_root_mean_squared_error,
        judged.mean_normalised_gini,
        max(judged.origins_count) over (
            partition by offered.as_of_date, offered.horizon_days, offered.clv_route
        ) as most_origins_count

    from offered

    inner join routes
        on offered.as_of_date = routes.as_of_date
        and offered.horizon_days = routes.horizon_days
        and offered.clv_route = routes.clv_route

    left join judged
        on offered.as_of_date = judged.as_of_date
        and offered.horizon_days = judged.horizon_days
        and routes.population = judged.population
        and offered.model_name = judged.model_name

),

-- a mean over fewer origins is no better or worse
comparable as (

    select
        *,
        coalesce(origins_count = most_origins_count, false) as is_judged,
        min(mean_absolute_total_error) filter (
            where origins_count = most_origins_count
        ) over (
            partition by as_of_date, horizon_days, clv_route
        ) as least_total_error

    from told

),

compared as (

    select
        *,
        is_judged
        and mean_absolute_total_error <= least_total_error + {{ most_level_gap }}
            as is_level

    from comparable

),

ranked as (

    select
        *,
        row_number() over (
            partition by as_of_date, horizon_days, clv_route
            order by
                is_level desc,
                is_judged desc,
                case when is_judged then round(mean_normalised_gini, 2) end
                desc nulls last,
                case when is_judged then round(mean_root_mean_squared_error, 9) end
                asc nulls last,
                case
                    when chosen_on = 'nothing'
                        then {{ place_in('model_name', value_candidates_untold()) }}
                    else {{ place_in('model_name', value_candidates_in_order()) }}
                end asc,
                model_name asc
        ) as place

    from compared

),

choices as (

    select
        as_of_date,
        horizon_days,
        clv_route,
        model_name,
        place,
        place = 1 as is_published,
        chosen_on,
        coalesce(origins_count, 0) as origins_count,
        round(mean_absolute_total_error, 12) as mean_absolute_total_error,
        is_level,
        round(mean_normalised_gini, 12) as mean_normalised_gini,
        round(mean_root_mean_squared_error, 12) as mean_root_mean_squared_error,
        customers_count

    from ranked

)

select * from choices
