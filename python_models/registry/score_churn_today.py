"""What the models that stand say today. Grain: task, horizon, customer, role."""

from perennial.registry import score_with_models


def model(dbt, session):
    population = dbt.ref("score_population")
    dates = population.project("customer_id, as_of_date")
    listed = dbt.ref("train_features").order("feature_name").df()
    store = dbt.ref("feature_store").join(dates, "customer_id, as_of_date", how="semi")
    columns = ["customer_id", "as_of_date", *listed["feature_name"]]

    scores = score_with_models(
        population.df(),
        store.project(", ".join(columns)).df(),
        dbt.ref("current_models").df(),
    )

    return session.from_df(scores).project(
        "* replace (cast(as_of_date as date) as as_of_date,"
        " cast(model_id as varchar) as model_id)"
    )
