"""Gates that a model of amounts has to pass before it scores.

How good a candidate is on past dates is told by the leaderboard, for each route; it
chooses between candidates. The gates look at the model of today itself: whether it has
learned what its own training rows say, and no worse than the model that it is to
replace. One that was fitted on other amounts, or was spoilt since, does not pass.
"""

from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import rankdata
from threadpoolctl import threadpool_limits

from perennial import value
from perennial.registry import checked_document

#: On its own rows a model expects in total what they brought, times or over that.
MOST_TOTAL_RATIO = 1.25

#: So well it ranks its own rows at least: 0 is chance, 1 is perfect.
LEAST_GINI = 0.1

#: It has learned from the newest of these rows, and the model before it perhaps not:
#: so much worse it may be by chance.
MOST_ERROR_RATIO = 1.05

DECIMALS = 12


def judge_amounts(
    models: pd.DataFrame, examples: pd.DataFrame, features: pd.DataFrame
) -> pd.DataFrame:
    """Put each newly registered model of amounts to its gates.

    Parameters
    ----------
    models : DataFrame
        Rows of ``fit_value_rivals``: ``champion_id``, ``champion_document`` and
        ``champion_sha256`` are those of the model that it is to replace, or None.
    examples : DataFrame
        ``horizon_days``, ``as_of_date``, ``customer_id`` and ``future_amount`` of the
        training rows of today.
    features : DataFrame
        One row per ``customer_id`` and ``as_of_date``.

    Returns
    -------
    DataFrame
        One row per ``model_id`` and ``gate``: ``value``, ``threshold``, ``verdict``
        (``met``, ``not_met``, ``warned`` where nobody can tell, ``first`` where there
        is nothing to compare with) and ``note``.

    Raises
    ------
    Fault
        If a document is not what was registered.
    """
    rows = []
    with threadpool_limits(limits=1):
        for horizon_days, judged in models.groupby("horizon_days", sort=True):
            own = examples[examples["horizon_days"] == horizon_days]
            learned = value.training_rows(own, features)
            for model in judged.sort_values("model_id").itertuples(index=False):
                rows += [(model.model_id, *gate) for gate in _gates(model, learned)]
    gates = pd.DataFrame(rows, columns=list(_GATE_COLUMNS)).astype(_GATE_COLUMNS)
    return gates.round({"value": DECIMALS, "threshold": DECIMALS})


def normalised_gini(expected: np.ndarray, brought: np.ndarray) -> float:
    """Area between the diagonal and the share of the total that the first k hold.

    Over that of the perfect order, as ``normalised_gini`` of the backtest has it, but
    that customers of whom the same is expected share their places.

    Parameters
    ----------
    expected, brought : array of float, shape (n,)

    Returns
    -------
    float
        From -1 to 1; NaN where nothing was brought, or by all alike.
    """
    total, count = brought.sum(), len(brought)
    if total <= 0:
        return np.nan
    own, perfect = (
        2 * float(np.dot(brought, rankdata(order))) / (count * total) - 1
        for order in (expected, brought)
    )
    return own / perfect if perfect > 0 else np.nan


def _gates(model: Any, learned: pd.DataFrame) -> list[tuple]:
    document = checked_document(
        model.model_id, model.model_document, model.document_sha256
    )
    brought = learned["amount"].to_numpy(float)
    if not brought.sum() > 0:
        note = "no training row brought anything"
        return [(name, None, None, "warned", note) for name in GATES]
    expected = value.amounts(document, learned)
    note = f"{len(learned)} training rows"
    ratio = float(expected.sum() / brought.sum())
    is_level = 1 / MOST_TOTAL_RATIO <= ratio <= MOST_TOTAL_RATIO
    told = [("own_rows_total", ratio, MOST_TOTAL_RATIO, _verdict(is_level), note)]
    gini = normalised_gini(expected, brought)
    if np.isnan(gini):
        told.append(("own_rows_gini", None, LEAST_GINI, "warned", "all brought alike"))
    else:
        verdict = _verdict(gini >= LEAST_GINI)
        told.append(("own_rows_gini", gini, LEAST_GINI, verdict, note))
    return [*told, _gate_beside_champion(model, learned, expected, brought)]


def _gate_beside_champion(
    model: Any, learned: pd.DataFrame, expected: np.ndarray, brought: np.ndarray
) -> tuple:
    name = "own_rows_error"
    if not isinstance(model.champion_id, str):
        return name, None, None, "first", "no model scored before"
    document = checked_document(
        model.champion_id, model.champion_document, model.champion_sha256
    )
    own = _squared_error(expected, brought)
    theirs = _squared_error(value.amounts(document, learned), brought)
    note = f"{len(learned)} training rows, over that of {model.champion_id}"
    if theirs == 0:
        return name, None, MOST_ERROR_RATIO, _verdict(own == 0), note
    ratio = float(np.sqrt(own / theirs))
    return name, ratio, MOST_ERROR_RATIO, _verdict(ratio <= MOST_ERROR_RATIO), note


#: Their names.
GATES = ("own_rows_total", "own_rows_gini", "own_rows_error")

_GATE_COLUMNS = {
    "model_id": str,
    "gate": str,
    "value": float,
    "threshold": float,
    "verdict": str,
    "note": str,
}


def _squared_error(expected: np.ndarray, brought: np.ndarray) -> float:
    return float(np.mean((expected - brought) ** 2))


def _verdict(is_met: bool) -> str:
    return "met" if is_met else "not_met"
