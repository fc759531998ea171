-- Grain: one row per customer.
-- Who they are, how likely they are to leave and why, what changed, and their history
-- in numbers, as known on the score date, and what they are worth. The score is that of
-- the first task and the first horizon of the settings, the value that of the last one.

{% set tasks = setting('tasks') %}

with

clock as (

    select score_date from {{ ref('int_score_date') }}

),

customers as (

    select
        customer_id,
        is_orphan

    from {{ ref('input_customers') }}

    where superseded_date is null

),

features as (

    select store.*

    from {{ ref('feature_store') }} as store

    inner join clock
        on store.as_of_date = clock.score_date

),

scores as (

    select *

    from {{ ref('reason_scores') }}

    where
        task = '{{ tasks[0] if tasks else '' }}'
        and horizon_days = {{ setting('horizons_days')[0] }}

),

changes as (

    select * from {{ ref('reason_changes') }}

),

contributions as (

    select * from {{ ref('reason_contributions') }}

),

catalogue as (

    select
        feature_name,
        theme

    from {{ ref('feature_catalogue') }}

),

-- features of a theme say much the same: one speaks for them, the strongest
themes as (

    select
        told.task,
        told.horizon_days,
        told.customer_id,
        coalesce(catalogue.theme, told.feature_name) as theme,
        sum(cast(told.contribution as decimal(18, 9))) as contribution,
        arg_min(told.reason, told.feature_rank) filter (
            where told.contribution > 0
        ) as reason

    from contributions as told

    left join catalogue
        on told.feature_name = catalogue.feature_name

    where told.feature_rank is not null

    group by
        told.task,
        told.horizon_days,
        told.customer_id,
        coalesce(catalogue.theme, told.feature_name)

),

raising as (

    select *

    from themes

    where contribution > 0

    qualify
        row_number() over (
            partition by task, horizon_days, customer_id
            order by contribution desc, theme asc
        ) <= 3

),

reasons as (

    select
        task,
        horizon_days,
        customer_id,
        string_agg(reason, '; ' order by contribution desc, theme asc) as why

    from raising

    group by task, horizon_days, customer_id

),

explained as (

    select distinct
        task,
        horizon_days,
        customer_id

    from contributions

),

described as (

    select
        {{ published_id('customers.customer_id', 'customer') }},
        clock.score_date as as_of_date,

        -- who
        customers.is_orphan,
        features.segment,
        features.country,
        features.acquisition_channel,
        features.days_since_sign_up,
        features.lifecycle_stage,
        features.plan,
        features.mrr,

        -- how likely, and why
        scores.task,
        cast(scores.horizon_days as bigint) as horizon_days,
        scores.probability,
        scores.risk_band,
        scores.action_code,
        coalesce(scores.score_status, 'not_in_scope') as score_status,
        reasons.why,
        case
            when scores.customer_id is null then 'not_scored'
            when not scores.has_reasons then 'no_model_of_its_own'
            when explained.customer_id is not null then 'ok'
            when scores.is_explained then 'features_gone'
            else 'on_demand'
        end as reasons_status,

        -- what changed
        scores.previous_as_of_date,
        scores.previous_probability,
        scores.previous_risk_band,
        scores.margin - scores.previous_margin as margin_change,
        changes.features_change,
        changes.model_change,
        changes.calibration_change,

        -- history in numbers
        features.orders_count,
        features.total_order_amount,
        features.order_amount_90d,
        features.days_since_last_order,
        features.active_days_count_30d,
        features.sessions_count_30d,
        features.days_since_last_use,
        features.tickets_count_90d,
        features.open_tickets_count,
        features.failed_payments_count_90d

    from customers

    cross join clock

    left join features
        on customers.customer_id = features.customer_id

    left join scores
        on customers.customer_id = scores.customer_id

    left join reasons
        on scores.task = reasons.task
        and scores.horizon_days = reasons.horizon_days
        and scores.customer_id = reasons.customer_id

    left join explained
        on scores.task = explained.task
        and scores.horizon_days = explained.horizon_days
        and scores.customer_id = explained.customer_id

    left join changes
        on scores.task = changes.task
        and scores.horizon_days = changes.horizon_days
        and scores.customer_id = changes.customer_id

),

values_of_customers as (

    select *

    from {{ ref('customer_value') }}

    where horizon_days = {{ setting('horizons_days') | max }}

),

valued as (

    select
        described.*,

        -- what they have brought, and what is expected
        values_of_customers.past_amount,
        values_of_customers.horizon_days as value_horizon_days,
        values_of_customers.expected_amount,
        values_of_customers.expected_value,
        values_of_customers.amount_low_80,
        values_of_customers.amount_high_80,
        values_of_customers.value_decile,
        values_of_customers.clv_route

    from described

    left join values_of_customers
        on described.customer_id = values_of_customers.customer_id

)

select * from valued
