"""Why scores moved since the date before. Grain: task, horizon, date, customer."""

from perennial.reasons import changes, columns_of_features

NOW, THEN = "model_id, features_sha256", "previous_model_id, previous_features_sha256"


def model(dbt, session):
    pairs = dbt.ref("reason_scores").filter("previous_as_of_date is not null")
    both = pairs.project(f"customer_id, as_of_date, {NOW}").union(
        pairs.project(f"customer_id, previous_as_of_date, {THEN}")
    )
    scoring = both.project("model_id").distinct()
    models = dbt.ref("model_registry").join(scoring, "model_id", how="semi").df()
    key = "customer_id, as_of_date, features_sha256"
    seen = dbt.ref("reason_features").join(both.project(key), key, how="semi")

    told = changes(
        pairs.df(),
        seen.project(columns_of_features(models)).df(),
        models.sort_values("model_id"),
    )

    return session.from_df(told).project(
        "* replace (cast(as_of_date as date) as as_of_date)"
    )
