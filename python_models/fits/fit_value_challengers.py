"""What was learned of amounts in this run to score. Grain: horizon, model."""

from perennial.churn import Settings, features_of
from perennial.value import fit_candidates


def model(dbt, session):
    settings = dbt.ref("int_settings").df().iloc[0]
    splits = dbt.ref("train_value_splits").filter("is_to_score")
    due = splits.project("horizon_days, as_of_date")
    examples = dbt.ref("train_values").filter("is_for_training")
    examples = examples.join(due, "horizon_days, as_of_date", how="semi")
    listed = dbt.ref("train_features").order("feature_name").df()
    features = features_of(examples, dbt.ref("feature_store"), listed)

    fits = fit_candidates(
        splits.df(),
        examples.df(),
        features.df(),
        Settings.of(listed, settings, trials="value_search_trials"),
        tell=lambda line: print(f"fit_value: {line}", flush=True),
    )

    # pandas has no plain date, and an empty frame has no types
    dated = session.from_df(fits).project(
        "* exclude (origin_date), cast(origin_date as date) as as_of_date"
    )
    told = splits.project("horizon_days, fit_reason, learning_version").distinct()
    return dated.join(told, "horizon_days")
