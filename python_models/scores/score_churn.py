"""What candidates said of past dates. Grain: task, horizon, date, customer, model."""

from perennial.churn import features_of, score_customers


def model(dbt, session):
    examples = dbt.ref("train_examples").filter("is_test_date")
    listed = dbt.ref("train_features").order("feature_name").df()
    features = features_of(examples, dbt.ref("feature_store"), listed)

    scores = score_customers(
        examples.project("task, horizon_days, as_of_date, customer_id").df(),
        features.df(),
        dbt.ref("fit_churn").df(),
    )

    # pandas has no plain date, and an empty frame has no types
    return session.from_df(scores).project(
        "* replace (cast(as_of_date as date) as as_of_date)"
    )
