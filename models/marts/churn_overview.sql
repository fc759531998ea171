-- Grain: one row per as_of_date, horizon_days, dimension and dimension_value.
-- How many were lost of those who could be, as it turned out. Who had left before
-- as_of_date is counted apart.

{% set dimensions = ['plan', 'segment', 'acquisition_channel', 'country'] %}

with

windows as (

    select
        windows.as_of_date,
        windows.horizon_days

    from {{ ref('int_windows') }} as windows

    inner join {{ ref('int_as_of_dates') }} as as_of_dates
        on windows.as_of_date = as_of_dates.as_of_date

    where windows.is_over and as_of_dates.is_grid_date

),

outcomes as (

    select
        customer_id,
        as_of_date,
        horizon_days,
        is_churned,
        churn_kind,
        is_in_scope

    from {{ ref('outcome_churn') }}

),

customers as (

    select
        customer_id,
        as_of_date,
        {% for dimension in dimensions -%}
            {{ dimension }},
        {% endfor -%}
        mrr

    from {{ ref('feature_store') }}

),

-- few rows, before each is counted once by dimension
cells as (

    select
        outcomes.as_of_date,
        outcomes.horizon_days,
        {% for dimension in dimensions -%}
            customers.{{ dimension }},
        {% endfor -%}
        outcomes.is_in_scope,
        coalesce(outcomes.is_churned, false) as is_churned,
        outcomes.churn_kind,
        count(*) as customers_count,
        sum(customers.mrr) as mrr

    from outcomes

    inner join windows
        on outcomes.as_of_date = windows.as_of_date
        and outcomes.horizon_days = windows.horizon_days

    inner join customers
        on outcomes.customer_id = customers.customer_id
        and outcomes.as_of_date = customers.as_of_date

    group by
        outcomes.as_of_date,
        outcomes.horizon_days,
        {% for dimension in dimensions -%}
            customers.{{ dimension }},
        {% endfor -%}
        outcomes.is_in_scope,
        outcomes.is_churned,
        outcomes.churn_kind

),

told as (

    select
        *,
        'all' as dimension,
        'all' as dimension_value

    from cells

    {% for dimension in dimensions -%}
        union all

        select
            *,
            '{{ dimension }}' as dimension,
            {{ dimension }} as dimension_value

        from cells

    {% endfor %}

),

counts as (

    select
        as_of_date,
        horizon_days,
        dimension,
        dimension_value,
        {% for name, condition in [
            ('customers_count', 'is_in_scope'),
            ('churned_count', 'is_in_scope and is_churned'),
            ('voluntary_count', "is_in_scope and churn_kind = 'voluntary'"),
            ('involuntary_count', "is_in_scope and churn_kind = 'involuntary'"),
            ('unknown_count', "is_in_scope and churn_kind = 'unknown'"),
            ('inactivity_count', "is_in_scope and churn_kind = 'inactivity'"),
            ('out_of_scope_count', 'not is_in_scope'),
        ] -%}
            cast(
                coalesce(sum(customers_count) filter (where {{ condition }}), 0)
                as bigint
            ) as {{ name }},
        {% endfor -%}
        cast(sum(mrr) filter (where is_in_scope) as {{ money() }}) as mrr,
        cast(
            coalesce(sum(mrr) filter (where is_in_scope and is_churned), 0)
            as {{ money() }}
        ) as churned_mrr

    from told

    group by
        as_of_date,
        horizon_days,
        dimension,
        dimension_value

),

overview as (

    select
        as_of_date,
        cast(horizon_days as bigint) as horizon_days,
        dimension,
        dimension_value,

        -- customers
        customers_count,
        churned_count,
        voluntary_count,
        involuntary_count,
        unknown_count,
        inactivity_count,
        cast(churned_count as double) / nullif(customers_count, 0) as churn_rate,
        out_of_scope_count,

        -- money
        mrr,
        case when mrr is not null then churned_mrr end as churned_mrr,
        cast(churned_mrr as double) / nullif(mrr, 0) as mrr_churn_rate

    from counts

)

select * from overview
