-- Grain: one row per case_number and place.
-- The customers of each case in the order of the score, among all and in each segment;
-- ties by customer_id, so that a place is the same in every run.

with

predictions as (

    select
        cases.case_number,
        said.customer_id,
        said.raw_score,
        said.probability,
        said.is_positive,
        customers.draw_group
        {% for kind in segment_kinds() -%}
            , customers.{{ kind }}_number
        {% endfor %}
    from {{ ref('eval_churn_predictions') }} as said

    inner join {{ ref('eval_churn_cases') }} as cases
        on said.population = cases.population
        and said.task = cases.task
        and said.model_name = cases.model_name
        and said.as_of_date = cases.as_of_date
        and said.horizon_days = cases.horizon_days

    left join {{ ref('eval_churn_customers') }} as customers
        on said.as_of_date = customers.as_of_date
        and said.customer_id = customers.customer_id

),

-- one long sort, of which the order in each segment follows
placed as (

    select
        * exclude (customer_id),
        cast(row_number() over downwards as integer) as place,
        coalesce(raw_score = lag(raw_score) over downwards, false) as is_tied

    from predictions

    window downwards as (
        partition by case_number
        order by raw_score desc, customer_id asc
    )

),

ranked as (

    select
        *
        {% for kind in segment_kinds() -%}
            , cast(
                row_number() over (
                    partition by case_number, {{ kind }}_number
                    order by place
                ) as integer
            ) as place_in_{{ kind }}
        {% endfor %}
    from placed

),

ranks as (

    select
        *,
        {{ squared_gap('probability', 'is_positive') }} as squared_error,
        {{ log_loss('probability', 'is_positive') }} as log_loss

    from ranked

)

select * from ranks
