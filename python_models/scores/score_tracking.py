"""Orders that were to come after past dates. Grain: as_of_date, model, days ahead."""

from perennial.clv import track_orders


def model(dbt, session):
    splits = dbt.ref("model_splits").filter("role = 'test' and task = 'purchases'")
    dates = splits.aggregate("as_of_date, max(horizon_days) as horizon_days")
    purchases = dbt.ref("feat_purchases").join(dates, "as_of_date", how="semi")

    tracked = track_orders(
        purchases.filter("order_days_count > 0").df(),
        dbt.ref("fit_clv").df(),
        dates.order("as_of_date").df(),
    )
    # pandas has no plain date, and an empty frame has no types
    return session.from_df(tracked).project(
        "* replace (cast(as_of_date as date) as as_of_date)"
    )
