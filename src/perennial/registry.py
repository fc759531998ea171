"""Models that last: fitted for today, judged at gates, applied as they were stored.

Frames in, frames out, in the names of the tables. What a model learned is a document,
the text of :mod:`perennial.churn`; nothing is read of it before its hash was checked.
"""

import hashlib
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from scipy.special import logit
from threadpoolctl import threadpool_limits

from perennial import churn
from perennial.faults import Fault

#: Decimals of the log-odds of a published probability.
MARGIN_DECIMALS = 12

#: What a gate can say. ``first`` is the verdict where there is nothing to compare with.
VERDICTS = ("met", "not_met", "warned", "first")

#: Customers are drawn so often to tell a difference from chance.
DRAWS = 1000

#: Draws that are held in memory together.
DRAWS_AT_A_TIME = 10

#: The middle of the draws that an interval covers, in per cent.
INTERVAL = 95

#: Of the origins, in so many a better Brier score must be more than chance.
SHARE_OF_ORIGINS = 2 / 3

#: On rows that a model learned from, it has at least so much of the skill that fits of
#: its kind had on past dates.
SHARE_OF_PAST_SKILL = 0.5

#: Above that, probabilities are not to be believed, and ranks not to be relied on.
MOST_CALIBRATION_ERROR = 0.05
MOST_AUC_SPREAD = 0.10

Frame = pd.DataFrame


def fit_to_score(
    splits: Frame,
    examples: Frame,
    features: Frame,
    settings: churn.Settings,
    decisions: Frame,
    leaderboard: Frame,
) -> Frame:
    """Fit the chosen candidate of each task and horizon that is due on today's dates.

    Where another candidate scores today, that one is fitted anew too: should the chosen
    one fail at the gate, today's is a fresh fit all the same.

    Parameters
    ----------
    splits, examples, features, settings
        As for :func:`perennial.churn.fit_candidates`.
    decisions : DataFrame
        Rows of ``retrain_decision``.
    leaderboard : DataFrame
        Rows of ``eval_leaderboard``.

    Returns
    -------
    DataFrame
        What :func:`perennial.churn.fit_candidates` says of a fit, with ``as_of_date``
        in place of the origin, ``is_chosen``, and ``document_sha256``. Nothing for a
        task and horizon without training rows.
    """
    pieces = []
    due = decisions[decisions["is_due"].astype(bool)]
    for decision in due.itertuples(index=False):
        key = {"task": decision.task, "horizon_days": decision.horizon_days}
        board = leaderboard[_is(leaderboard, key) & leaderboard["is_chosen"]]
        chosen = board["model_name"].iloc[0] if len(board) else "base_rate"
        champion = decision.champion_name
        names = {chosen} if pd.isna(champion) else {champion, chosen}
        today = splits[_is(splits, key)].query("origin_date == @decision.as_of_date")
        fits = churn.fit_candidates(
            today.assign(role=today["role"].replace("score", "test")),
            examples[_is(examples, key)],
            features,
            replace(settings, horizon_days=int(decision.horizon_days)),
            candidates=churn.candidates_for(names),
        )
        kept = fits[fits["model_name"].isin(names) & (fits["model_document"] != "")]
        pieces.append(kept.assign(is_chosen=kept["model_name"] == chosen))
    empty = pd.DataFrame(columns=list(_TO_SCORE_COLUMNS))
    if pieces:
        fits = pd.concat(pieces).rename(columns={"origin_date": "as_of_date"})
        hashes = fits["model_document"].map(document_hash)
        fits = fits.assign(document_sha256=hashes)
    else:
        fits = empty
    return fits[list(_TO_SCORE_COLUMNS)].astype(_TO_SCORE_COLUMNS)


def document_hash(document: str) -> str:
    """SHA-256 of a document, in hex."""
    return hashlib.sha256(document.encode()).hexdigest()


def checked_document(model_id: str, document: str, sha256: str) -> churn.Document:
    """Read a stored document, if it still is what was registered.

    Raises
    ------
    Fault
        If it is not. Nothing of it was parsed then.
    """
    if document_hash(document) != sha256:
        raise Fault(
            f"The model {model_id} is not what was registered: the sha256 of its "
            "document differs. Return to another one: perennial models rollback."
        )
    return json.loads(document)


def score_with_models(population: Frame, features: Frame, models: Frame) -> Frame:
    """Apply the models that stand to the customers of the score date.

    Parameters
    ----------
    population : DataFrame
        ``task``, ``horizon_days``, ``as_of_date`` and ``customer_id``.
    features : DataFrame
        One row per ``customer_id`` and ``as_of_date``.
    models : DataFrame
        Rows of ``current_models``: at most one champion and one challenger per task and
        horizon.

    Returns
    -------
    DataFrame
        One row per row of the population and ``role``: ``model_id`` (None where there
        is no champion), ``raw_score``, ``probability``, ``margin`` (log-odds of the
        probability before it is rounded), ``model_source`` and ``model_note``.
    """
    pieces = []
    with threadpool_limits(limits=1):
        for key, chosen in population.groupby(["task", "horizon_days"], sort=True):
            customers = chosen.merge(features, on=["customer_id", "as_of_date"])
            customers = customers.sort_values("customer_id").reset_index(drop=True)
            rows = customers[["task", "horizon_days", "as_of_date", "customer_id"]]
            is_ours = _is(models, dict(zip(["task", "horizon_days"], key, strict=True)))
            ours = models[is_ours].sort_values("role")
            if "champion" not in set(ours["role"]):
                none = {"role": "champion", "model_id": None, **_NOTHING}
                pieces.append(rows.assign(**none))
            for model in ours.itertuples(index=False):
                said = apply_model(model, customers)
                pieces.append(
                    rows.assign(role=model.role, model_id=model.model_id, **said)
                )
    empty = pd.DataFrame(columns=list(_TODAY_COLUMNS))
    scores = pd.concat(pieces) if pieces else empty
    return scores[list(_TODAY_COLUMNS)].astype(_TODAY_COLUMNS)


def apply_model(model: Any, customers: Frame) -> dict[str, Any]:
    """Score customers with one stored model.

    Parameters
    ----------
    model : row
        ``model_id``, ``model_name``, ``candidate_status``, ``model_document`` and
        ``document_sha256``.
    customers : DataFrame
        A column per feature.

    Returns
    -------
    dict
        The columns that :func:`score_with_models` adds.

    Raises
    ------
    Fault
        If the document is not what was registered.
    """
    document = checked_document(
        model.model_id, model.model_document, model.document_sha256
    )
    said = churn.apply_fit(model, document, customers)
    probability = said["probability"]
    return {
        **said,
        "probability": np.round(probability, churn.PROBABILITY_DECIMALS),
        "margin": np.round(logit(probability), MARGIN_DECIMALS),
    }


def features_as_json(names: list[str]) -> str:
    """Give columns as one JSON text, as SQL, in the order of their names."""
    fields = ", ".join(f"'{name}': {name}" for name in sorted(names))
    return f"cast(to_json({{{fields}}}) as varchar)" if names else "'{}'"


def judge_models(
    models: Frame,
    metrics: Frame,
    predictions: Frame,
    learned: Frame,
    settings: pd.Series,
) -> Frame:
    """Put each newly registered model to its gates.

    How a candidate does on past dates is told by its fits at these dates; the model for
    today has seen them. It is asked itself whether it tells apart the customers that it
    learned from, which one that was fitted on other labels does not.

    Parameters
    ----------
    models : DataFrame
        Rows of ``models_to_judge``; ``champion_name`` is that of the candidate that it
        has to beat, or None.
    metrics : DataFrame
        ``task``, ``horizon_days``, ``as_of_date``, ``model_name``, ``metric`` and
        ``metric_value``, of origins that are for selection.
    predictions : DataFrame
        ``task``, ``horizon_days``, ``as_of_date``, ``model_name``, ``customer_id``,
        ``probability`` and ``is_positive``, of the same.
    learned : DataFrame
        ``task``, ``horizon_days`` and ``label`` of the training rows of today, beside
        their features.
    settings : Series
        ``min_auc``, ``min_auc_policy`` and ``model_seed``.

    Returns
    -------
    DataFrame
        One row per ``model_id`` and ``gate``: ``value``, ``threshold``, ``verdict``,
        one of :data:`VERDICTS`, and ``note``.
    """
    rows = []
    for model in models.itertuples(index=False):
        key = {"task": model.task, "horizon_days": model.horizon_days}
        has_champion = isinstance(model.champion_name, str)
        own = _by_origin(metrics[_is(metrics, key)], model.model_name)
        gates = _gates_alone(own, settings)
        if has_champion:
            theirs = _by_origin(metrics[_is(metrics, key)], model.champion_name)
            gates += _gates_beside(
                model, own, theirs, predictions[_is(predictions, key)], settings
            )
        else:
            first = "no model scored before"
            gates += [(name, None, None, "first", first) for name in _COMPARING]
        gates.append(_gate_of_its_own_rows(model, learned[_is(learned, key)], own))
        rows += [(model.model_id, *gate) for gate in gates]
    return pd.DataFrame(rows, columns=list(_GATE_COLUMNS)).astype(_GATE_COLUMNS)


def brier_interval(
    challenger: Frame, champion: Frame, seed: int, draws: int = DRAWS
) -> tuple[float, float, float]:
    """Difference of two Brier scores on one date, with the interval chance leaves.

    Customers are drawn with replacement, the same ones for both.

    Parameters
    ----------
    challenger, champion : DataFrame
        ``customer_id``, ``probability`` and ``is_positive``, one row per customer.
    seed : int
    draws : int

    Returns
    -------
    (difference, low, high) : tuple of float
        Below 0 the challenger is better. With fewer than two customers the interval
        has no bounds.
    """
    both = challenger.merge(champion, on="customer_id", suffixes=("", "_champion"))
    both = both.sort_values("customer_id")
    happened = both["is_positive"].to_numpy(float)
    gaps = (both["probability"].to_numpy(float) - happened) ** 2
    gaps -= (both["probability_champion"].to_numpy(float) - happened) ** 2
    if len(gaps) < 2:
        return (float(gaps.mean()) if len(gaps) else np.nan), -np.inf, np.inf
    drawn = stats.bootstrap(
        (gaps,),
        np.mean,
        n_resamples=draws,
        batch=DRAWS_AT_A_TIME,
        confidence_level=INTERVAL / 100,
        method="percentile",
        rng=np.random.default_rng(seed),
    )
    return float(gaps.mean()), *map(float, drawn.confidence_interval)


#: Gates that need a champion.
_COMPARING = ("average_precision", "brier_score")

_NOTHING = {
    "raw_score": np.nan,
    "probability": np.nan,
    "margin": np.nan,
    "model_source": "none",
    "model_note": "no model is registered, or none was approved",
}

_TO_SCORE_COLUMNS = {
    "task": str,
    "horizon_days": int,
    "as_of_date": "datetime64[us]",
    "model_name": str,
    "candidate_status": str,
    "candidate_note": str,
    "training_dates_count": int,
    "training_rows_count": int,
    "training_customers_count": int,
    "positives_count": int,
    "calibration_method": str,
    "calibration_rows_count": int,
    "model_document": str,
    "library_version": str,
    "is_chosen": bool,
    "document_sha256": str,
}

_TODAY_COLUMNS = {
    "task": str,
    "horizon_days": int,
    "as_of_date": "datetime64[us]",
    "customer_id": str,
    "role": str,
    "model_id": object,
    "raw_score": float,
    "probability": float,
    "margin": float,
    "model_source": str,
    "model_note": str,
}

_GATE_COLUMNS = {
    "model_id": str,
    "gate": str,
    "value": float,
    "threshold": float,
    "verdict": str,
    "note": str,
}


def _is(rows: Frame, key: dict[str, Any]) -> pd.Series:
    found = pd.Series(True, index=rows.index)
    for name, value in key.items():
        found &= rows[name] == value
    return found


def _by_origin(metrics: Frame, model_name: str) -> Frame:
    """Metrics of one candidate: a row per origin, a column per metric."""
    own = metrics[(metrics["model_name"] == model_name)].dropna(subset="metric_value")
    return own.pivot_table("metric_value", index="as_of_date", columns="metric")


def _mean(values: Frame, metric: str) -> float:
    return float(values[metric].mean()) if metric in values and len(values) else np.nan


def _gates_alone(own: Frame, settings: pd.Series) -> list[tuple]:
    error = _mean(own, "expected_calibration_error")
    skill, auc = _mean(own, "brier_skill"), _mean(own, "roc_auc")
    areas = own["roc_auc"] if "roc_auc" in own else pd.Series(dtype=float)
    spread = float(areas.max() - areas.min()) if len(areas) else np.nan
    least = float(settings["min_auc"])
    below = "warned" if settings["min_auc_policy"] == "warn" else "not_met"
    gates = [
        ("calibration_error", error, MOST_CALIBRATION_ERROR, _at_most),
        ("brier_skill", skill, 0.0, _above),
        ("roc_auc", auc, least, _at_least),
        ("roc_auc_spread", spread, MOST_AUC_SPREAD, _at_most),
    ]
    told = []
    for name, value, threshold, is_met in gates:
        verdict = "met" if is_met(value, threshold) else "not_met"
        if name == "roc_auc" and verdict == "not_met":
            verdict = below
        note = f"mean of {len(own)} past dates"
        if name == "roc_auc_spread":
            note = f"most less least of {len(own)} past dates"
        if np.isnan(value):
            verdict, note = "warned", "no past date could tell"
        told.append((name, value, threshold, verdict, note))
    return told


def _gates_beside(
    model: Any, own: Frame, theirs: Frame, predictions: Frame, settings: pd.Series
) -> list[tuple]:
    dates = own.index.intersection(theirs.index)
    if not len(dates):
        note = "no past date could tell"
        return [(name, None, None, "warned", note) for name in _COMPARING]
    gap = _mean(own.loc[dates], "average_precision")
    gap -= _mean(theirs.loc[dates], "average_precision")
    said = dict(list(predictions.groupby("model_name")))
    better = worse = 0
    for date in dates:
        pair = [
            said[name][said[name]["as_of_date"] == date]
            for name in (model.model_name, model.champion_name)
        ]
        _, low, high = brier_interval(*pair, seed=int(settings["model_seed"]))
        better += high < 0
        worse += low > 0
    is_simple = model.complexity <= model.champion_complexity
    share = better / len(dates)
    is_met = share >= SHARE_OF_ORIGINS or (worse == 0 and is_simple)
    note = (
        f"better than {model.champion_name} on {better} and worse on {worse} of "
        f"{len(dates)} past dates, beyond chance; "
        f"{'no ' if is_simple else ''}more complex"
    )
    return [
        (
            "average_precision",
            gap,
            0.0,
            "met" if gap >= 0 else "not_met",
            f"mean of {len(dates)} past dates, less that of {model.champion_name}",
        ),
        (
            "brier_score",
            share,
            SHARE_OF_ORIGINS,
            "met" if is_met else "not_met",
            note,
        ),
    ]


def _gate_of_its_own_rows(model: Any, learned: Frame, own: Frame) -> tuple:
    """Whether the stored model tells apart what it learned from, as in the past."""
    name, labels = "own_rows_skill", learned["label"].to_numpy(float)
    if model.model_name == "base_rate" or model.candidate_status != "ok":
        return name, None, 0.0, "met", "the base rate tells nobody apart"
    if len(labels) == 0 or labels.min() == labels.max():
        return name, None, 0.0, "warned", "one class alone"
    said = np.asarray(apply_model(model, learned)["probability"], float)
    share = labels.mean()
    skill = 1 - float(np.mean((said - labels) ** 2)) / float(share * (1 - share))
    past = _mean(own, "brier_skill")
    least = 0.0 if np.isnan(past) else max(past * SHARE_OF_PAST_SKILL, 0.0)
    verdict = "met" if skill > least else "not_met"
    return name, round(skill, 12), least, verdict, f"{len(labels)} training rows"


def _at_most(value: float, threshold: float) -> bool:
    return value <= threshold


def _at_least(value: float, threshold: float) -> bool:
    return value >= threshold


def _above(value: float, threshold: float) -> bool:
    return value > threshold
