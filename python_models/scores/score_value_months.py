"""When what is expected comes. Grain: horizon, shape, history, month."""

from perennial.clv import month_shares


def model(dbt, session):
    settings = dbt.ref("int_settings").df().iloc[0]
    clock = dbt.ref("int_score_date").project("score_date as as_of_date")
    splits = dbt.ref("model_splits").filter("role = 'score'")
    dates = splits.project("as_of_date, horizon_days").distinct()
    purchases = dbt.ref("feat_purchases").join(clock, "as_of_date", how="semi")

    shares = month_shares(
        purchases.filter("order_days_count > 0").df(),
        dbt.ref("fit_clv").df(),
        dates.order("as_of_date, horizon_days").df(),
        settings["annual_discount_rate"],
        settings["purchase_model"],
    )
    return session.from_df(shares)
