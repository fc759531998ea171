-- Grain: one row per customer, as_of_date and horizon_days, for every customer who was
-- subscribed on as_of_date.
-- Whether the recurring revenue grew by the end of the window. A window that is not
-- over yet is NULL, never false.

with

windows as (

    select
        as_of_date,
        horizon_days,
        last_date,
        is_over

    from {{ ref('int_windows') }}

),

subscribers as (

    select
        store.customer_id,
        store.as_of_date,
        store.mrr,
        windows.horizon_days,
        windows.last_date,
        windows.is_over

    from {{ ref('feature_store') }} as store

    inner join windows
        on store.as_of_date = windows.as_of_date

    where store.is_subscribed

),

-- who changes plan is subscribed all along: the old period ends on the day on which
-- the new one starts
revenues_after as (

    select
        windows.as_of_date,
        windows.horizon_days,
        periods.customer_id,
        cast(sum(periods.mrr) as {{ money() }}) as mrr

    from windows

    inner join {{ ref('int_subscription_periods') }} as periods
        on {{ is_known(
            'periods.from_date', 'periods.to_date', 'windows.last_date'
        ) }}

    -- of what was told later that it had ended by then, nothing is left
    left join {{ ref('int_subscription_lives') }} as lives
        on periods.subscription_id = lives.subscription_id

    where
        lives.ended_date is null
        or not {{ is_past('lives.ended_date', 'windows.last_date') }}

    group by windows.as_of_date, windows.horizon_days, periods.customer_id

),

compared as (

    select
        subscribers.customer_id,
        subscribers.as_of_date,
        subscribers.horizon_days,
        subscribers.is_over,
        revenues_after.customer_id is null as has_left,
        cast(
            case
                when revenues_after.customer_id is null then 0
                else revenues_after.mrr
            end - subscribers.mrr as {{ money() }}
        ) as mrr_change

    from subscribers

    left join revenues_after
        on subscribers.customer_id = revenues_after.customer_id
        and subscribers.as_of_date = revenues_after.as_of_date
        and subscribers.horizon_days = revenues_after.horizon_days

),

reasoned as (

    select
        *,
        case
            when not is_over then 'window_not_over'
            when has_left then 'left'
            when mrr_change > 0 then 'expanded'
            when mrr_change < 0 then 'contracted'
            when mrr_change = 0 then 'unchanged'
            else 'revenue_not_told'
        end as label_reason

    from compared

),

labelled as (

    select
        customer_id,
        as_of_date,
        horizon_days,
        case
            when label_reason not in ('window_not_over', 'revenue_not_told')
                then label_reason = 'expanded'
        end as is_expanded,
        case when is_over then mrr_change end as mrr_change,
        label_reason

    from reasoned

)

select * from labelled
