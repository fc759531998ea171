"""What each new model of amounts showed at each gate. Grain: model, gate."""

from perennial.churn import features_of
from perennial.value_gates import judge_amounts

KEY = "horizon_days, as_of_date"


def model(dbt, session):
    models = dbt.ref("fit_value_rivals")
    judged = models.project("horizon_days, as_of_date as origin_date").distinct()
    splits = dbt.ref("model_splits").filter("task = 'purchases' and role = 'train'")
    dates = splits.join(judged, "horizon_days, origin_date", how="semi").project(KEY)
    examples = dbt.ref("train_values").filter("is_for_training")
    examples = examples.join(dates, KEY, how="semi")
    listed = dbt.ref("train_features").order("feature_name").df()
    features = features_of(examples, dbt.ref("feature_store"), listed)

    return session.from_df(judge_amounts(models.df(), examples.df(), features.df()))
