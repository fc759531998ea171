"""What each new model showed at each gate. Grain: model, gate."""

from perennial.registry import judge_models

KEY = "task, horizon_days, as_of_date"


def model(dbt, session):
    settings = dbt.ref("int_settings").df().iloc[0]
    models = dbt.ref("models_to_judge")
    judged = models.project("task, horizon_days").distinct()
    splits = dbt.ref("model_splits").join(judged, "task, horizon_days", how="semi")
    origins = splits.filter("role = 'test' and is_for_selection").project(KEY)
    ours = f"population = '{settings['training_population']}'"
    metrics = dbt.ref("eval_churn").filter(ours).join(origins, KEY, how="semi")
    said = dbt.ref("eval_churn_predictions").filter(ours)
    today = dbt.ref("retrain_decision").project("as_of_date as origin_date").distinct()
    dates = splits.filter("role = 'train'").join(today, "origin_date", how="semi")
    examples = dbt.ref("train_examples").filter("is_for_training")
    learned = examples.join(dates.project(KEY), KEY, how="semi")

    gates = judge_models(
        models.df(),
        metrics.df(),
        said.join(origins, KEY, how="semi").df(),
        learned.join(dbt.ref("feature_store"), "customer_id, as_of_date").df(),
        settings,
    )

    return session.from_df(gates)
