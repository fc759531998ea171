-- Grain: one row per population, task, model_name, as_of_date, horizon_days,
-- segment_kind, segment and decile.
-- Customers in ten groups by the score that ranks, the highest first, and what adds up
-- over them; ties by customer_id, so that a group is the same in every run.

{% set kinds = ['all'] + segment_kinds() %}

with

ranks as (

    select
        *,
        1 as all_number,
        place as place_in_all

    from {{ ref('eval_churn_ranks') }}

),

segments as (

    select
        'all' as segment_kind,
        'all' as segment,
        1 as segment_number

    {% for kind in segment_kinds() -%}
        union all

        select distinct
            '{{ kind }}' as segment_kind,
            {{ kind }} as segment,
            {{ kind }}_number as segment_number

        from {{ ref('eval_churn_customers') }}

        where {{ kind }} is not null

    {% endfor %}

),

sizes as (

    {% for kind in kinds -%}
        {{ 'union all ' if not loop.first }}select
            case_number,
            '{{ kind }}' as segment_kind,
            {{ kind }}_number as segment_number,
            count(*) as customers_count
        from ranks
        where {{ kind }}_number is not null
        group by case_number, {{ kind }}_number
    {% endfor %}
),

limits as (

    select
        case_number,
        segment_kind,
        segment_number,
        customers_count
        {% for name, top in tops().items() -%}
            , cast({{ top }} as integer) as first_{{ name }}
        {% endfor %}
    from sizes

),

sums as (

    {% for kind in kinds -%}
        {% set place = 'ranks.place_in_' ~ kind -%}
        {{ 'union all ' if not loop.first }}select
            limits.case_number,
            limits.segment_kind,
            limits.segment_number,
            {{ tenth(place, 'limits.customers_count') }} as decile,
            count(*) as customers_count,
            count(*) filter (where ranks.is_positive) as positives_count,
            {% for name in tops() -%}
                count(*) filter (
                    where ranks.is_positive and {{ place }} <= limits.first_{{ name }}
                ) as positives_in_{{ name }},
            {% endfor -%}
            sum(ranks.probability) as probability_sum,
            sum(ranks.squared_error) as squared_error_sum,
            sum(ranks.log_loss) as log_loss_sum
        from ranks
        inner join limits
            on ranks.case_number = limits.case_number
            and ranks.{{ kind }}_number = limits.segment_number
            and limits.segment_kind = '{{ kind }}'
        group by
            limits.case_number,
            limits.segment_kind,
            limits.segment_number,
            {{ tenth(place, 'limits.customers_count') }}
    {% endfor %}
),

bins as (

    select
        sums.case_number,
        sums.segment_number,
        cases.population,
        cases.task,
        cases.model_name,
        cases.as_of_date,
        cases.horizon_days,
        segments.segment_kind,
        segments.segment,
        sums.decile,
        sums.customers_count,
        sums.positives_count,
        {% for name in tops() -%}
            sums.positives_in_{{ name }},
        {% endfor -%}
        sums.probability_sum,
        sums.squared_error_sum,
        sums.log_loss_sum

    from sums

    inner join {{ ref('eval_churn_cases') }} as cases
        on sums.case_number = cases.case_number

    inner join segments
        on sums.segment_kind = segments.segment_kind
        and sums.segment_number = segments.segment_number

)

select * from bins
