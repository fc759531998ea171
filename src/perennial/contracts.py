"""How long contracts last, from life tables: by the renewal, and by the month.

The shifted-beta-geometric model: each customer leaves at a renewal with a probability
of their own, always the same, and the probabilities are beta distributed. Who is still
there after many renewals is likelier one of those who hardly ever leave, so that the
share that renews rises with time, though nobody changes [1]_.

The discrete-time hazard: whoever is a subscriber at the end of a month leaves within
the next one with a probability that depends on the plan, on how long it has lasted and
on whether a contract binds or ends [2]_.

References
----------
.. [1] P. Fader, B. Hardie (2007). How to Project Customer Retention. Journal of
   Interactive Marketing 21 (1), 76-90.
.. [2] J. Singer, J. Willett (1993). It's About Time: Using Discrete-Time Survival
   Analysis to Study Duration and the Timing of Events. Journal of Educational
   Statistics 18 (2), 155-195.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from perennial import __version__

#: With fewer contracts that were lost nothing is fitted.
MINIMUM_LOST = 30

#: Why there are no parameters: see the vocabulary.
RETENTION_STATUSES = ("ok", "too_few_lost", "one_renewal")

#: Why there are no risks by the month.
HAZARD_STATUSES = ("ok", "too_few_lost", "too_few_kept")

#: Whether a contract ends within the month, binds beyond it, or there is none.
CONTRACT_STATES = ("none", "due", "bound")

#: The plan under which risks are told of plans that nobody learned from.
ANY_OTHER = "any_other"

#: Parameters are looked for between these; contracts that are all alike have the most.
LEAST, MOST = 1e-3, 1e5

#: With less to gain in log-likelihood from telling contracts apart, they are alike.
LEAST_GAIN = 0.01

#: Where the search begins: sums of alpha and beta, the less the more contracts differ.
STARTS = (0.5, 5.0, 50.0)

#: Decimals of a parameter, so that the same table gives the same bytes.
DECIMALS = 6


@dataclass(frozen=True)
class Retention:
    """What was learned of contracts, or why nothing was.

    Attributes
    ----------
    alpha, beta : float
        Of the beta distribution of the probability of leaving at a renewal; NaN unless
        ``status`` is ``ok``.
    log_likelihood : float
        Natural logarithm, of all contracts.
    status : str
        One of :data:`RETENTION_STATUSES`.
    note : str
        What was seen, in words; empty where there is nothing to add.
    """

    alpha: float = np.nan
    beta: float = np.nan
    log_likelihood: float = np.nan
    status: str = "ok"
    note: str = ""


def fit_retention(
    period: np.ndarray, at_risk: np.ndarray, lost: np.ndarray
) -> Retention:
    """Fit the shifted-beta-geometric distribution to a life table.

    Parameters
    ----------
    period : array of int, shape (n,)
        Numbers of renewals, from 1.
    at_risk, lost : array of int, shape (n,)
        Contracts that came to the renewal, and those that were lost at it. Contracts
        that go on count at each renewal that they came to.

    Returns
    -------
    Retention
        By maximum likelihood, the best of several starts.
    """
    period, at_risk, lost = (
        np.asarray(a, dtype=float) for a in (period, at_risk, lost)
    )
    if lost.sum() < MINIMUM_LOST:
        note = f"{lost.sum():.0f} contracts were lost; the least is {MINIMUM_LOST}"
        return Retention(status="too_few_lost", note=note)
    if np.count_nonzero(at_risk) < 2:
        note = "one renewal cannot tell how much contracts differ"
        return Retention(status="one_renewal", note=note)

    def loss(logarithms: np.ndarray) -> tuple[float, np.ndarray]:
        alpha, beta = np.exp(logarithms)
        both = 1 / (alpha + beta + period - 1)
        stayed = at_risk - lost
        slopes = np.array(
            [
                lost @ (1 / alpha - both) - stayed @ both,
                stayed @ (1 / (beta + period - 1) - both) - lost @ both,
            ]
        )
        value = log_likelihood(alpha, beta, period, at_risk, lost)
        return -value, -slopes * (alpha, beta)

    # who came to a second renewal stayed at the first, so that it is neither 0 nor 1
    rate = lost.sum() / at_risk.sum()
    found = [
        minimize(
            loss,
            np.log([rate * size, (1 - rate) * size]),
            jac=True,
            method="L-BFGS-B",
            bounds=[(np.log(LEAST), np.log(MOST))] * 2,
            options={"ftol": 1e-14, "gtol": 1e-8},
        )
        for size in STARTS
    ]
    alpha, beta = np.exp(min(found, key=lambda one: one.fun).x)
    # the limit in which everybody leaves with the same probability
    alike = rate * MOST, (1 - rate) * MOST
    gain = log_likelihood(alpha, beta, period, at_risk, lost) - log_likelihood(
        *alike, period, at_risk, lost
    )
    is_alike = gain < LEAST_GAIN
    alpha, beta = np.round(alike if is_alike else (alpha, beta), DECIMALS)
    return Retention(
        alpha=float(alpha),
        beta=float(beta),
        log_likelihood=round(
            log_likelihood(alpha, beta, period, at_risk, lost), DECIMALS
        ),
        note="no difference between contracts was found" if is_alike else "",
    )


def log_likelihood(
    alpha: float,
    beta: float,
    period: np.ndarray,
    at_risk: np.ndarray,
    lost: np.ndarray,
) -> float:
    """Natural logarithm of the likelihood of a life table.

    Of those who come to renewal t, alpha / (alpha + beta + t - 1) are lost, which is
    what equations 5 and 6 of [1]_ give, one renewal after the other.

    Parameters
    ----------
    alpha, beta : float
    period, at_risk, lost : array of float, shape (n,)

    Returns
    -------
    float
    """
    both = np.log(alpha + beta + period - 1)
    left = np.log(alpha) - both
    stayed = np.log(beta + period - 1) - both
    return float(lost @ left + (at_risk - lost) @ stayed)


def fit_segments(periods: pd.DataFrame) -> pd.DataFrame:
    """Fit each segment of the life table by itself.

    Parameters
    ----------
    periods : DataFrame
        ``segment_kind``, ``segment_value``, ``period_months``, ``period_number``,
        ``at_risk_count``, ``lost_count``.

    Returns
    -------
    DataFrame
        One row per segment and ``period_months``, also where nothing was fitted.
    """
    segment = ["segment_kind", "segment_value", "period_months"]
    rows = []
    for key, table in periods.groupby(segment, sort=True):
        table = table.sort_values("period_number")
        columns = (table[c] for c in ("period_number", "at_risk_count", "lost_count"))
        fit = fit_retention(*(column.to_numpy() for column in columns))
        rows.append(
            (
                *key,
                int(table["at_risk_count"].max()),
                int(table["lost_count"].sum()),
                fit.alpha,
                fit.beta,
                fit.log_likelihood,
                fit.status,
                fit.note,
                __version__,
            )
        )
    return pd.DataFrame(rows, columns=list(_COLUMNS)).astype(_COLUMNS)


_COLUMNS = {
    "segment_kind": str,
    "segment_value": str,
    "period_months": int,
    "contracts_count": int,
    "lost_count": int,
    "alpha": float,
    "beta": float,
    "log_likelihood": float,
    "retention_status": str,
    "retention_note": str,
    "library_version": str,
}


def fit_hazards(months: pd.DataFrame, origins: pd.DataFrame) -> pd.DataFrame:
    """Fit the risk to leave within a month, as it was known at each origin.

    Logistic regression on customer-months: the plan, how many months it has lasted
    (logarithm, and its square), and the state of the contract.

    Parameters
    ----------
    months : DataFrame
        ``next_date``, ``plan``, ``contract_state``, ``tenure_months``,
        ``at_risk_count``, ``lost_count``: subscribers at the end of a month, and those
        of them who were none on ``next_date``.
    origins : DataFrame
        ``as_of_date``: of each, months that were over by then are learned from.

    Returns
    -------
    DataFrame
        One row per origin, plan (:data:`ANY_OTHER` too), one of
        :data:`CONTRACT_STATES` and ``tenure_months`` from 0 to the longest that was
        seen; where nothing was fitted a single one, without a probability.
    """
    pieces = []
    with threadpool_limits(limits=1):
        for origin_date in sorted(origins["as_of_date"]):
            known = months[months["next_date"] <= origin_date]
            hazards = _hazards_of(known.groupby(_KIND, sort=True)[_COUNTS].sum())
            pieces.append(hazards.assign(origin_date=origin_date))
    hazards = pd.concat(pieces) if pieces else pd.DataFrame()
    hazards = hazards.reindex(columns=list(_HAZARD_COLUMNS))
    return hazards.assign(library_version=__version__).astype(_HAZARD_COLUMNS)


def _hazards_of(table: pd.DataFrame) -> pd.DataFrame:
    """Fit one life table by the month, and tell its risks from month to month."""
    at_risk, lost = table["at_risk_count"].sum(), table["lost_count"].sum()
    for count, status, what in (
        (lost, "too_few_lost", "were lost"),
        (at_risk - lost, "too_few_kept", "were kept"),
    ):
        if count < MINIMUM_LOST:
            note = f"{count} customer-months {what}; the least is {MINIMUM_LOST}"
            nobody = (ANY_OTHER, "none", 0, at_risk, lost, status, note)
            return pd.DataFrame([nobody], columns=[*_KIND, *_COUNTS, *_ENDS])
    seen = table.reset_index()
    plans = sorted(seen["plan"].unique())
    kept_count = seen["at_risk_count"] - seen["lost_count"]
    model = LogisticRegression(solver="newton-cholesky", tol=1e-10, max_iter=1000).fit(
        np.tile(_month_matrix(seen, plans), (2, 1)),
        np.repeat([1, 0], len(seen)),
        sample_weight=np.concatenate([seen["lost_count"], kept_count]),
    )
    grid = pd.MultiIndex.from_product(
        [
            [*plans, ANY_OTHER],
            CONTRACT_STATES,
            range(int(seen["tenure_months"].max()) + 1),
        ],
        names=_KIND,
    ).to_frame(index=False)
    said = model.predict_proba(_month_matrix(grid, plans))[:, 1]
    grid["leaving_probability"] = np.round(said, DECIMALS)
    counted = grid.join(table, on=_KIND).fillna(dict.fromkeys(_COUNTS, 0))
    return counted.assign(hazard_status="ok", hazard_note="")


def _month_matrix(months: pd.DataFrame, plans: list[str]) -> np.ndarray:
    length = np.log1p(months["tenure_months"].to_numpy(float))
    columns = [length, length**2]
    columns += [months["contract_state"] == state for state in CONTRACT_STATES[1:]]
    columns += [months["plan"] == plan for plan in plans]
    return np.column_stack(columns).astype(float)


_KIND = ["plan", "contract_state", "tenure_months"]
_COUNTS = ["at_risk_count", "lost_count"]
_ENDS = ["hazard_status", "hazard_note"]

_HAZARD_COLUMNS = {
    "origin_date": "datetime64[us]",
    "plan": str,
    "contract_state": str,
    "tenure_months": int,
    "leaving_probability": float,
    "at_risk_count": int,
    "lost_count": int,
    "hazard_status": str,
    "hazard_note": str,
    "library_version": str,
}
