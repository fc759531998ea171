"""How often reasons name what truly made a customer of the demo company leave.

The truth lies beside the company's files, where no model reads. Here it is held against
what the published models of past dates would have said.
"""

import json

import numpy as np
import pandas as pd

from perennial import reasons
from perennial.faults import Fault
from perennial.project import Project

#: So many themes that raise the probability count as named, by one feature each, of so
#: many features as are told: what customer_360 says.
TOP = 3

#: So many of those who stayed are asked about on each date, drawn by a hash of the id.
STAYERS = 250

#: What each observed cause leaves in the data: themes and features that it is seen by.
#: Onboarding that failed is a product that is hardly used.
TRACES = {
    "onboarding_failed": (("engagement",), ("first_30d_sessions_count", "has_used")),
    "support_trouble": (("support",), ("has_ticket",)),
    "price_rise": ((), ("mrr", "mrr_change_90d")),
    "outage": (("engagement",), ()),
}

#: In the order in which a churn with several causes is counted. The last three are not
#: observed: a payment that fails for good does so within the window, and nothing but
#: silence tells of the others.
ROWS = (*TRACES, "payment_failed", "own_reasons", "none")

_PUBLISHED = """
select choices.origin_date, fits.model_name, fits.model_document
from marts.churn_backtest_choices as choices
inner join fits.fit_churn as fits using (task, horizon_days, origin_date, model_name)
where choices.task = 'churn' and choices.horizon_days = $horizon_days
    and choices.is_published
order by choices.origin_date
"""

_JUDGED = """
select store.*, said.is_positive
from features.feature_store as store
inner join evaluations.eval_churn_predictions as said
    using (customer_id, as_of_date)
where said.task = 'churn' and said.horizon_days = $horizon_days
    and said.population = 'in_scope' and said.model_name = 'base_rate'
    and store.as_of_date = $origin_date
qualify said.is_positive or row_number() over (
    partition by said.is_positive order by md5(store.customer_id)
) <= $stayers
order by store.customer_id
"""


def named_causes(project: Project, horizon_days: int = 90) -> pd.DataFrame:
    """Count churners whose cause is named by one of their top reasons.

    Parameters
    ----------
    project : Project
        The demo company, built.
    horizon_days : int

    Returns
    -------
    DataFrame
        One row per ``cause`` of :data:`ROWS`, over the past dates together:
        ``churners_count`` (each counted once, for the first of its causes),
        ``named_count``, and of customers who stayed ``stayers_count`` and
        ``named_stayers_count``: for how many the same features were named all the same.
        Where no cause was observed, nothing is counted as named.

    Raises
    ------
    Fault
        If the truth is not there.
    """
    asked = {"horizon_days": horizon_days}
    with project.reading() as connection:
        ((folder,),) = connection.execute(
            "select folder from reading.demo_files"
        ).fetchall()
        file = f"{folder}/truth/churn_causes.parquet"
        try:
            causes = connection.execute("from read_parquet($file)", {"file": file}).df()
        except Exception as error:
            raise Fault(f"{file} cannot be read: {error}") from None
        catalogue = connection.execute("from seeds.feature_catalogue").df()
        themes = dict(zip(catalogue["feature_name"], catalogue["theme"], strict=True))
        fits = connection.execute(_PUBLISHED, asked).df()
        pieces = []
        for fit in fits.itertuples(index=False):
            at = {**asked, "origin_date": fit.origin_date.date(), "stayers": STAYERS}
            rows = connection.execute(_JUDGED, at).df()
            found = reasons.contributions(json.loads(fit.model_document), rows)
            named = pd.DataFrame(_named(found, themes))
            pieces.append(
                pd.concat([_caused(rows, causes, horizon_days), named], axis=1)
            )
    told = pd.concat(pieces, ignore_index=True)
    return pd.DataFrame([_row(told, cause) for cause in ROWS])


def _named(
    found: reasons.Contributions, themes: dict[str, str]
) -> dict[str, np.ndarray]:
    """Tell which causes they trace that speak for the strongest themes."""
    strength = np.abs(found.matrix)
    told = strength.argsort(axis=1, kind="stable")[:, ::-1][:, : reasons.TOLD_FEATURES]
    matrix = np.zeros_like(found.matrix)
    np.put_along_axis(
        matrix, told, np.take_along_axis(found.matrix, told, axis=1), axis=1
    )
    names = np.array(found.names, dtype=object)
    theme_of = np.array([themes.get(name, name) for name in names], dtype=object)
    distinct = np.unique(theme_of)
    of_theme = [np.flatnonzero(theme_of == theme) for theme in distinct]
    sums = np.stack([matrix[:, places].sum(axis=1) for places in of_theme], axis=1)
    speaks = np.stack(
        [places[matrix[:, places].argmax(axis=1)] for places in of_theme], axis=1
    )
    top = np.argsort(-sums, axis=1, kind="stable")[:, :TOP]
    is_rising = np.take_along_axis(sums, top, axis=1) > 0
    speaker = np.take_along_axis(speaks, top, axis=1)
    named = {}
    for cause, (seen_themes, seen) in TRACES.items():
        is_trace = np.isin(names, seen) | np.isin(theme_of, seen_themes)
        named[f"names_{cause}"] = (is_trace[speaker] & is_rising).any(axis=1)
    return named


def _caused(rows: pd.DataFrame, causes: pd.DataFrame, days: int) -> pd.DataFrame:
    """Put beside each customer what ended the subscription in the window."""
    known = rows[["customer_id", "as_of_date", "is_positive"]].merge(
        causes, on="customer_id", how="left"
    )
    since = (known["ended_date"] - known["as_of_date"]).dt.days
    is_in_window = known["is_positive"] & since.between(1, days)
    told = {"is_positive": known["is_positive"].to_numpy(bool)}
    for cause in ROWS[:-1]:
        told[f"by_{cause}"] = (
            is_in_window & ~known["is_voluntary"].fillna(True).astype(bool)
            if cause == "payment_failed"
            else is_in_window & known[f"by_{cause}"].fillna(False).astype(bool)
        ).to_numpy(bool)
    return pd.DataFrame(told)


def _row(told: pd.DataFrame, cause: str) -> dict:
    first = pd.Series("none", index=told.index)
    for name in reversed(ROWS[:-1]):
        first = first.mask(told[f"by_{name}"], name)
    lost = told[told["is_positive"] & (first == cause)]
    stayed = told[~told["is_positive"]]
    is_named = pd.Series(False, index=lost.index)
    for name in TRACES:
        is_named |= lost[f"by_{name}"] & lost[f"names_{name}"]
    named_stayers = stayed[f"names_{cause}"].sum() if cause in TRACES else 0
    return {
        "cause": cause,
        "churners_count": len(lost),
        "named_count": int(is_named.sum()),
        "stayers_count": len(stayed),
        "named_stayers_count": int(named_stayers),
    }
