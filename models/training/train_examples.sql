-- Grain: one row per task, horizon_days, as_of_date and customer with an outcome.
-- Whom a model learns from and is judged on: the label, the fold, and whether the row
-- is for learning. The features are those of feature_store on the same date.

with

outcomes as (

    {{ labels_of_tasks() }}

),

dates as (

    select
        task,
        horizon_days,
        as_of_date,
        bool_or(role = 'train') as is_training_date,
        bool_or(role = 'test') as is_test_date

    from {{ ref('model_splits') }}

    group by task, horizon_days, as_of_date

),

known as (

    select
        outcomes.task,
        outcomes.horizon_days,
        outcomes.as_of_date,
        outcomes.customer_id,
        outcomes.label,
        outcomes.is_in_scope,
        dates.is_test_date,
        dates.is_training_date
        {% if setting('training_population') == 'in_scope' -%}
            and outcomes.is_in_scope
        {%- endif %} as is_for_training

    from outcomes

    inner join dates
        on outcomes.task = dates.task
        and outcomes.horizon_days = dates.horizon_days
        and outcomes.as_of_date = dates.as_of_date

    -- a window that is not over teaches nothing, and judges nobody
    where outcomes.label is not null

),

counted as (

    select
        *,
        count(*) filter (where is_for_training) over (
            partition by task, horizon_days, as_of_date
        ) as training_customers_count

    from known

),

-- a sample is one of customers, the same ones on every date
examples as (

    select
        counted.task,
        counted.horizon_days,
        counted.as_of_date,
        counted.customer_id,
        folds.fold,
        counted.label,
        counted.is_in_scope,
        counted.is_test_date,
        counted.is_for_training
        and {{ hashed_number('counted.customer_id', 'sample') }}
        * counted.training_customers_count
        < cast(4294967296 as bigint) * {{ setting('training_customers') }}
            as is_for_training

    from counted

    inner join {{ ref('int_customer_folds') }} as folds
        on counted.customer_id = folds.customer_id

)

select * from examples
