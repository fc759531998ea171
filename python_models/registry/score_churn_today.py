"""What the models that stand say today. Grain: task, horizon, customer, role."""

from perennial.churn import features_of
from perennial.registry import score_with_models


def model(dbt, session):
    population = dbt.ref("score_population")
    listed = dbt.ref("train_features").order("feature_name").df()
    features = features_of(population, dbt.ref("feature_store"), listed)

    scores = score_with_models(
        population.df(),
        features.df(),
        dbt.ref("current_models").df(),
    )

    return session.from_df(scores).project(
        "* replace (cast(as_of_date as date) as as_of_date,"
        " cast(model_id as varchar) as model_id)"
    )
