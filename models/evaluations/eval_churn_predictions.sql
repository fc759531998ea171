-- Grain: one row per population, task, model_name, as_of_date, horizon_days and
-- customer.
-- What each candidate said on a past date, beside what happened then.

with

-- a candidate that was refused said nothing then: the base rate that stood in for it is
-- judged under its own name, and not once more under the candidate's
said as (

    select
        task,
        model_name,
        as_of_date,
        horizon_days,
        customer_id,
        raw_score,
        cast(probability as {{ prediction() }}) as probability

    from {{ ref('score_churn') }}

    where probability is not null

    qualify
        bool_or(model_source = model_name) over (
            partition by task, model_name, as_of_date, horizon_days
        )

),

judged as (

    select
        examples.is_in_scope,
        said.task,
        said.model_name,
        said.as_of_date,
        said.horizon_days,
        said.customer_id,
        said.raw_score,
        said.probability,
        examples.label as is_positive

    from said

    inner join {{ ref('train_examples') }} as examples
        on said.task = examples.task
        and said.customer_id = examples.customer_id
        and said.as_of_date = examples.as_of_date
        and said.horizon_days = examples.horizon_days

),

populations as (

    select
        *,
        'in_scope' as population

    from judged

    where is_in_scope

    -- a model that did not learn from who had left before has nothing to say of them
    {% if setting('training_population') == 'all' -%}
        union all

        select
            *,
            'all' as population

        from judged
    {%- endif %}

),

predictions as (

    select
        population,
        task,
        model_name,
        as_of_date,
        horizon_days,
        customer_id,
        raw_score,
        probability,
        is_positive,
        is_in_scope

    from populations

)

select * from predictions
