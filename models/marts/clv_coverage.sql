-- Grain: one row per population, as_of_date, horizon_days, decile and nominal_share.
-- How many customers brought an amount between the bounds that were published for a
-- past date, beside how many should have. Decile 0 is all of them.

with

bounded as (

    select
        bounds.customer_id,
        bounds.as_of_date,
        bounds.horizon_days,
        bounds.clv_route,
        bounds.expected_amount,
        bounds.bounds_source,
        outcomes.future_amount,
        nominal.nominal_share,
        case nominal.nominal_share
            when 0.8 then bounds.amount_low_80 else bounds.amount_low_90
        end as amount_low,
        case nominal.nominal_share
            when 0.8 then bounds.amount_high_80 else bounds.amount_high_90
        end as amount_high

    from {{ ref('eval_value_bounds') }} as bounds

    inner join {{ ref('outcome_revenue') }} as outcomes
        on bounds.customer_id = outcomes.customer_id
        and bounds.as_of_date = outcomes.as_of_date
        and bounds.horizon_days = outcomes.horizon_days
        and outcomes.future_amount is not null

    cross join (
        values
        (cast(0.8 as decimal(2, 1))),
        (cast(0.9 as decimal(2, 1)))
    ) as nominal (nominal_share)

    where bounds.bounds_source <> 'none'

),

populations as (

    select
        *,
        'all' as population

    from bounded

    union all

    select
        *,
        clv_route as population

    from bounded

),

ranked as (

    select
        *,
        ntile(10) over (
            partition by population, as_of_date, horizon_days, nominal_share
            order by expected_amount desc, customer_id asc
        ) as own_decile

    from populations

),

grouped as (

    select
        *,
        own_decile as decile

    from ranked

    union all

    select
        *,
        0 as decile

    from ranked

),

coverage as (

    select
        population,
        as_of_date,
        cast(horizon_days as bigint) as horizon_days,
        cast(decile as bigint) as decile,
        nominal_share,
        count(*) as customers_count,
        count(*) filter (where bounds_source = 'past_errors')
            as from_past_errors_count,
        count(*) filter (where future_amount between amount_low and amount_high)
            as covered_count,
        count(*) filter (where future_amount < amount_low) as below_count,
        count(*) filter (where future_amount > amount_high) as above_count,
        cast(covered_count as double) / customers_count as covered_share,
        cast(sum(amount_high - amount_low) as double) / customers_count as mean_width

    from grouped

    group by population, as_of_date, horizon_days, decile, nominal_share

)

select * from coverage
