"""What models see of whom they score today. Grain: customer, date."""

from perennial.registry import features_as_json


def model(dbt, session):
    scored = dbt.ref("score_population").project("customer_id, as_of_date").distinct()
    listed = dbt.ref("train_features").order("feature_name").df()
    store = dbt.ref("feature_store").join(scored, "customer_id, as_of_date", how="semi")

    features = features_as_json(list(listed["feature_name"]))

    return store.project(
        f"customer_id, as_of_date, feature_set_version, {features} as features"
    ).project("*, sha256(features) as features_sha256")
