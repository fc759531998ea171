"""What models would say of other values of a feature. Grain: model, feature, point."""

from perennial.reasons import columns_of_features, dependence

SEEN = "customer_id, as_of_date, features_sha256"


def model(dbt, session):
    asked = dbt.ref("reason_scores").filter("is_sampled")
    seen = dbt.ref("reason_features").join(asked.project(SEEN), SEEN, how="semi")
    scoring = asked.project("model_id").distinct()
    models = dbt.ref("model_registry").join(scoring, "model_id", how="semi").df()

    told = dependence(
        asked.order("md5('reasons ' || customer_id), customer_id").df(),
        seen.project(columns_of_features(models)).df(),
        models.sort_values("model_id"),
        dbt.ref("reason_importance").df(),
    )

    return session.from_df(told).project(
        "* replace (cast(as_of_date as date) as as_of_date)"
    )
