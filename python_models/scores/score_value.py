"""What fitted models expect of customers. Grain: horizon, date, customer, model."""

from perennial.churn import features_of
from perennial.value import score_customers


def model(dbt, session):
    customers = dbt.ref("train_values").filter("is_scored")
    listed = dbt.ref("train_features").order("feature_name").df()
    features = features_of(customers, dbt.ref("feature_store"), listed)
    stages = dbt.ref("fit_value_stages").project("model_id, stage")
    models = dbt.ref("fit_value_models").join(stages, "model_id")

    scores = score_customers(
        customers.project("horizon_days, as_of_date, customer_id").df(),
        features.df(),
        dbt.ref("fit_value").df(),
        models.cross(dbt.ref("int_score_date").project("score_date")).df(),
    )

    # pandas has no plain date, and an empty frame has no types
    return session.from_df(scores).project(
        "* replace (cast(as_of_date as date) as as_of_date, "
        "cast(fitted_date as date) as fitted_date, "
        "cast(model_id as varchar) as model_id)"
    )
