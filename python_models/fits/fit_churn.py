"""What the candidates of a task learned. Grain: task, horizon, origin, model."""

from perennial.churn import Settings, features_of, fit_candidates


def model(dbt, session):
    settings = dbt.ref("int_settings").df().iloc[0]
    splits = dbt.ref("train_due_splits")
    due = splits.project("task, horizon_days, as_of_date")
    examples = dbt.ref("train_examples").filter("is_for_training")
    examples = examples.join(due, "task, horizon_days, as_of_date", how="semi")
    listed = dbt.ref("train_features").order("feature_name").df()
    features = features_of(examples, dbt.ref("feature_store"), listed)

    fits = fit_candidates(
        splits.df(),
        examples.df(),
        features.df(),
        Settings.of(listed, settings),
        tell=lambda line: print(f"fit_churn: {line}", flush=True),
    )

    # pandas has no plain date, and an empty frame has no types
    return session.from_df(fits).project(
        "* replace (cast(origin_date as date) as origin_date)"
    )
