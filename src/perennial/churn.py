"""Who will leave, or do any other yes-or-no thing: candidates, fitted and applied.

Frames in, frames out, in the names of the tables. A task is a label; nothing here knows
which one. What a candidate learned is a document, text that anyone can read and that is
checked and stored like any other row.
"""

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import xgboost
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
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

#: Fixed, and careful: shallow trees of many customers each, and no class weights. A
#: search begins here, and where it finds nothing better, these stay.
TREE_PARAMETERS = {
    "objective": "binary:logistic",
    "tree_method": "hist",
    "max_bin": 64,
    "max_depth": 4,
    "min_child_weight": 20.0,
    "eta": 0.1,
    "lambda": 1.0,
    "colsample_bytree": 0.8,
    "trees": 100,
}
LEAF_PARAMETERS = {
    "objective": "binary",
    "max_bin": 63,
    "num_leaves": 15,
    "min_sum_hessian_in_leaf": 20.0,
    "learning_rate": 0.1,
    "lambda_l2": 1.0,
    "feature_fraction": 0.8,
    "trees": 100,
}
#: The library's own default.
LOGISTIC_PARAMETERS = {"C": 1.0}

#: What a search may change: least, most, and whether on a logarithmic scale.
TREE_SPACE = {
    "max_depth": (2, 4, False),
    "min_child_weight": (5.0, 100.0, True),
    "eta": (0.03, 0.3, True),
    "lambda": (0.1, 30.0, True),
    "colsample_bytree": (0.3, 1.0, False),
    "trees": (50, 150, False),
}
LEAF_SPACE = {
    "num_leaves": (4, 31, False),
    "min_sum_hessian_in_leaf": (5.0, 100.0, True),
    "learning_rate": (0.03, 0.3, True),
    "lambda_l2": (0.1, 30.0, True),
    "feature_fraction": (0.3, 1.0, False),
    "trees": (50, 150, False),
}
LOGISTIC_SPACE = {"C": (0.001, 10.0, True)}

#: One fit of a search learns from about so many rows at most.
SEARCH_ROWS = 30_000

#: Decimals of the published probability and of the score that ranks.
PROBABILITY_DECIMALS = 6
SCORE_DECIMALS = 9

#: Customers that are scored at a time, so that memory does not grow with their number.
CUSTOMERS_AT_A_TIME = 50_000

_LEAST_PROBABILITY = 1e-9

Document = dict[str, Any]
Parameters = dict[str, Any]


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
    trials : int
        Sets of parameters that a search tries, besides the fixed ones; 0 for no search.
    """

    numeric_features: tuple[str, ...]
    categories: tuple[str, ...] = ()
    horizon_days: int = 90
    minimum_repeat_customers: int = 50
    threads: int = 1
    seed: int = 7
    trials: int = 0

    @classmethod
    def of(
        cls,
        features: pd.DataFrame,
        settings: pd.Series,
        trials: str = "search_trials",
    ) -> "Settings":
        """Read them from ``train_features`` and ``int_settings``, trials by name."""
        is_category = features["is_category"].astype(bool)
        return cls(
            numeric_features=tuple(features["feature_name"][~is_category]),
            categories=tuple(features["feature_name"][is_category]),
            minimum_repeat_customers=int(settings["minimum_repeat_customers"]),
            threads=int(settings["model_threads"]),
            seed=int(settings["model_seed"]),
            trials=int(settings[trials]),
        )


def features_of(
    rows: duckdb.DuckDBPyRelation,
    store: duckdb.DuckDBPyRelation,
    features: pd.DataFrame,
) -> duckdb.DuckDBPyRelation:
    """Look up what models may see of the customers and dates of some rows.

    Parameters
    ----------
    rows : DuckDBPyRelation
        With ``customer_id`` and ``as_of_date``; a pair may be there more than once.
    store : DuckDBPyRelation
        ``feature_store``.
    features : DataFrame
        Rows of ``train_features``.

    Returns
    -------
    DuckDBPyRelation
        One row per ``customer_id`` and ``as_of_date``, and a column per feature.
    """
    key = ["customer_id", "as_of_date"]
    pairs = rows.project(", ".join(key))
    found = store.join(pairs, ", ".join(key), how="semi")
    return found.project(", ".join([*key, *features["feature_name"]]))


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
    tell: Callable[[str], None] = lambda line: None,
    candidates: "dict[str, Candidate] | None" = None,
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
    tell : function
        Called with a line before the first search and after each.
    candidates : dict of str to Candidate
        :data:`CANDIDATES`, if not given.

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
            dates = learning[(learning[origin] == list(key)).all(axis=1)]
            chosen = examples.merge(
                dates[["task", "horizon_days", "as_of_date"]],
                on=["task", "horizon_days", "as_of_date"],
            )
            training = training_rows(chosen, features)
            for_horizon = replace(settings, horizon_days=int(key[1]))
            place = f"{key[0]}, {key[1]} days, {key[2]:%Y-%m-%d}"
            rows += [
                (*key, *_fit_row(fitted, training))
                for fitted in fit_all(
                    training,
                    for_horizon,
                    candidates,
                    tell=lambda line, place=place: tell(f"{place}: {line}"),
                )
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
class Search:
    """What a search found.

    Attributes
    ----------
    parameters : dict
        What did better than the fixed parameters; empty where nothing did, or where
        nothing was searched for.
    trials_count : int
    fixed_log_loss, least_log_loss : float
        Of the fixed parameters and of the best, on customers of the newest training
        date; NaN without a search.
    """

    parameters: Parameters = field(default_factory=dict)
    trials_count: int = 0
    fixed_log_loss: float = np.nan
    least_log_loss: float = np.nan


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
    search : Search
    average_precision, brier_skill : float
        Of the training rows, each scored by a model that had not seen the customer.
    """

    model_name: str
    document: Document
    status: str = "ok"
    note: str = ""
    search: Search = field(default_factory=Search)
    average_precision: float = np.nan
    brier_skill: float = np.nan


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
    tell: Callable[[str], None] = lambda line: None,
) -> list[Fitted]:
    """Fit every candidate on one set of training rows, in rising order.

    Parameters
    ----------
    rows : DataFrame
        What :func:`training_rows` returned.
    settings : Settings
    candidates : dict of str to Candidate
        :data:`CANDIDATES`, if not given.
    tell : function
        Called with a line before the first search and after each.

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
    folds, share = rows["fold"].to_numpy(), float(labels.mean())
    fitted = [Fitted("base_rate", base, average_precision=share, brier_skill=0.0)]
    tell(f"learning from {len(labels):,} rows, {settings.trials} trials each")
    rarer = calibration.rarer(labels)
    if rarer < calibration.MINIMUM_RARER:
        status = "one_class" if rarer == 0 else "too_few_of_a_class"
        note = f"{rarer} of {len(labels)} training rows have the rarer outcome"
        return [*fitted, *(Fitted(name, base, status, note) for name in names)]

    unseen: dict[str, np.ndarray] = {}
    for name, candidate in candidates.items():
        search = Search()
        try:
            if candidate.family and settings.trials:
                search = search_parameters(candidate.family, rows, settings)
                tell(_told(name, search))
                found_fit = partial(candidate.fit, parameters=search.parameters)
                candidate = replace(candidate, fit=found_fit)
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
            quality = _quality(found, labels, folds, base)
            fitted.append(Fitted(name, document, search=search, **quality))
    try:
        fitted.append(_mean_of_two(fitted, unseen, labels, folds, base, candidates))
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
    say = _MARGINS[document["kind"]]
    parts = [
        say(document, rows.iloc[start : start + CUSTOMERS_AT_A_TIME])
        for start in range(0, max(len(rows), 1), CUSTOMERS_AT_A_TIME)
    ]
    return np.round(np.concatenate(parts), SCORE_DECIMALS)


def apply_fit(fit: Any, document: Document, customers: pd.DataFrame) -> dict[str, Any]:
    """Score customers with one fit; of whom it has nothing to say, the base rate does.

    Parameters
    ----------
    fit : row
        ``model_name`` and ``candidate_status``.
    document : dict
        What it learned.
    customers : DataFrame
        A column per feature.

    Returns
    -------
    dict
        Four columns: ``raw_score``, which ranks, ``probability``, not rounded,
        ``model_source`` and ``model_note``.
    """
    found = margins(document, customers)
    says = ~np.isnan(found)
    base = document.get("base_margin", document.get("margin"))
    raw = np.where(says, found, base)
    is_own = fit.candidate_status == "ok"
    note = "" if is_own else f"{fit.model_name}: {fit.candidate_status}"
    if missing := sorted(set(_missing(document, customers))):
        note = f"not there at scoring: {', '.join(missing)}"
    silent = f"{fit.model_name}: nothing to say of this customer"
    return {
        "raw_score": np.round(raw, SCORE_DECIMALS),
        "probability": np.where(
            says, calibration.calibrated(document["calibrator"], raw), expit(base)
        ),
        "model_source": np.where(says & is_own, fit.model_name, "base_rate"),
        "model_note": np.where(says, note, silent),
    }


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


def labels_of(rows: pd.DataFrame) -> np.ndarray:
    """Give the labels of training rows, true or false."""
    return rows["label"].to_numpy(bool)


def mean_log_loss(odds: np.ndarray, labels: np.ndarray) -> float:
    """Mean log loss of log-odds, shape (n,), given what happened."""
    return float(np.mean(np.logaddexp(0, np.where(labels, -odds, odds))))


@dataclass(frozen=True)
class Family:
    """Models that learn from a matrix, by parameters that can be searched for.

    Attributes
    ----------
    kind : str
        How the document is read.
    encoder : function
        From rows and settings to an encoder.
    matrix : function
        From an encoder and rows to numbers.
    train : function
        From numbers, answers, parameters and settings to what was learned.
    say : function
        From what was learned and numbers to what is said of each row; log-odds of a
        label.
    fixed : dict
    space : dict
        Of some of the fixed parameters the least, the most, and whether on a
        logarithmic scale.
    answers : function
        From rows to what is to be learned; the label, if not given.
    loss : function
        From what was said and the answers to one number, the less the better; the
        log loss, if not given.
    """

    kind: str
    encoder: Callable[[pd.DataFrame, Settings], Document]
    matrix: Callable[[Document, pd.DataFrame], np.ndarray]
    train: Callable[[np.ndarray, np.ndarray, Parameters, Settings], Document]
    say: Callable[[Document, np.ndarray], np.ndarray]
    fixed: Parameters
    space: dict[str, tuple]
    answers: Callable[[pd.DataFrame], np.ndarray] = labels_of
    loss: Callable[[np.ndarray, np.ndarray], float] = mean_log_loss


def fit_family(
    family: Family,
    rows: pd.DataFrame,
    settings: Settings,
    parameters: Parameters | None = None,
) -> Document:
    """Fit a model of a family, by its fixed parameters where none are given."""
    encoder = family.encoder(rows, settings)
    matrix = family.matrix(encoder, rows)
    if matrix.shape[1] == 0:
        raise Refused("no_features", "no feature differs on the training rows")
    chosen = {**family.fixed, **(parameters or {})}
    return {
        "kind": family.kind,
        "encoder": encoder,
        "columns": encoding.column_names(encoder, with_nulls=family.kind == "weights"),
        "parameters": chosen,
        **family.train(matrix, family.answers(rows), chosen, settings),
    }


def search_parameters(family: Family, rows: pd.DataFrame, settings: Settings) -> Search:
    """Look for parameters that tell a later date of other customers better.

    Parameters
    ----------
    family : Family
    rows : DataFrame
        Training rows.
    settings : Settings
        ``trials`` sets of parameters are tried, drawn with ``seed``, after the fixed.

    Returns
    -------
    Search
        Without trials where none are asked for, or where the rows cannot tell: one
        date, or too few of a class.
    """
    if not settings.trials:
        return Search()
    import optuna  # here, since most that is done needs none of it

    parts = []
    for learning, judging in time_folds(rows, settings.seed):
        encoder = family.encoder(rows[learning], settings)
        parts.append(
            [
                (family.matrix(encoder, part), family.answers(part))
                for part in (rows[learning], rows[judging])
            ]
        )
    if not parts or any(learned[0].shape[1] == 0 for learned, _ in parts):
        return Search()

    def loss(trial: optuna.Trial) -> float:
        parameters = {**family.fixed, **_drawn(trial, family.space)}
        said = [
            family.say(family.train(*learned, parameters, settings), judged[0])
            for learned, judged in parts
        ]
        happened = np.concatenate([judged[1] for _, judged in parts])
        return round(family.loss(np.concatenate(said), happened), SCORE_DECIMALS)

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = optuna.samplers.TPESampler(
        seed=settings.seed, n_startup_trials=max(settings.trials // 2, 1)
    )
    study = optuna.create_study(sampler=sampler)
    study.enqueue_trial({name: family.fixed[name] for name in family.space})
    study.optimize(loss, n_trials=settings.trials + 1)
    best, fixed = study.best_trial, study.trials[0]
    is_better = best.value < fixed.value
    return Search(
        parameters=_drawn(best, family.space) if is_better else {},
        trials_count=settings.trials,
        fixed_log_loss=fixed.value,
        least_log_loss=best.value,
    )


def time_folds(rows: pd.DataFrame, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Cut training rows by time, and by customer.

    Half of the customers are learned from on the older dates, and the others judged on
    the newest; then the other way round. The windows of the dates overlap, so that a
    customer on both sides would give the answer away.

    Parameters
    ----------
    rows : DataFrame
    seed : int
        Customers are drawn with it, so many that :data:`SEARCH_ROWS` suffice.

    Returns
    -------
    list of (array of bool, array of bool)
        Rows to learn from and rows to judge; none where there are too few of a class.
    """
    is_newest = (rows["as_of_date"] == rows["as_of_date"].max()).to_numpy()
    codes, customers = pd.factorize(rows["customer_id"], sort=True)
    place = np.random.default_rng(seed).permutation(len(customers))[codes]
    share = min(1.0, SEARCH_ROWS / max(np.count_nonzero(~is_newest) / 2, 1))
    half = int(len(customers) * share / 2)
    halves = place < half, (place >= half) & (place < 2 * half)
    labels = rows["label"].to_numpy(bool)
    folds = [
        (learning & ~is_newest, judging & is_newest)
        for learning, judging in (halves, halves[::-1])
    ]
    is_enough = all(
        calibration.rarer(labels[part]) >= calibration.MINIMUM_RARER
        for part in (*(learning for learning, _ in folds), folds[0][1] | folds[1][1])
    )
    return folds if is_enough else []


def _drawn(trial: Any, space: dict[str, tuple]) -> Parameters:
    """Read parameters of a trial, rounded to what anyone would write down."""
    drawn = {}
    for name, (least, most, is_logarithmic) in space.items():
        if name in trial.params:
            value = trial.params[name]
        elif isinstance(least, int):
            value = trial.suggest_int(name, least, most)
        else:
            value = trial.suggest_float(name, least, most, log=is_logarithmic)
        drawn[name] = value if isinstance(value, int) else float(f"{value:.4g}")
    return drawn


def _told(name: str, search: Search) -> str:
    if not search.trials_count:
        return f"{name}: too little to search on, the fixed parameters stay"
    found = json.dumps(search.parameters) if search.parameters else "nothing better"
    return (
        f"{name}: {found} in {search.trials_count} trials, log loss "
        f"{search.least_log_loss:.4f} against {search.fixed_log_loss:.4f}"
    )


def first_six(
    wanted: Collection[str], rows: pd.DataFrame, settings: Settings
) -> Document:
    """Encode the first six of these features that are there and differ."""
    known = [name for name in wanted if name in settings.numeric_features]
    encoder = encoding.fit_encoder(rows, known, [])
    return {**encoder, "numeric": encoder["numeric"][:6]}


def full_encoder(rows: pd.DataFrame, settings: Settings) -> Document:
    """Encode whatever a full model may look at."""
    return encoding.fit_encoder(
        rows, list(settings.numeric_features), list(settings.categories)
    )


def _train_weights(
    matrix: np.ndarray, labels: np.ndarray, parameters: Parameters, settings: Settings
) -> Document:
    model = LogisticRegression(**parameters, solver="newton-cholesky", tol=1e-8)
    model.fit(matrix, labels)
    return {
        "intercept": round(float(model.intercept_[0]), SCORE_DECIMALS),
        "weights": np.round(model.coef_[0], SCORE_DECIMALS).tolist(),
    }


def weigh(learned: Document, matrix: np.ndarray) -> np.ndarray:
    """Add up weighted columns, shape (n, columns), to one number a row, shape (n,)."""
    return matrix @ np.array(learned["weights"]) + learned["intercept"]


def _train_trees(
    matrix: np.ndarray, labels: np.ndarray, parameters: Parameters, settings: Settings
) -> Document:
    data = xgboost.DMatrix(matrix, label=labels, nthread=settings.threads)
    told = {name: value for name, value in parameters.items() if name != "trees"}
    told |= {"nthread": settings.threads, "seed": settings.seed}
    trees = xgboost.train(told, data, num_boost_round=parameters["trees"])
    return {"trees": json.loads(bytes(trees.save_raw("json")))}


def _walk_trees(learned: Document, matrix: np.ndarray) -> np.ndarray:
    trees = xgboost.Booster({"nthread": 1})
    trees.load_model(bytearray(json.dumps(learned["trees"]), "utf-8"))
    return trees.inplace_predict(matrix, predict_type="margin").astype(float)


def _lightgbm() -> Any:
    """Load LightGBM, which needs a library of the system that may not be there."""
    try:
        import lightgbm
    except (ImportError, OSError) as error:
        told = str(error).splitlines()[0]
        raise Refused("not_fitted", f"LightGBM cannot be loaded: {told}") from error
    return lightgbm


def train_leaves(
    matrix: np.ndarray, answers: np.ndarray, parameters: Parameters, settings: Settings
) -> Document:
    """Grow the trees of LightGBM, leaf by leaf.

    Parameters
    ----------
    matrix : array of float32, shape (n, columns)
    answers : array, shape (n,)
        What the ``objective`` among the parameters asks for.
    parameters : dict
        Of LightGBM, and ``trees``, how many of them.
    settings : Settings

    Returns
    -------
    dict
        ``text``, in LightGBM's own form.

    Raises
    ------
    Refused
        If LightGBM is not there, or has no answer.
    """
    lightgbm = _lightgbm()
    told = {name: value for name, value in parameters.items() if name != "trees"}
    told |= {
        "num_threads": settings.threads,
        "seed": settings.seed,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
    data = lightgbm.Dataset(matrix, label=answers, params=told)
    try:
        trees = lightgbm.train(told, data, num_boost_round=parameters["trees"])
    except lightgbm.basic.LightGBMError as error:
        raise Refused("not_fitted", str(error).splitlines()[0]) from error
    # what it was told stands in the document already, and threads are no part of it
    text, _, _ = trees.model_to_string().partition("\nparameters:")
    return {"text": f"{text}\npandas_categorical:null\n"}


def walk_leaves(learned: Document, matrix: np.ndarray) -> np.ndarray:
    """Add up the leaves that each row comes to, before any link: shape (n,)."""
    trees = _lightgbm().Booster(model_str=learned["text"])
    return trees.predict(matrix, raw_score=True, num_threads=1)


def _logistic_family(encoder: Callable) -> Family:
    return Family(
        kind="weights",
        encoder=encoder,
        matrix=encoding.scaled_matrix,
        train=_train_weights,
        say=weigh,
        fixed=LOGISTIC_PARAMETERS,
        space=LOGISTIC_SPACE,
    )


#: Logistic regression on six features that most companies have, and on all; boosted
#: trees that grow level by level, and leaf by leaf.
FAMILIES = {
    "logistic_six": _logistic_family(partial(first_six, SIX_FEATURES)),
    "logistic": _logistic_family(full_encoder),
    "xgboost": Family(
        kind="trees",
        encoder=full_encoder,
        matrix=encoding.plain_matrix,
        train=_train_trees,
        say=_walk_trees,
        fixed=TREE_PARAMETERS,
        space=TREE_SPACE,
    ),
    "lightgbm": Family(
        kind="leaves",
        encoder=full_encoder,
        matrix=encoding.plain_matrix,
        train=train_leaves,
        say=walk_leaves,
        fixed=LEAF_PARAMETERS,
        space=LEAF_SPACE,
    ),
}


@dataclass(frozen=True)
class Candidate:
    """A way to learn: from rows and settings to a document, or a refusal.

    Attributes
    ----------
    fit : function
    is_statistical : bool
        Whether its margins are log-odds, so that they can be averaged with others'.
    family : Family, optional
        Whose parameters can be searched for; ``fit`` then takes ``parameters`` too.
    """

    fit: Callable[..., Document]
    is_statistical: bool = True
    family: Family | None = None


#: In rising order.
CANDIDATES = {
    "recency_rule": Candidate(fit_recency, is_statistical=False),
    "bg_nbd": Candidate(fit_purchase_model),
    **{
        name: Candidate(partial(fit_family, family), family=family)
        for name, family in FAMILIES.items()
    },
}


def candidates_for(names: Collection[str]) -> dict[str, Candidate]:
    """Whom to fit for these: a mean is taken of any two, so that it needs them all."""
    is_mean = "mean_of_two" in names
    return {
        name: candidate
        for name, candidate in CANDIDATES.items()
        if name in names or (is_mean and candidate.is_statistical)
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
    "parameters": str,
    "trials_count": int,
    "fixed_log_loss": float,
    "least_log_loss": float,
    "folds_average_precision": float,
    "folds_brier_skill": float,
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
        json.dumps(fitted.document.get("parameters", {}), sort_keys=True),
        fitted.search.trials_count,
        fitted.search.fixed_log_loss,
        fitted.search.least_log_loss,
        fitted.average_precision,
        fitted.brier_skill,
        text if fitted.document else "",
        __version__,
    )


def _scored(customers: pd.DataFrame, fit: Any) -> pd.DataFrame:
    scores = customers[["task", "horizon_days", "as_of_date", "customer_id"]].assign(
        model_name=fit.model_name
    )
    if not fit.model_document:
        return scores.assign(
            raw_score=np.nan,
            probability=np.nan,
            model_source="none",
            model_note=f"{fit.model_name}: {fit.candidate_status}",
        )
    said = apply_fit(fit, json.loads(fit.model_document), customers)
    said["probability"] = np.round(said["probability"], PROBABILITY_DECIMALS)
    return scores.assign(**said)


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
    folds: np.ndarray,
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
    quality = _quality(found, labels, folds, base)
    return Fitted("mean_of_two", document, note=" and ".join(best), **quality)


def _quality(
    found: np.ndarray, labels: np.ndarray, folds: np.ndarray, base: Document
) -> dict[str, float]:
    """Measure scores of strangers, calibrated on strangers too.

    The calibrator that is kept has seen all of these rows, and would show some skill
    where there is none.
    """
    says = ~np.isnan(found)
    probability = np.full(len(labels), expit(base["margin"]))
    for fold in np.unique(folds):
        others = says & (folds != fold)
        asked = says & (folds == fold)
        if calibration.rarer(labels[others]) >= calibration.MINIMUM_RARER:
            learned = calibration.fit_calibrator(found[others], labels[others])
            probability[asked] = calibration.calibrated(learned, found[asked])
    ranks = np.where(says, found, base["margin"])
    share = float(labels.mean())
    brier = float(np.mean((probability - labels) ** 2))
    return {
        "average_precision": round(float(average_precision_score(labels, ranks)), 12),
        "brier_skill": round(1 - brier / (share * (1 - share)), 12),
    }


def _log_loss(found: np.ndarray, labels: np.ndarray, base: Document) -> float:
    return mean_log_loss(np.where(np.isnan(found), base["margin"], found), labels)


def _silence(names: list[str], rows: pd.DataFrame) -> np.ndarray:
    if not names:
        return np.full(len(rows), np.nan)
    days = np.column_stack([encoding.numbers(rows, name) for name in names])
    return np.fmin.reduce(days, axis=1)


def _papers_history(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x, t_x, T = (encoding.numbers(rows, name) for name in PURCHASE_FEATURES)
    return x, t_x / 7, T / 7


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


def _family_margins(
    family: Family, document: Document, rows: pd.DataFrame
) -> np.ndarray:
    return family.say(document, family.matrix(document["encoder"], rows))


def _mean_margins(document: Document, rows: pd.DataFrame) -> np.ndarray:
    return np.mean([margins(part, rows) for part in document["members"]], axis=0)


_MARGINS = {
    "constant": _constant_margins,
    "silence": _silence_margins,
    "purchases": _purchase_margins,
    "mean": _mean_margins,
    **{family.kind: partial(_family_margins, family) for family in FAMILIES.values()},
}
