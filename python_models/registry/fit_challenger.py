"""What was fitted in this run to score. Grain: task, horizon, model."""

from perennial.churn import Settings, features_of
from perennial.registry import fit_to_score


def model(dbt, session):
    settings = dbt.ref("int_settings").df().iloc[0]
    splits = dbt.ref("train_due_splits")
    due = splits.project("task, horizon_days, as_of_date")
    examples = dbt.ref("train_examples").filter("is_for_training")
    examples = examples.join(due, "task, horizon_days, as_of_date", how="semi")
    listed = dbt.ref("train_features").order("feature_name").df()
    features = features_of(examples, dbt.ref("feature_store"), listed)

    fits = fit_to_score(
        splits.df(),
        examples.df(),
        features.df(),
        Settings.of(listed, settings),
        dbt.ref("retrain_decision").df(),
        dbt.ref("eval_leaderboard").df(),
    )

    return session.from_df(fits).project(
        "* replace (cast(as_of_date as date) as as_of_date)"
    )
