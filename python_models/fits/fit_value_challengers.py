"""What was learned of amounts in this run to score. Grain: horizon, model."""

from perennial.value import fit_due


def model(dbt, session):
    splits = dbt.ref("train_value_splits").filter("is_to_score")
    values = dbt.ref("train_values")
    store = dbt.ref("feature_store")
    listed = dbt.ref("train_features").order("feature_name").df()
    settings = dbt.ref("int_settings").df().iloc[0]

    fits = fit_due(splits, values, store, listed, settings)

    # pandas has no plain date, and an empty frame has no types
    dated = session.from_df(fits).project(
        "* exclude (origin_date), cast(origin_date as date) as as_of_date"
    )
    told = splits.project("horizon_days, fit_reason, learning_version").distinct()
    return dated.join(told, "horizon_days")
