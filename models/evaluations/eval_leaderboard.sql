-- Grain: one row per task, horizon_days and model_name.
-- Candidates in the order of what they showed on past origins that are for selection,
-- and the one that is chosen. The newest origin is not looked at.

{% set metric = setting('metric_priority') %}

with

selection_origins as (

    select
        task,
        horizon_days,
        origin_date

    from {{ ref('model_splits') }}

    where
        role = 'test'
        and is_for_selection

),

horizons as (

    select distinct
        task,
        horizon_days

    from {{ ref('model_splits') }}

    where
        role = 'score'
        and task <> 'purchases'

),

-- these two can be chosen without a past origin
candidates as (

    select
        task,
        horizon_days,
        model_name

    from {{ ref('score_churn') }}

    union distinct

    select
        horizons.task,
        horizons.horizon_days,
        listed.model_name

    from horizons

    cross join (values ('base_rate'), ('mean_of_two')) as listed (model_name)

),

metrics as (

    select
        eval_churn.task,
        eval_churn.horizon_days,
        eval_churn.model_name,
        eval_churn.as_of_date,
        eval_churn.metric,
        cast(eval_churn.metric_value as decimal(38, 12)) as metric_value

    from {{ ref('eval_churn') }} as eval_churn

    inner join selection_origins
        on eval_churn.task = selection_origins.task
        and eval_churn.horizon_days = selection_origins.horizon_days
        and eval_churn.as_of_date = selection_origins.origin_date

    where
        eval_churn.population = '{{ setting("training_population") }}'
        and eval_churn.metric_value is not null

),

by_metric as (

    select
        task,
        horizon_days,
        model_name,
        metric,
        count(*) as origins_count,
        round(cast(sum(metric_value) as double) / count(*), 12) as mean_value

    from metrics

    group by task, horizon_days, model_name, metric

),

means as (

    select
        task,
        horizon_days,
        model_name,
        max(origins_count) filter (where metric = '{{ metric }}') as origins_count,
        max(mean_value) filter (where metric = '{{ metric }}') as metric_mean,
        max(mean_value) filter (where metric = 'average_precision')
            as mean_average_precision,
        max(mean_value) filter (where metric = 'roc_auc')
            as mean_roc_auc,
        max(mean_value) filter (where metric = 'brier_skill')
            as mean_brier_skill,
        max(mean_value) filter (where metric = 'expected_calibration_error')
            as mean_expected_calibration_error

    from by_metric

    group by task, horizon_days, model_name

),

compared as (

    select
        candidates.task,
        candidates.horizon_days,
        candidates.model_name,
        coalesce(
            case candidates.model_name
                {% for name in candidates_in_order() -%}
                    when '{{ name }}' then {{ loop.index }}
                {% endfor %}
            end,
            100
        ) as complexity,
        coalesce(means.origins_count, 0) as origins_count,
        coalesce(
            max(means.origins_count) over (
                partition by candidates.task, candidates.horizon_days
            ),
            0
        ) as selection_origins_count,
        '{{ metric }}' as metric,
        means.metric_mean,
        means.mean_average_precision,
        means.mean_roc_auc,
        means.mean_brier_skill,
        means.mean_expected_calibration_error

    from candidates

    left join means
        on candidates.task = means.task
        and candidates.horizon_days = means.horizon_days
        and candidates.model_name = means.model_name

),

ranked as (

    select
        *,
        -- a mean over other dates is no better or worse
        selection_origins_count > 0
        and origins_count = selection_origins_count as is_comparable,
        is_comparable
        and mean_brier_skill > 0
        and model_name <> 'base_rate' as has_skill,
        row_number() over (
            partition by task, horizon_days
            order by
                is_comparable desc,
                metric_mean desc nulls last,
                complexity asc,
                model_name asc
        ) as place

    from compared

),

judged as (

    select
        *,
        min(place) filter (where has_skill) over (
            partition by task, horizon_days
        ) as first_place_with_skill,
        case
            when selection_origins_count = 0 then 'by_folds'
            when first_place_with_skill is null then 'no_skill'
            else 'skill'
        end as choice_status

    from ranked

),

leaderboard as (

    select
        task,
        horizon_days,
        model_name,
        place,
        cast(complexity as bigint) as complexity,
        metric,
        metric_mean,
        origins_count,
        selection_origins_count,
        mean_average_precision,
        mean_roc_auc,
        mean_brier_skill,
        mean_expected_calibration_error,
        has_skill,
        case choice_status
            when 'by_folds' then model_name = 'mean_of_two'
            when 'no_skill' then model_name = 'base_rate'
            else place = first_place_with_skill
        end as is_chosen,
        choice_status

    from judged

)

select * from leaderboard
