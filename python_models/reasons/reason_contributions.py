"""What scores are made of. Grain: task, horizon, date, customer, feature."""

from perennial.reasons import columns_of_features, explain

SEEN = "customer_id, as_of_date, features_sha256"


def model(dbt, session):
    settings = dbt.ref("int_settings").df().iloc[0]
    asked = dbt.ref("reason_scores").filter("is_explained")
    seen = dbt.ref("reason_features").join(asked.project(SEEN), SEEN, how="semi")
    scoring = asked.project("model_id").distinct()
    models = dbt.ref("model_registry").join(scoring, "model_id", how="semi").df()

    told = explain(
        asked.df(),
        seen.project(columns_of_features(models)).df(),
        models.sort_values("model_id"),
        dbt.ref("feature_catalogue").df(),
        dbt.ref("reason_importance").df(),
        threads=int(settings["model_threads"]),
    )

    return session.from_df(told).project(
        "* replace (cast(as_of_date as date) as as_of_date)"
    )
