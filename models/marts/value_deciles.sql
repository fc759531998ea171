-- Grain: one row per horizon_days and value_decile, as of the score date.
-- How much of what is expected rests on how few customers.

with

customers as (

    select * from {{ ref('customer_value') }}

    where value_decile is not null

),

deciles as (

    select
        as_of_date,
        horizon_days,
        value_decile,
        count(*) as customers_count,
        cast(min(expected_value) as {{ prediction() }}) as least_expected_value,
        cast(sum(expected_amount) as {{ prediction() }}) as expected_amount,
        cast(sum(expected_value) as {{ prediction() }}) as expected_value,
        cast(sum(past_amount) as {{ money() }}) as past_amount

    from customers

    group by as_of_date, horizon_days, value_decile

),

shares as (

    select
        *,
        cast(expected_value as double)
        / nullif(cast(sum(expected_value) over whole as double), 0)
            as expected_value_share,
        cast(sum(expected_value) over so_far as double)
        / nullif(cast(sum(expected_value) over whole as double), 0)
            as expected_value_share_so_far

    from deciles

    window
        whole as (partition by horizon_days),
        so_far as (
            partition by horizon_days
            order by value_decile asc
            rows between unbounded preceding and current row
        )

)

select * from shares
