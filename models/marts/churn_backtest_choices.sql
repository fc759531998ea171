-- Grain: one row per task, horizon_days, origin_date and model_name.
-- Which candidate is published for a past origin, chosen by what was known on that day:
-- earlier origins whose outcome was over by then, or else folds of its training dates.

{% set metric = setting('metric_priority') %}

with

candidates as (

    select
        task,
        horizon_days,
        origin_date,
        model_name,
        folds_average_precision,
        folds_brier_skill

    from {{ ref('fit_churn') }}

    where candidate_status = 'ok'

),

metrics as (

    select
        task,
        horizon_days,
        model_name,
        as_of_date,
        max(cast(metric_value as decimal(38, 12))) filter (
            where metric = '{{ metric }}'
        ) as metric_value,
        max(cast(metric_value as decimal(38, 12))) filter (
            where metric = 'brier_skill'
        ) as brier_skill

    from {{ ref('eval_churn') }}

    where population = '{{ setting("training_population") }}'

    group by task, horizon_days, model_name, as_of_date

),

-- the origin itself is not over by its own day
earlier as (

    select
        candidates.task,
        candidates.horizon_days,
        candidates.origin_date,
        candidates.model_name,
        count(*) as origins_count,
        cast(sum(metrics.metric_value) as double) / count(*) as metric_mean,
        cast(sum(metrics.brier_skill) as double) / count(*) as brier_skill_mean

    from candidates

    inner join metrics
        on candidates.task = metrics.task
        and candidates.horizon_days = metrics.horizon_days
        and candidates.model_name = metrics.model_name
        and {{ is_over(
            'metrics.as_of_date', 'metrics.horizon_days', 'candidates.origin_date'
        ) }}

    where
        metrics.metric_value is not null
        and metrics.brier_skill is not null

    group by
        candidates.task,
        candidates.horizon_days,
        candidates.origin_date,
        candidates.model_name

),

told as (

    select
        candidates.*,
        coalesce(earlier.origins_count, 0) as origins_count,
        earlier.metric_mean,
        earlier.brier_skill_mean,
        coalesce(
            max(earlier.origins_count) over (
                partition by
                    candidates.task, candidates.horizon_days, candidates.origin_date
            ),
            0
        ) as earlier_origins_count

    from candidates

    left join earlier
        on candidates.task = earlier.task
        and candidates.horizon_days = earlier.horizon_days
        and candidates.origin_date = earlier.origin_date
        and candidates.model_name = earlier.model_name

),

-- a mean over fewer origins is no better or worse
compared as (

    select
        task,
        horizon_days,
        origin_date,
        model_name,
        case
            when earlier_origins_count > 0 then 'earlier_origins'
            else 'training_folds'
        end as chosen_on,
        earlier_origins_count,
        round(
            case
                when earlier_origins_count = 0 then folds_average_precision
                when origins_count = earlier_origins_count then metric_mean
            end,
            12
        ) as metric_value,
        round(
            case
                when earlier_origins_count = 0 then folds_brier_skill
                when origins_count = earlier_origins_count then brier_skill_mean
            end,
            12
        ) as brier_skill

    from told

),

ranked as (

    select
        *,
        case
            when brier_skill is null then 'not_judged'
            when brier_skill > 0 then 'skill'
            else 'no_skill'
        end as skill_status,
        row_number() over (
            partition by task, horizon_days, origin_date
            order by
                coalesce(brier_skill > 0, false) desc,
                -- where nothing has skill, this says as much as any
                model_name = 'base_rate' and coalesce(brier_skill, 0) <= 0 desc,
                metric_value desc nulls last,
                model_name asc
        ) as place

    from compared

),

choices as (

    select
        task,
        horizon_days,
        origin_date,
        model_name,
        place,
        chosen_on,
        earlier_origins_count,
        -- folds have no other
        case
            when chosen_on = 'earlier_origins' then '{{ metric }}'
            else 'average_precision'
        end as metric,
        metric_value,
        brier_skill,
        skill_status,
        place = 1 as is_published

    from ranked

)

select * from choices
