-- Grain: one row per task, horizon_days and model_name.
-- Which candidate is chosen, by what all of them showed on past dates.

with

leaderboard as (

    select
        task,
        horizon_days,
        model_name,
        place,
        metric,
        metric_mean,
        origins_count,
        selection_origins_count,
        mean_average_precision,
        mean_roc_auc,
        mean_brier_skill,
        mean_expected_calibration_error,
        has_skill,
        is_chosen,
        choice_status

    from {{ ref('eval_leaderboard') }}

)

select * from leaderboard
