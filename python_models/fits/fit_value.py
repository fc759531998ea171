"""What customers brought, as learned at past origins. Grain: horizon, origin, model."""

from perennial.value import fit_due


def model(dbt, session):
    splits = dbt.ref("train_value_splits").filter("not is_to_score")
    values = dbt.ref("train_values")
    store = dbt.ref("feature_store")
    listed = dbt.ref("train_features").order("feature_name").df()
    settings = dbt.ref("int_settings").df().iloc[0]

    fits = fit_due(splits, values, store, listed, settings)

    # pandas has no plain date, and an empty frame has no types
    dated = session.from_df(fits).project(
        "* replace (cast(origin_date as date) as origin_date)"
    )
    return dated.cross(splits.aggregate("max(learning_version) as learning_version"))
