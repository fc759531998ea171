"""The risk to leave in a month. Grain: origin, plan, contract_state, tenure_months."""

from perennial.contracts import fit_hazards


def model(dbt, session):
    months = dbt.ref("train_contract_months")
    origins = dbt.ref("train_values").filter("is_scored").project("as_of_date")
    hazards = fit_hazards(months.df(), origins.distinct().order("as_of_date").df())
    # pandas has no plain date, and an empty frame has no types
    return session.from_df(hazards).project(
        "* replace (cast(origin_date as date) as origin_date)"
    )
