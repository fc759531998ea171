"""What the value models learned. Grain: as_of_date, model_name, parameter_name."""

from perennial.clv import fit_models


def model(dbt, session):
    settings = dbt.ref("int_settings").df().iloc[0]
    scored_dates = dbt.ref("int_as_of_dates").filter("is_scored")
    purchases = dbt.ref("feat_purchases").join(scored_dates, "as_of_date", how="semi")
    buyers = purchases.filter("order_days_count > 0")

    fits = fit_models(
        buyers.df(),
        int(settings["minimum_repeat_customers"]),
        bool(settings["pareto_nbd"]),
    )

    # pandas has no plain date, and an empty frame has no types
    return session.from_df(fits).project(
        "* replace (cast(as_of_date as date) as as_of_date)"
    )
