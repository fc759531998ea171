"""What to expect of every customer. Grain: customer, as_of_date, horizon, model."""

from perennial.clv import score_customers


def model(dbt, session):
    settings = dbt.ref("int_settings").df().iloc[0]
    splits = dbt.ref("model_splits").filter("role in ('score', 'test')")
    dates = splits.project("as_of_date, horizon_days").distinct()
    purchases = dbt.ref("feat_purchases").join(dates, "as_of_date", how="semi")
    buyers = purchases.filter("order_days_count > 0")

    scores = score_customers(
        buyers.df(),
        dbt.ref("fit_clv").df(),
        dates.df(),
        settings["annual_discount_rate"],
        settings["gross_margin"],
        settings["purchase_model"],
    )

    # pandas has no plain date, and an empty frame has no types
    return session.from_df(scores).project(
        "* replace (cast(as_of_date as date) as as_of_date)"
    )
