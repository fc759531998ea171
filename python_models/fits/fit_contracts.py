"""How long contracts last. Grain: segment_kind, segment_value, period_months."""

from perennial.contracts import fit_segments


def model(dbt, session):
    periods = dbt.ref("int_contract_periods")
    return session.from_df(fit_segments(periods.df()))
