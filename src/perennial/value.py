"""What customers will bring: candidates that learn amounts, fitted and applied.

Frames in, frames out, in the names of the tables. They learn from what customers of
past dates brought within a window, so that they know horizons that are over and no
other. What a candidate learned is a document, as in :mod:`perennial.churn`.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import duckdb
import numpy as np
import pandas as pd
from scipy.special import expit
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mean_tweedie_deviance
from threadpoolctl import threadpool_limits

from perennial import __version__, calibration, churn, encoding
from perennial.churn import Document, Family, Parameters, Refused, Search, Settings
from perennial.registry import checked_document

#: How a fit can end: ``ok``, or why there is none.
VALUE_STATUSES = (
    "ok",
    "no_training_rows",
    "too_few_buyers",
    "no_features",
    "not_fitted",
)

#: With fewer training rows that brought something, or nothing, no amount is learned.
MINIMUM_BUYERS = calibration.MINIMUM_RARER

#: What the linear regression looks at: the first six that are there and differ.
LINEAR_FEATURES = (
    "mrr",
    "order_amount_365d",
    "order_amount_90d",
    "mean_order_day_amount",
    "order_days_count",
    "days_since_last_order",
    "subscription_tenure_days",
    "days_since_last_use",
)

#: Amounts are divided by their mean before they are learned, so that nothing here
#: depends on the currency. Where a search finds nothing better, these stay.
TWEEDIE_PARAMETERS = {
    "objective": "tweedie",
    "tweedie_variance_power": 1.5,
    "max_bin": 63,
    "num_leaves": 15,
    "min_data_in_leaf": 100,
    "min_sum_hessian_in_leaf": 1.0,
    "learning_rate": 0.1,
    "lambda_l2": 1.0,
    "feature_fraction": 0.8,
    "trees": 100,
}
SPEND_PARAMETERS = {
    name: value
    for name, value in TWEEDIE_PARAMETERS.items()
    if name != "tweedie_variance_power"
} | {"objective": "gamma", "trees": 60}

#: What a search may change, as in :mod:`perennial.churn`.
TWEEDIE_SPACE = {
    "tweedie_variance_power": (1.1, 1.9, False),
    "num_leaves": (4, 31, False),
    "min_data_in_leaf": (20, 400, True),
    "learning_rate": (0.03, 0.3, True),
    "lambda_l2": (0.1, 30.0, True),
    "feature_fraction": (0.3, 1.0, False),
    "trees": (50, 150, False),
}

#: Decimals of an amount.
AMOUNT_DECIMALS = 6

#: The deviance that a search looks at, whatever power a trial learns with.
JUDGED_POWER = 1.5

#: Logarithms beyond it are no amounts that a double can hold well.
_MOST_LOGARITHM = 50.0


@dataclass(frozen=True)
class FittedAmounts:
    """One candidate, fitted, or why it was not.

    Attributes
    ----------
    model_name : str
    document : dict
        What it learned; empty where there is nothing.
    status, note : str
        One of :data:`VALUE_STATUSES`, and in words.
    search : Search
    """

    model_name: str
    document: Document
    status: str = "ok"
    note: str = ""
    search: Search = field(default_factory=Search)


def fit_candidates(
    splits: pd.DataFrame,
    examples: pd.DataFrame,
    features: pd.DataFrame,
    settings: Settings,
    tell: Callable[[str], None] = lambda line: None,
) -> pd.DataFrame:
    """Fit every candidate for each horizon and origin.

    Parameters
    ----------
    splits : DataFrame
        ``horizon_days``, ``origin_date``, ``as_of_date`` and ``role``: an origin, of
        role ``test`` or ``score``, learns from its ``train`` dates alone.
    examples : DataFrame
        ``horizon_days``, ``as_of_date``, ``customer_id`` and ``future_amount``.
    features : DataFrame
        One row per ``customer_id`` and ``as_of_date``.
    settings : Settings
        ``horizon_days`` is taken from the splits.
    tell : function
        Called with a line for each fit.

    Returns
    -------
    DataFrame
        One row per horizon, origin and ``model_name``, also where a candidate was
        refused: then ``value_status`` and ``value_note`` say why, and the document is
        empty.
    """
    origin = ["horizon_days", "origin_date"]
    origins = splits[splits["role"] != "train"][origin].drop_duplicates()
    learning = splits[splits["role"] == "train"]
    rows = []
    # one thread, so that the last digit is the same on every machine
    with threadpool_limits(limits=1):
        for key in origins.sort_values(origin).itertuples(index=False, name=None):
            dates = learning[(learning[origin] == list(key)).all(axis=1)]
            date = ["horizon_days", "as_of_date"]
            chosen = examples.merge(dates[date], on=date)
            training = training_rows(chosen, features)
            place = f"value, {key[0]} days, {key[1]:%Y-%m-%d}"
            rows += [
                (*key, *_fit_row(fitted, training))
                for fitted in fit_all(
                    training,
                    replace(settings, horizon_days=int(key[0])),
                    tell=lambda line, place=place: tell(f"{place}: {line}"),
                )
            ]
    return pd.DataFrame(rows, columns=list(_FIT_COLUMNS)).astype(_FIT_COLUMNS)


def fit_due(
    splits: duckdb.DuckDBPyRelation,
    values: duckdb.DuckDBPyRelation,
    store: duckdb.DuckDBPyRelation,
    listed: pd.DataFrame,
    settings: pd.Series,
) -> pd.DataFrame:
    """Look up what splits learn from, and fit every candidate on it.

    Parameters
    ----------
    splits, values, store : DuckDBPyRelation
        Rows of ``train_value_splits``, ``train_values`` and ``feature_store``.
    listed : DataFrame
        Rows of ``train_features``, in the order of their names.
    settings : Series
        The row of ``int_settings``.

    Returns
    -------
    DataFrame
        As of :func:`fit_candidates`. Each fit is told in a line as it begins.
    """
    due = splits.project("horizon_days, as_of_date")
    examples = values.filter("is_for_training")
    examples = examples.join(due, "horizon_days, as_of_date", how="semi")
    return fit_candidates(
        splits.df(),
        examples.df(),
        churn.features_of(examples, store, listed).df(),
        Settings.of(listed, settings, trials="value_search_trials"),
        tell=lambda line: print(f"fit_value: {line}", flush=True),
    )


def score_customers(
    examples: pd.DataFrame,
    features: pd.DataFrame,
    fits: pd.DataFrame,
    models: pd.DataFrame,
) -> pd.DataFrame:
    """Apply to the customers of each date what was learned by then.

    On the score date these are the models that stand, as they were registered; on a
    past date, and where no model of the horizon is registered yet, the last fits of
    past origins that were made by then.

    Parameters
    ----------
    examples : DataFrame
        Rows to score: ``horizon_days``, ``as_of_date`` and ``customer_id``.
    features : DataFrame
        One row per ``customer_id`` and ``as_of_date``.
    fits : DataFrame
        What :func:`fit_candidates` returned of past origins.
    models : DataFrame
        Registered models, whatever their ``stage``: ``model_id``, ``model_name``,
        ``horizon_days``, ``as_of_date`` of the fit, ``score_date``,
        ``model_document`` and ``document_sha256``.

    Returns
    -------
    DataFrame
        One row per horizon, date, customer and ``model_name`` that has something to
        say: ``expected_amount``, never negative and never above what any training row
        brought, ``fitted_date``, ``model_id`` (None of past origins), ``model_note``.

    Raises
    ------
    Fault
        If the document of a model that stands is not what was registered.
    """
    past = fits[fits["model_document"] != ""]
    pieces = []
    with threadpool_limits(limits=1):
        for (horizon_days, as_of_date), chosen in examples.groupby(
            ["horizon_days", "as_of_date"], sort=True
        ):
            registered = models[
                (models["horizon_days"] == horizon_days)
                & (models["score_date"] == as_of_date)
            ]
            if registered.empty:
                said = _documents_of_past(past, horizon_days, as_of_date)
            else:
                said = _documents_that_stand(registered)
            if not said:
                continue
            customers = chosen.merge(features, on=["customer_id", "as_of_date"])
            customers = customers.sort_values("customer_id").reset_index(drop=True)
            pieces += [_scored(customers, document, told) for document, told in said]
    empty = pd.DataFrame(columns=list(_SCORE_COLUMNS))
    scores = pd.concat(pieces) if pieces else empty
    return scores[list(_SCORE_COLUMNS)].astype(_SCORE_COLUMNS)


def training_rows(examples: pd.DataFrame, features: pd.DataFrame) -> pd.DataFrame:
    """Examples beside their features, in an order that never differs.

    Who sent back more than was bought brought nothing: no model here knows amounts
    below 0.
    """
    known = examples[examples["future_amount"].notna()]
    key = ["customer_id", "as_of_date"]
    # what both tables tell is told by the features, under its own name
    told_twice = features.columns.intersection(examples.columns).difference(key)
    rows = known.drop(columns=told_twice).merge(features, on=key)
    rows = rows.sort_values(["as_of_date", "customer_id"]).reset_index(drop=True)
    amount = np.maximum(rows["future_amount"].to_numpy(float), 0)
    return rows.assign(amount=amount, label=amount > 0)


def fit_all(
    rows: pd.DataFrame,
    settings: Settings,
    tell: Callable[[str], None] = lambda line: None,
) -> list[FittedAmounts]:
    """Fit every candidate on one set of training rows, in rising order.

    Parameters
    ----------
    rows : DataFrame
        What :func:`training_rows` returned.
    settings : Settings
    tell : function
        Called with a line before the fits.

    Returns
    -------
    list of FittedAmounts
    """
    if not len(rows):
        refusal = "no_training_rows", "no window was over by the origin"
        return [FittedAmounts(name, {}, *refusal) for name in CANDIDATES]
    buyers = int(rows["label"].sum())
    if buyers < MINIMUM_BUYERS:
        note = f"{buyers} of {len(rows)} training rows brought something"
        return [FittedAmounts(name, {}, "too_few_buyers", note) for name in CANDIDATES]
    tell(f"learning amounts from {len(rows):,} rows")
    rows = encoding.cleaned(
        rows, list(settings.numeric_features), list(settings.categories)
    )
    # told apart from the currency: what is learned is a share of the mean amount
    scale = round(float(rows["amount"].mean()), AMOUNT_DECIMALS) or 1.0
    rows = rows.assign(share=rows["amount"] / scale)
    most = {"scale": scale, "most": float(rows["amount"].max())}
    fitted = []
    for name, fit in CANDIDATES.items():
        try:
            document, search = fit(rows, settings)
        except Refused as refused:
            fitted.append(FittedAmounts(name, {}, refused.status, refused.note))
        except np.linalg.LinAlgError as error:
            fitted.append(FittedAmounts(name, {}, "not_fitted", str(error)))
        else:
            fitted.append(FittedAmounts(name, {**document, **most}, search=search))
    return fitted


def fit_linear(rows: pd.DataFrame, settings: Settings) -> tuple[Document, Search]:
    """Fit a straight line through six features: the plain baseline."""
    return churn.fit_family(FAMILIES["linear"], rows, settings), Search()


def fit_tweedie(rows: pd.DataFrame, settings: Settings) -> tuple[Document, Search]:
    """Grow trees for the amount as it is, the many zeros among it."""
    family = FAMILIES["tweedie"]
    search = churn.search_parameters(family, rows, settings)
    return churn.fit_family(family, rows, settings, search.parameters), search


def fit_two_stages(rows: pd.DataFrame, settings: Settings) -> tuple[Document, Search]:
    """Grow trees for whether anything comes, and others for how much then."""
    buyers = rows[rows["label"]]
    is_always = len(buyers) == len(rows)
    # where everybody brings something there is nothing to tell apart
    active = {} if is_always else churn.fit_family(FAMILIES["active"], rows, settings)
    spend = churn.fit_family(FAMILIES["spend"], buyers, settings)
    return {"kind": "two_stages", "active": active, "spend": spend}, Search()


def amounts(document: Document, rows: pd.DataFrame) -> np.ndarray:
    """Give the amounts that a fitted candidate expects.

    Parameters
    ----------
    document : dict
        What a candidate learned.
    rows : DataFrame
        A column per feature.

    Returns
    -------
    array of float, shape (n,), money
    """
    parts = [
        _shares(document, rows.iloc[start : start + churn.CUSTOMERS_AT_A_TIME])
        for start in range(0, max(len(rows), 1), churn.CUSTOMERS_AT_A_TIME)
    ]
    said = np.concatenate(parts) * document["scale"]
    return np.round(np.clip(said, 0, document["most"]), AMOUNT_DECIMALS)


def tweedie_deviance(logarithms: np.ndarray, amounts: np.ndarray) -> float:
    """Mean unit deviance of Tweedie with power 1.5, of expectations as logarithms.

    Parameters
    ----------
    logarithms, amounts : array of float, shape (n,)
        Amounts may be 0.

    Returns
    -------
    float
    """
    expected = np.exp(_bounded(logarithms))
    return float(mean_tweedie_deviance(amounts, expected, power=JUDGED_POWER))


def _share_of(rows: pd.DataFrame) -> np.ndarray:
    return rows["share"].to_numpy(float)


def _known_numbers(encoder: Document, rows: pd.DataFrame) -> np.ndarray:
    """Numbers as they are, and 0 where there is none."""
    return np.nan_to_num(encoding.plain_matrix(encoder, rows).astype(float))


def _train_line(
    matrix: np.ndarray, shares: np.ndarray, parameters: Parameters, settings: Settings
) -> Document:
    deviations = matrix.std(axis=0)
    deviations[deviations == 0] = 1.0
    model = LinearRegression().fit(matrix / deviations, shares)
    return {
        "intercept": float(model.intercept_),
        "weights": (model.coef_ / deviations).tolist(),
    }


def _bounded(logarithms: np.ndarray) -> np.ndarray:
    return np.clip(logarithms, -_MOST_LOGARITHM, _MOST_LOGARITHM)


def _shares(document: Document, rows: pd.DataFrame) -> np.ndarray:
    """Give expectations as shares of the mean amount of training."""
    if document["kind"] == "two_stages":
        active, spend = document["active"], document["spend"]
        is_bringing = expit(_said("active", active, rows)) if active else 1.0
        return is_bringing * np.exp(_bounded(_said("spend", spend, rows)))
    if document["kind"] == "line":
        return _said("linear", document, rows)
    return np.exp(_bounded(_said("tweedie", document, rows)))


def _said(name: str, document: Document, rows: pd.DataFrame) -> np.ndarray:
    family = FAMILIES[name]
    return family.say(document, family.matrix(document["encoder"], rows))


#: A straight line; trees for amounts with many zeros; trees for whether, and how much.
FAMILIES = {
    "linear": Family(
        kind="line",
        encoder=partial(churn.first_six, LINEAR_FEATURES),
        matrix=_known_numbers,
        train=_train_line,
        say=churn.weigh,
        fixed={},
        space={},
        answers=_share_of,
    ),
    "tweedie": Family(
        kind="amount_leaves",
        encoder=churn.full_encoder,
        matrix=encoding.plain_matrix,
        train=churn.train_leaves,
        say=churn.walk_leaves,
        fixed=TWEEDIE_PARAMETERS,
        space=TWEEDIE_SPACE,
        answers=_share_of,
        loss=tweedie_deviance,
    ),
    "active": churn.FAMILIES["lightgbm"],
    "spend": Family(
        kind="amount_leaves",
        encoder=churn.full_encoder,
        matrix=encoding.plain_matrix,
        train=churn.train_leaves,
        say=churn.walk_leaves,
        fixed=SPEND_PARAMETERS,
        space={},
        answers=_share_of,
    ),
}

#: In rising order.
CANDIDATES = {
    "linear": fit_linear,
    "tweedie": fit_tweedie,
    "two_stages": fit_two_stages,
}

_FIT_COLUMNS = {
    "horizon_days": int,
    "origin_date": "datetime64[us]",
    "model_name": str,
    "value_status": str,
    "value_note": str,
    "training_dates_count": int,
    "training_rows_count": int,
    "training_customers_count": int,
    "buyers_count": int,
    "parameters": str,
    "trials_count": int,
    "fixed_deviance": float,
    "least_deviance": float,
    "model_document": str,
    "library_version": str,
}

_SCORE_COLUMNS = {
    "horizon_days": int,
    "as_of_date": "datetime64[us]",
    "customer_id": str,
    "model_name": str,
    "expected_amount": float,
    "fitted_date": "datetime64[us]",
    "model_id": object,
    "model_note": str,
}


def _fit_row(fitted: FittedAmounts, rows: pd.DataFrame) -> tuple:
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
        json.dumps(fitted.document.get("parameters", {}), sort_keys=True),
        fitted.search.trials_count,
        fitted.search.fixed_log_loss,
        fitted.search.least_log_loss,
        text if fitted.document else "",
        __version__,
    )


def _documents_of_past(
    fits: pd.DataFrame, horizon_days: int, as_of_date: pd.Timestamp
) -> list[tuple[Document, dict[str, Any]]]:
    """Give the fits of the last past origin, each with what a score tells of it."""
    known = fits[
        (fits["horizon_days"] == horizon_days) & (fits["origin_date"] <= as_of_date)
    ]
    newest = known[known["origin_date"] == known["origin_date"].max()]
    return [
        (
            json.loads(fit.model_document),
            {
                "model_name": fit.model_name,
                "fitted_date": fit.origin_date,
                "model_id": None,
            },
        )
        for fit in newest.itertuples(index=False)
    ]


def _documents_that_stand(
    models: pd.DataFrame,
) -> list[tuple[Document, dict[str, Any]]]:
    """Give the models that score today, each with what a score tells of it."""
    champions = models[models["stage"] == "champion"].sort_values("model_name")
    return [
        (
            checked_document(
                model.model_id, model.model_document, model.document_sha256
            ),
            {
                "model_name": model.model_name,
                "fitted_date": model.as_of_date,
                "model_id": model.model_id,
            },
        )
        for model in champions.itertuples(index=False)
    ]


def _scored(
    customers: pd.DataFrame, document: Document, told: dict[str, Any]
) -> pd.DataFrame:
    missing = sorted(set(_missing(document, customers)))
    return customers[["horizon_days", "as_of_date", "customer_id"]].assign(
        **told,
        expected_amount=amounts(document, customers),
        model_note=f"not there at scoring: {', '.join(missing)}" if missing else "",
    )


def _missing(document: Document, rows: pd.DataFrame) -> list[str]:
    if document.get("kind") == "two_stages":
        stages = document["active"], document["spend"]
        return [name for stage in stages for name in _missing(stage, rows)]
    encoder = document.get("encoder")
    return encoding.missing_features(encoder, rows) if encoder else []
