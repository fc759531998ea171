"""Who will leave, or do any other yes-or-no thing: candidates, fitted and applied.

Frames in, frames out, in the names of the tables. A task is a label; nothing here knows
which one. What a candidate learned is a document, text that anyone can read and that is
checked and stored like any other row.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import xgboost
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from perennial import __version__, btyd, calibration, encoding

#: How a fit can end: ``ok``, or why the base rate stands in.
CANDIDATE_STATUSES = (
    "ok",
    "no_training_rows",
    "one_class",
    "too_few_of_a_class",
    "no_features",
    "no_orders",
    "purchase_model_refused",
    "too_few_models",
    "not_fitted",
)

#: What the six-feature logistic looks at: the first six that are there and differ.
SIX_FEATURES = (
    "subscription_tenure_days",
    "mrr",
    "days_to_contract_end",
    "days_since_last_use",
    "active_days_count_30d",
    "open_tickets_count",
    "days_since_last_order",
    "order_days_count",
    "days_since_first_order",
    "order_days_count_90d",
    "total_order_amount",
    "mean_order_day_amount",
)

#: Silence is counted from the latest of these.
SILENCE_FEATURES = ("days_since_last_order", "days_since_last_use")

#: What the purchase model needs.
PURCHASE_FEATURES = (
    "repeat_order_days_count",
    "days_first_to_last_order",
    "days_since_first_order",
)

#: Fixed, and careful: shallow trees of many customers each, and no class weights.
TREE_PARAMETERS = {
    "objective": "binary:logistic",
    "tree_method": "hist",
    "max_bin": 64,
    "max_depth": 4,
    "min_child_weight": 20,
    "eta": 0.1,
    "lambda": 1.0,
    "colsample_bytree": 0.8,
}
TREES = 100

#: Decimals of the published probability and of the score that ranks.
PROBABILITY_DECIMALS = 6
SCORE_DECIMALS = 9

_LEAST_PROBABILITY = 1e-9
_NO_FEATURES = "no feature differs on the training rows"

Document = dict[str, Any]


@dataclass(frozen=True)
class Settings:
    """What the candidates need to know besides rows.

    Attributes
    ----------
    numeric_features, categories : tuple of str
        What a full model may look at.
    horizon_days : int
    minimum_repeat_customers : int
        With fewer customers who came back, no purchase model is fitted.
    threads : int
        Threads of one model.
    seed : int
    """

    numeric_features: tuple[str, ...]
    categories: tuple[str, ...] = ()
    horizon_days: int = 90
    minimum_repeat_customers: int = 50
    threads: int = 1
    seed: int = 7

    @classmethod
    def of(cls, features: pd.DataFrame, settings: pd.Series) -> "Settings":
        """Read them from ``train_features`` and ``int_settings``."""
        is_category = features["is_category"].astype(bool)
        return cls(
            numeric_features=tuple(features["feature_name"][~is_category]),
            categories=tuple(features["feature_name"][is_category]),
            minimum_repeat_customers=int(settings["minimum_repeat_customers"]),
            threads=int(settings["model_threads"]),
            seed=int(settings["model_seed"]),
        )


class Refused(Exception):
    """A candidate cannot be fitted on these rows."""

    def __init__(self, status: str, note: str) -> None:
        super().__init__(f"{status}: {note}")
        self.status, self.note = status, note


def fit_candidates(
    splits: pd.DataFrame,
    examples: pd.DataFrame,
    features: pd.DataFrame,
    settings: Settings,
) -> pd.DataFrame:
    """Fit every candidate for each task, horizon and origin that is judged.

    Scores for the calibrator come from models that were fitted without the customer's
    fold, on any date; the model that is kept is then fitted on all rows.

    Parameters
    ----------
    splits : DataFrame
        ``task``, ``horizon_days``, ``origin_date``, ``as_of_date`` and ``role``: an
        origin has one ``test`` date, and learns from its ``train`` dates alone.
    examples : DataFrame
        ``task``, ``horizon_days``, ``as_of_date``, ``customer_id``, ``fold`` and
        ``label``.
    features : DataFrame
        One row per ``customer_id`` and ``as_of_date``.
    settings : Settings
        ``horizon_days`` is taken from the splits.

    Returns
    -------
    DataFrame
        One row per task, horizon, origin and ``model_name``, also where a candidate was
        refused: then ``candidate_status`` and ``candidate_note`` say why, and the
        document is that of the base rate, or empty where there is none either.
    """
    origin = ["task", "horizon_days", "origin_date"]
    judged = splits[splits["role"] == "test"][origin].drop_duplicates()
    learning = splits[splits["role"] == "train"]
    rows = []
    # one thread, so that the last digit is the same on every machine
    with threadpool_limits(limits=1):
        for key in judged.sort_values(origin).itertuples(index=False, name=None):
            dates = learning[(learning[origin] == key).all(axis=1)]
            chosen = examples.merge(
                dates[["task", "horizon_days", "as_of_date"]],
                on=["task", "horizon_days", "as_of_date"],
            )
            training = training_rows(chosen, features)
            for_horizon = replace(settings, horizon_days=int(key[1]))
            rows += [
                (*key, *_fit_row(fitted, training))
                for fitted in fit_all(training, for_horizon)
            ]
    return pd.DataFrame(rows, columns=list(_FIT_COLUMNS)).astype(_FIT_COLUMNS)


def score_customers(
    examples: pd.DataFrame, features: pd.DataFrame, fits: pd.DataFrame
) -> pd.DataFrame:
    """Apply what was fitted at an origin to the customers of that date.

    Parameters
    ----------
    examples : DataFrame
        Rows to score: ``task``, ``horizon_days``, ``as_of_date`` and ``customer_id``.
    features : DataFrame
        One row per ``customer_id`` and ``as_of_date``.
    fits : DataFrame
        What :func:`fit_candidates` returned.

    Returns
    -------
    DataFrame
        One row per task, horizon, date, customer and ``model_name``: ``raw_score``,
        which ranks, ``probability``, ``model_source`` (the model, ``base_rate`` where
        that stands in, ``none`` where there is nothing) and ``model_note``.
    """
    pieces = []
    documents = fits.set_index(["task", "horizon_days", "origin_date"]).sort_index()
    with threadpool_limits(limits=1):
        for key, chosen in examples.groupby(
            ["task", "horizon_days", "as_of_date"], sort=True
        ):
            if key not in documents.index:
                continue
            customers = chosen.merge(features, on=["customer_id", "as_of_date"])
            customers = customers.sort_values("customer_id").reset_index(drop=True)
            for fit in documents.loc[[key]].itertuples(index=False):
                pieces.append(_scored(customers, fit))
    empty = pd.DataFrame(columns=list(_SCORE_COLUMNS))
    scores = pd.concat(pieces) if pieces else empty
    return scores[list(_SCORE_COLUMNS)].astype(_SCORE_COLUMNS)


@dataclass(frozen=True)
class Fitted:
    """One candidate, fitted, or why it was not.

    Attributes
    ----------
    model_name : str
    document : dict
        What it learned, with its ``calibrator``; empty where there is nothing at all.
    status, note : str
        One of :data:`CANDIDATE_STATUSES`, and in words.
    """

    model_name: str
    document: Document
    status: str = "ok"
    note: str = ""


def training_rows(examples: pd.DataFrame, features: pd.DataFrame) -> pd.DataFrame:
    """Labelled examples beside their features, in an order that never differs."""
    labelled = examples[examples["label"].notna()]
    rows = labelled.merge(features, on=["customer_id", "as_of_date"])
    rows = rows.sort_values(["as_of_date", "customer_id"]).reset_index(drop=True)
    return rows.assign(label=rows["label"].astype(bool), fold=rows["fold"].astype(int))


def fit_all(
    rows: pd.DataFrame,
    settings: Settings,
    candidates: "dict[str, Candidate] | None" = None,
) -> list[Fitted]:
    """Fit every candidate on one set of training rows, in rising order.

    Parameters
    ----------
    rows : DataFrame
        What :func:`training_rows` returned.
    settings : Settings
    candidates : dict of str to Candidate
        Ours, if not given.

    Returns
    -------
    list of Fitted
        The base rate first, then the candidates, then the mean of the best two.
    """
    candidates = CANDIDATES if candidates is None else candidates
    names = [*candidates, "mean_of_two"]
    labels = rows["label"].to_numpy(bool)
    if len(labels) == 0:
        refusal = "no_training_rows", "no outcome was known by the origin"
        return [Fitted(name, {}, *refusal) for name in ["base_rate", *names]]
    base = base_rate(labels)
    rows = encoding.cleaned(
        rows, list(settings.numeric_features), list(settings.categories)
    )
    fitted = [Fitted("base_rate", base)]
    rarer = calibration.rarer(labels)
    if rarer < calibration.MINIMUM_RARER:
        status = "one_class" if rarer == 0 else "too_few_of_a_class"
        note = f"{rarer} of {len(labels)} training rows have the rarer outcome"
        return [*fitted, *(Fitted(name, base, status, note) for name in names)]

    unseen: dict[str, np.ndarray] = {}
    for name, candidate in candidates.items():
        try:
            found = unseen_margins(candidate, rows, settings)
            document = {
                **candidate.fit(rows, settings),
                "base_margin": base["margin"],
                "calibrator": _calibrator_of(found, labels),
            }
        except Refused as refused:
            fitted.append(Fitted(name, base, refused.status, refused.note))
        except (xgboost.core.XGBoostError, np.linalg.LinAlgError) as error:
            told = str(error).splitlines()[0]
            fitted.append(Fitted(name, base, status="not_fitted", note=told))
        else:
            unseen[name] = found
            fitted.append(Fitted(name, document))
    try:
        fitted.append(_mean_of_two(fitted, unseen, labels, base, candidates))
    except Refused as refused:
        fitted.append(Fitted("mean_of_two", base, refused.status, refused.note))
    return fitted


def unseen_margins(
    candidate: "Candidate", rows: pd.DataFrame, settings: Settings
) -> np.ndarray:
    """Score every row with a model that was fitted without the customer's fold.

    Parameters
    ----------
    candidate : Candidate
    rows : DataFrame
    settings : Settings

    Returns
    -------
    array of float, shape (n,)
        NaN where the candidate has nothing to say.

    Raises
    ------
    Refused
        If it cannot be fitted without one of the folds.
    """
    folds = rows["fold"].to_numpy()
    found = np.full(len(rows), np.nan)
    for fold in np.unique(folds):
        others = rows[folds != fold]
        if calibration.rarer(others["label"].to_numpy()) == 0:
            raise Refused("too_few_of_a_class", f"one class without fold {fold}")
        document = candidate.fit(others, settings)
        found[folds == fold] = margins(document, rows[folds == fold])
    return found


def margins(document: Document, rows: pd.DataFrame) -> np.ndarray:
    """Log-odds that a fitted candidate gives to customers, before calibration.

    Parameters
    ----------
    document : dict
        What a candidate's ``fit`` returned.
    rows : DataFrame
        A column per feature.

    Returns
    -------
    array of float, shape (n,)
        NaN where it has nothing to say.
    """
    return np.round(_MARGINS[document["kind"]](document, rows), SCORE_DECIMALS)


def base_rate(labels: np.ndarray) -> Document:
    """Give every customer the share of the training rows, never quite 0 or 1."""
    edge = 1 / (2 * len(labels))
    share = min(max(float(np.mean(labels)), edge), 1 - edge)
    return {
        "kind": "constant",
        "margin": round(float(logit(share)), SCORE_DECIMALS),
        "calibrator": {"method": "none", "least": edge, "most": 1 - edge},
    }


def fit_recency(rows: pd.DataFrame, settings: Settings) -> Document:
    """Order customers by their silence: the longer, the likelier gone."""
    names = [name for name in SILENCE_FEATURES if name in settings.numeric_features]
    silence = _silence(names, rows)
    if np.isnan(silence).all():
        raise Refused("no_features", "nobody did anything that silence counts from")
    longest = float(np.nanmax(silence))
    # who never did anything has been silent for longest
    return {"kind": "silence", "features": names, "never": longest + 1}


def fit_purchase_model(rows: pd.DataFrame, settings: Settings) -> Document:
    """Fit BG/NBD to what was bought by the newest training date."""
    if not set(PURCHASE_FEATURES) <= set(settings.numeric_features):
        raise Refused("no_orders", "orders are not delivered")
    newest = rows[rows["as_of_date"] == rows["as_of_date"].max()]
    x, t_x, T = _papers_history(newest)
    bought = ~np.isnan(T)
    fit = btyd.fit_purchases(
        "bg_nbd",
        x[bought].astype(int),
        t_x[bought],
        T[bought],
        minimum_repeat_customers=settings.minimum_repeat_customers,
    )
    if not fit.is_ok:
        raise Refused("purchase_model_refused", f"{fit.status}: {fit.note}")
    return {
        "kind": "purchases",
        "weeks": settings.horizon_days / 7,
        "parameters": {k: round(v, SCORE_DECIMALS) for k, v in fit.parameters.items()},
    }


def fit_logistic_six(rows: pd.DataFrame, settings: Settings) -> Document:
    """Fit a logistic regression on six features that most companies have."""
    wanted = [name for name in SIX_FEATURES if name in settings.numeric_features]
    encoder = encoding.fit_encoder(rows, wanted, [])
    encoder["numeric"] = encoder["numeric"][:6]
    return _fit_weights(encoder, rows)


def fit_logistic(rows: pd.DataFrame, settings: Settings) -> Document:
    """Fit a logistic regression on all features."""
    return _fit_weights(_full_encoder(rows, settings), rows)


def fit_trees(rows: pd.DataFrame, settings: Settings) -> Document:
    """Fit boosted trees on all features."""
    encoder = _full_encoder(rows, settings)
    names = encoding.column_names(encoder, with_nulls=False)
    if not names:
        raise Refused("no_features", _NO_FEATURES)
    matrix = xgboost.DMatrix(
        encoding.plain_matrix(encoder, rows),
        label=rows["label"].to_numpy(float),
        nthread=settings.threads,
    )
    parameters = {
        **TREE_PARAMETERS,
        "nthread": settings.threads,
        "seed": settings.seed,
    }
    trees = xgboost.train(parameters, matrix, num_boost_round=TREES)
    return {
        "kind": "trees",
        "encoder": encoder,
        "columns": names,
        "trees": json.loads(bytes(trees.save_raw("json"))),
    }


@dataclass(frozen=True)
class Candidate:
    """A way to learn: from rows and settings to a document, or a refusal.

    Attributes
    ----------
    fit : function
    is_statistical : bool
        Whether its margins are log-odds, so that they can be averaged with others'.
    """

    fit: Callable[[pd.DataFrame, Settings], Document]
    is_statistical: bool = True


#: In rising order.
CANDIDATES = {
    "recency_rule": Candidate(fit_recency, is_statistical=False),
    "bg_nbd": Candidate(fit_purchase_model),
    "logistic_six": Candidate(fit_logistic_six),
    "logistic": Candidate(fit_logistic),
    "xgboost": Candidate(fit_trees),
}

_FIT_COLUMNS = {
    "task": str,
    "horizon_days": int,
    "origin_date": "datetime64[us]",
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
}

_SCORE_COLUMNS = {
    "task": str,
    "horizon_days": int,
    "as_of_date": "datetime64[us]",
    "customer_id": str,
    "model_name": str,
    "raw_score": float,
    "probability": float,
    "model_source": str,
    "model_note": str,
}


def _fit_row(fitted: Fitted, rows: pd.DataFrame) -> tuple:
    calibrator = fitted.document.get("calibrator", {"method": "none"})
    # keys in one order, so that the same fit is the same text
    text = json.dumps(fitted.document, sort_keys=True, allow_nan=False)
    return (
        fitted.model_name,
        fitted.status,
        fitted.note,
        rows["as_of_date"].nunique(),
        len(rows),
        rows["customer_id"].nunique(),
        int(rows["label"].sum()),
        calibrator["method"],
        calibrator.get("rows", 0),
        text if fitted.document else "",
        __version__,
    )


def _scored(customers: pd.DataFrame, fit: Any) -> pd.DataFrame:
    scores = customers[["task", "horizon_days", "as_of_date", "customer_id"]].assign(
        model_name=fit.model_name, raw_score=np.nan, probability=np.nan
    )
    note = (
        ""
        if fit.candidate_status == "ok"
        else f"{fit.model_name}: {fit.candidate_status}"
    )
    if not fit.model_document:
        return scores.assign(model_source="none", model_note=note)
    document = json.loads(fit.model_document)
    found = margins(document, customers)
    says = ~np.isnan(found)
    base = document.get("base_margin", document.get("margin"))
    raw = np.where(says, found, base)
    probability = np.where(
        says, calibration.calibrated(document["calibrator"], raw), expit(base)
    )
    is_own = says & (fit.candidate_status == "ok")
    if missing := sorted(set(_missing(document, customers))):
        note = f"not there at scoring: {', '.join(missing)}"
    silent = f"{fit.model_name}: nothing to say of this customer"
    return scores.assign(
        raw_score=np.round(raw, SCORE_DECIMALS),
        probability=np.round(probability, PROBABILITY_DECIMALS),
        model_source=np.where(is_own, fit.model_name, "base_rate"),
        model_note=np.where(says, note, silent),
    )


def _missing(document: Document, rows: pd.DataFrame) -> list[str]:
    if "members" in document:
        return [name for part in document["members"] for name in _missing(part, rows)]
    if "encoder" in document:
        return encoding.missing_features(document["encoder"], rows)
    wanted = document.get("features", [])
    wanted = PURCHASE_FEATURES if document["kind"] == "purchases" else wanted
    return [name for name in wanted if name not in rows.columns]


def _calibrator_of(found: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """Learn from the rows that the candidate has something to say of."""
    says = ~np.isnan(found)
    if calibration.rarer(labels[says]) < calibration.MINIMUM_RARER:
        raise Refused("too_few_of_a_class", "too few rows to calibrate on")
    learned = calibration.fit_calibrator(found[says], labels[says])
    return {**learned, "rows": int(says.sum())}


def _mean_of_two(
    fitted: list[Fitted],
    unseen: dict[str, np.ndarray],
    labels: np.ndarray,
    base: Document,
    candidates: "dict[str, Candidate]",
) -> Fitted:
    """Take the mean of the log-odds of the two whose unseen scores came closest."""
    documents = {one.model_name: one.document for one in fitted if one.status == "ok"}
    losses = {
        name: _log_loss(found, labels, base)
        for name, found in unseen.items()
        if name in documents and candidates[name].is_statistical
    }
    if len(losses) < 2:
        raise Refused("too_few_models", f"{len(losses)} models of log-odds were fitted")
    best = sorted(losses, key=lambda name: (round(losses[name], 9), name))[:2]
    found = np.mean([unseen[name] for name in best], axis=0)
    members = [
        {k: v for k, v in documents[name].items() if k != "calibrator"} for name in best
    ]
    document = {
        "kind": "mean",
        "names": best,
        "members": members,
        "base_margin": base["margin"],
        "calibrator": _calibrator_of(found, labels),
    }
    return Fitted("mean_of_two", document, note=" and ".join(best))


def _log_loss(found: np.ndarray, labels: np.ndarray, base: Document) -> float:
    odds = np.where(np.isnan(found), base["margin"], found)
    return float(np.mean(np.logaddexp(0, np.where(labels, -odds, odds))))


def _silence(names: list[str], rows: pd.DataFrame) -> np.ndarray:
    if not names:
        return np.full(len(rows), np.nan)
    days = np.column_stack([encoding.numbers(rows, name) for name in names])
    return np.fmin.reduce(days, axis=1)


def _papers_history(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x, t_x, T = (encoding.numbers(rows, name) for name in PURCHASE_FEATURES)
    return x, t_x / 7, T / 7


def _full_encoder(rows: pd.DataFrame, settings: Settings) -> dict[str, Any]:
    return encoding.fit_encoder(
        rows, list(settings.numeric_features), list(settings.categories)
    )


def _fit_weights(encoder: dict[str, Any], rows: pd.DataFrame) -> Document:
    matrix = encoding.scaled_matrix(encoder, rows)
    if matrix.shape[1] == 0:
        raise Refused("no_features", _NO_FEATURES)
    model = LogisticRegression(C=0.05, solver="newton-cholesky", tol=1e-8)
    model.fit(matrix, rows["label"].to_numpy(bool))
    return {
        "kind": "weights",
        "encoder": encoder,
        "columns": encoding.column_names(encoder, with_nulls=True),
        "intercept": round(float(model.intercept_[0]), SCORE_DECIMALS),
        "weights": np.round(model.coef_[0], SCORE_DECIMALS).tolist(),
    }


def _constant_margins(document: Document, rows: pd.DataFrame) -> np.ndarray:
    return np.full(len(rows), document["margin"])


def _silence_margins(document: Document, rows: pd.DataFrame) -> np.ndarray:
    silence = _silence(document["features"], rows)
    return np.log1p(np.where(np.isnan(silence), document["never"], silence))


def _purchase_margins(document: Document, rows: pd.DataFrame) -> np.ndarray:
    x, t_x, T = _papers_history(rows)
    bought = ~np.isnan(x) & ~np.isnan(t_x) & ~np.isnan(T)
    fit = btyd.Fit("bg_nbd", 0, 0, parameters=document["parameters"])
    found = np.full(len(rows), np.nan)
    if bought.any():
        orders = btyd.order_probability(
            fit, document["weeks"], x[bought], t_x[bought], T[bought]
        )
        edges = _LEAST_PROBABILITY, 1 - _LEAST_PROBABILITY
        found[bought] = -logit(np.clip(orders, *edges))
    return found


def _weight_margins(document: Document, rows: pd.DataFrame) -> np.ndarray:
    matrix = encoding.scaled_matrix(document["encoder"], rows)
    return matrix @ np.array(document["weights"]) + document["intercept"]


def _tree_margins(document: Document, rows: pd.DataFrame) -> np.ndarray:
    trees = xgboost.Booster({"nthread": 1})
    trees.load_model(bytearray(json.dumps(document["trees"]), "utf-8"))
    matrix = xgboost.DMatrix(encoding.plain_matrix(document["encoder"], rows))
    return trees.predict(matrix, output_margin=True).astype(float)


def _mean_margins(document: Document, rows: pd.DataFrame) -> np.ndarray:
    return np.mean([margins(part, rows) for part in document["members"]], axis=0)


_MARGINS = {
    "constant": _constant_margins,
    "silence": _silence_margins,
    "purchases": _purchase_margins,
    "weights": _weight_margins,
    "trees": _tree_margins,
    "mean": _mean_margins,
}
