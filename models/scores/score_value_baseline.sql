-- Grain: one row per customer, as_of_date and horizon_days that is scored.
-- What others of the same route and channel brought on training dates, on average. The
-- mean of a small group is drawn towards that of its route, as far as groups differ by
-- chance alone (empirical Bayes). Any model should beat this, most of all where a
-- customer is new.

with

customers as (

    select
        customer_id,
        as_of_date,
        horizon_days,
        clv_route,
        acquisition_channel

    from {{ ref('train_values') }}

    where is_scored

),

training_dates as (

    select
        horizon_days,
        origin_date,
        as_of_date

    from {{ ref('model_splits') }}

    where
        role = 'train'
        and task = 'purchases'

),

learned as (

    select
        training_dates.horizon_days,
        training_dates.origin_date,
        examples.clv_route,
        examples.acquisition_channel,
        greatest(examples.future_amount, 0) as amount

    from training_dates

    inner join {{ ref('train_values') }} as examples
        on training_dates.horizon_days = examples.horizon_days
        and training_dates.as_of_date = examples.as_of_date

    where examples.is_training_row

),

channels as (

    select
        horizon_days,
        origin_date,
        clv_route,
        acquisition_channel,
        count(*) as rows_count,
        sum(amount) as amount_sum,
        sum({{ squared('amount') }}) as square_sum,
        -- an exact number, so that sums of it do not depend on their order
        cast(
            cast(sum(amount) as double) * cast(sum(amount) as double) / count(*)
            as decimal(38, 6)
        ) as square_sum_of_mean

    from learned

    group by horizon_days, origin_date, clv_route, acquisition_channel

),

routes as (

    select
        horizon_days,
        origin_date,
        clv_route,
        cast(sum(rows_count) as double) as rows_count,
        count(*) as channels_count,
        sum(amount_sum) as amount_sum,
        cast(sum(amount_sum) as double) / sum(rows_count) as amount_mean,
        cast(sum(rows_count * rows_count) as double) as rows_square_sum,
        cast(sum(square_sum - square_sum_of_mean) as double) as square_sum_within,
        cast(sum(square_sum_of_mean) as double) as square_sum_of_means

    from channels

    group by horizon_days, origin_date, clv_route

),

-- variance within a channel, and between the channels, by the method of moments
variances as (

    select
        *,
        greatest(square_sum_within, 0) / nullif(rows_count - channels_count, 0)
            as variance_within,
        greatest(
            square_sum_of_means
            - rows_count * amount_mean * amount_mean
            - (channels_count - 1) * variance_within,
            0
        ) / nullif(rows_count - rows_square_sum / rows_count, 0) as variance_between

    from routes

),

origins as (

    select
        horizon_days,
        origin_date,
        cast(sum(amount_sum) as double) / sum(rows_count) as amount_mean

    from routes

    group by horizon_days, origin_date

),

shrunken as (

    select
        channels.horizon_days,
        channels.origin_date,
        channels.clv_route,
        channels.acquisition_channel,
        coalesce(
            channels.rows_count * variances.variance_between
            / nullif(
                channels.rows_count * variances.variance_between
                + variances.variance_within,
                0
            ),
            0
        ) as own_weight,
        own_weight * cast(channels.amount_sum as double) / channels.rows_count
        + (1 - own_weight) * variances.amount_mean as amount_mean

    from channels

    inner join variances
        on channels.horizon_days = variances.horizon_days
        and channels.origin_date = variances.origin_date
        and channels.clv_route = variances.clv_route

),

baselines as (

    select
        customers.customer_id,
        customers.as_of_date,
        customers.horizon_days,
        'channel_mean' as model_name,
        round(
            coalesce(
                shrunken.amount_mean, routes.amount_mean, origins.amount_mean
            ),
            6
        ) as expected_amount,
        case
            when shrunken.amount_mean is not null then 'channel_mean'
            when routes.amount_mean is not null then 'route_mean'
            else 'mean_amount'
        end as model_source

    from customers

    inner join origins
        on customers.as_of_date = origins.origin_date
        and customers.horizon_days = origins.horizon_days

    left join routes
        on customers.as_of_date = routes.origin_date
        and customers.horizon_days = routes.horizon_days
        and customers.clv_route = routes.clv_route

    left join shrunken
        on customers.as_of_date = shrunken.origin_date
        and customers.horizon_days = shrunken.horizon_days
        and customers.clv_route = shrunken.clv_route
        and customers.acquisition_channel = shrunken.acquisition_channel

)

select * from baselines
