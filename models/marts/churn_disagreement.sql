-- Grain: one row per horizon_days, churn_tenth and no_order_tenth, as of the score
-- date.
-- Where the model of churn and the purchase model see the same customers differently:
-- who stands in a high tenth of one and a low one of the other is worth a look.

with

customers as (

    select
        horizon_days,
        as_of_date,
        customer_id,
        churn_probability,
        no_order_probability

    from {{ ref('value_at_risk') }}

    where no_order_probability is not null

),

ranked as (

    select
        *,
        ntile(10) over (
            partition by horizon_days
            order by churn_probability desc, customer_id asc
        ) as churn_tenth,
        ntile(10) over (
            partition by horizon_days
            order by no_order_probability desc, customer_id asc
        ) as no_order_tenth

    from customers

),

cells as (

    select
        as_of_date,
        horizon_days,
        cast(churn_tenth as bigint) as churn_tenth,
        cast(no_order_tenth as bigint) as no_order_tenth,
        count(*) as customers_count,
        cast(
            sum(cast(churn_probability as {{ prediction() }})) as double
        ) / count(*) as churn_probability_mean,
        cast(
            sum(cast(no_order_probability as {{ prediction() }})) as double
        ) / count(*) as no_order_probability_mean

    from ranked

    group by as_of_date, horizon_days, churn_tenth, no_order_tenth

)

select * from cells
