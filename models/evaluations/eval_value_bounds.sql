-- Grain: one row per customer, as_of_date and horizon_days that is scored.
-- Between which amounts the customer is expected to bring, and how that is known: where
-- past windows of the route are over, from what customers with as high an expectation
-- brought then, relative to it (conformal, in up to 20 bins); else from the predictive
-- distribution of the purchase model.

{%- set most_bins = 20 %}
{%- set least_cases = 50 %}

with

choices as (

    select
        as_of_date,
        horizon_days,
        clv_route,
        model_name

    from {{ ref('eval_value_choices') }}

    where is_published

),

published as (

    select *

    from {{ ref('eval_value_published') }}

    where expected_amount is not null

),

past_cases as (

    select
        choices.as_of_date,
        choices.horizon_days,
        choices.clv_route,
        cases.customer_id,
        cases.as_of_date as past_date,
        cases.predicted,
        cast(cases.actual as double) / cast(cases.predicted as double) as ratio

    from choices

    inner join {{ ref('eval_value_cases') }} as cases
        on choices.clv_route = cases.population
        and choices.model_name = cases.model_name
        and choices.horizon_days = cases.horizon_days
        and {{ is_over(
            'cases.as_of_date', 'cases.horizon_days', 'choices.as_of_date'
        ) }}

    where cases.predicted > 0

),

counts as (

    select
        as_of_date,
        horizon_days,
        clv_route,
        count(*) as cases_count,
        least({{ most_bins }}, count(*) // {{ least_cases }}) as bins_count

    from past_cases

    group by as_of_date, horizon_days, clv_route

    having count(*) >= {{ least_cases }}

),

binned as (

    select
        past_cases.as_of_date,
        past_cases.horizon_days,
        past_cases.clv_route,
        past_cases.predicted,
        past_cases.ratio,
        (
            row_number() over (
                partition by
                    past_cases.as_of_date,
                    past_cases.horizon_days,
                    past_cases.clv_route
                order by
                    past_cases.predicted asc,
                    past_cases.past_date asc,
                    past_cases.customer_id asc
            ) - 1
        ) * counts.bins_count // counts.cases_count as bin

    from past_cases

    inner join counts
        on past_cases.as_of_date = counts.as_of_date
        and past_cases.horizon_days = counts.horizon_days
        and past_cases.clv_route = counts.clv_route

),

ordered as (

    select
        *,
        row_number() over (
            partition by as_of_date, horizon_days, clv_route, bin
            order by ratio asc
        ) as place,
        count(*) over (
            partition by as_of_date, horizon_days, clv_route, bin
        ) as cases_count

    from binned

),

-- of n cases and the coming one each place is as likely: so n + 1
factors as (

    select
        as_of_date,
        horizon_days,
        clv_route,
        bin,
        case when bin = 0 then 0 else min(predicted) end as least_predicted,
        coalesce(max(ratio) filter (where place <= (cases_count + 1) * 0.1), 0)
            as low_80,
        coalesce(max(ratio) filter (where place <= (cases_count + 1) * 0.05), 0)
            as low_90,
        coalesce(
            min(ratio) filter (where place >= (cases_count + 1) * 0.9), max(ratio)
        ) as high_80,
        coalesce(
            min(ratio) filter (where place >= (cases_count + 1) * 0.95), max(ratio)
        ) as high_90

    from ordered

    group by as_of_date, horizon_days, clv_route, bin

),

bins as (

    select
        *,
        lead(least_predicted) over (
            partition by as_of_date, horizon_days, clv_route
            order by bin asc
        ) as next_least_predicted

    from factors

),

purchases as (

    select *

    from {{ ref('score_clv') }}

    where model_name = '{{ setting("purchase_model") }}'

),

found as (

    select
        published.customer_id,
        published.as_of_date,
        published.horizon_days,
        published.clv_route,
        published.model_name,
        published.expected_amount,
        case
            when bins.bin is not null then 'past_errors'
            when
                published.clv_route <> 'contractual'
                and purchases.amount_high_80 is not null
                then 'predictive'
            else 'none'
        end as bounds_source,
        case bounds_source
            when 'past_errors'
                then cast(published.expected_amount as double) * bins.low_80
            when 'predictive' then purchases.amount_low_80
        end as amount_low_80,
        case bounds_source
            when 'past_errors'
                then cast(published.expected_amount as double) * bins.high_80
            when 'predictive' then purchases.amount_high_80
        end as amount_high_80,
        case bounds_source
            when 'past_errors'
                then cast(published.expected_amount as double) * bins.low_90
            when 'predictive' then purchases.amount_low_90
        end as amount_low_90,
        case bounds_source
            when 'past_errors'
                then cast(published.expected_amount as double) * bins.high_90
            when 'predictive' then purchases.amount_high_90
        end as amount_high_90

    from published

    left join bins
        on published.as_of_date = bins.as_of_date
        and published.horizon_days = bins.horizon_days
        and published.clv_route = bins.clv_route
        and published.expected_amount >= bins.least_predicted
        and (
            bins.next_least_predicted is null
            or published.expected_amount < bins.next_least_predicted
        )

    left join purchases
        on published.customer_id = purchases.customer_id
        and published.as_of_date = purchases.as_of_date
        and published.horizon_days = purchases.horizon_days

),

bounded as (

    select
        customer_id,
        as_of_date,
        horizon_days,
        clv_route,
        model_name,
        expected_amount,
        cast(
            case when amount_low_80 < 0 then 0 else amount_low_80 end
            as {{ prediction() }}
        ) as amount_low_80,
        cast(
            case when amount_high_80 < 0 then 0 else amount_high_80 end
            as {{ prediction() }}
        ) as amount_high_80,
        cast(
            case when amount_low_90 < 0 then 0 else amount_low_90 end
            as {{ prediction() }}
        ) as amount_low_90,
        cast(
            case when amount_high_90 < 0 then 0 else amount_high_90 end
            as {{ prediction() }}
        ) as amount_high_90,
        bounds_source

    from found

)

select * from bounded
