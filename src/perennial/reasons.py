"""Why a score is what it is, and why it moved: what each feature contributes.

Frames in, frames out, in the names of the tables. A contribution is in the unit of the
model's own margin, log-odds before calibration, and contributions and base add up to
it: Shapley values of trees (Lundberg and others 2020, by the libraries that grew them,
over the paths of the training rows), weight times distance from the mean of training in
a weighted sum.
"""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xgboost
from scipy.special import expit, logit
from threadpoolctl import threadpool_limits

from perennial import calibration, churn, encoding, shapley
from perennial.registry import checked_document

#: What the purchase model and the rule of silence contribute, as one.
PURCHASE_RHYTHM = "purchase_rhythm"

#: Rows of a customer besides features: what everybody begins with, and what is left.
BASE, OTHERS = "base", "all_others"

#: So many features of a customer are told, the strongest first.
TOLD_FEATURES = 10

#: So many features of a model have their partial dependence drawn, over so many
#: customers and at most so many values.
DRAWN_FEATURES, DRAWN_CUSTOMERS, DRAWN_POINTS = 10, 200, 10

#: From so many rows on, trees that grew leaf by leaf are taken apart by ours.
MANY_ROWS = 3_000

#: Decimals of a contribution.
DECIMALS = 9

#: How a change can be told: ``ok``, or why it has no parts.
CHANGE_STATUSES = ("ok", "no_model", "features_gone")

_RHYTHM_IN_THE_CATALOGUE = {
    "feature_name": PURCHASE_RHYTHM,
    "kind": "days",
    "unit": "days",
    "null_means": "Nothing was ordered or used yet.",
    "description": "Whole days since the customer last ordered or used the product.",
}

Frame = pd.DataFrame
Document = churn.Document


@dataclass(frozen=True)
class Contributions:
    """What features contribute to the margins of customers.

    Attributes
    ----------
    names : list of str
        Features, sorted.
    matrix : array of float, shape (n, features)
        NaN where the model has nothing to say of the customer.
    base : array of float, shape (n,)
        What everybody begins with.
    """

    names: list[str]
    matrix: np.ndarray
    base: np.ndarray

    @property
    def margins(self) -> np.ndarray:
        """What they add up to."""
        return self.base + self.matrix.sum(axis=1)


def contributions(document: Document, rows: Frame, threads: int = 1) -> Contributions:
    """Split the margins that a model gives into what each feature contributes.

    Parameters
    ----------
    document : dict
        What a candidate's ``fit`` returned.
    rows : DataFrame
        A column per feature.
    threads : int
        The result is the same with any number.

    Returns
    -------
    Contributions
        Without any feature for the base rate, which knows none. What a category's
        columns contribute is added up, and so is what a feature does by being NULL. Of
        a mean, the mean of what its members say.
    """
    say = _CONTRIBUTIONS[document["kind"]]
    names, values, base = say(document, rows, threads)
    order = np.argsort(np.array(names, dtype=object), kind="stable")
    values = np.round(values[:, order], DECIMALS)
    base = np.round(np.broadcast_to(base, len(rows)), DECIMALS)
    return Contributions([names[place] for place in order], values, base)


def features_in(document: Document) -> dict[str, str]:
    """Give the features that a model looks at, each with the type that it reads."""
    if "members" in document:
        parts = [features_in(part) for part in document["members"]]
        return {name: kind for part in parts for name, kind in part.items()}
    if "encoder" in document:
        encoder = document["encoder"]
        numeric = {feature["name"]: "DOUBLE" for feature in encoder["numeric"]}
        return numeric | {one["name"]: "VARCHAR" for one in encoder["categories"]}
    wanted = churn.PURCHASE_FEATURES if document["kind"] == "purchases" else ()
    return dict.fromkeys([*wanted, *document.get("features", [])], "DOUBLE")


def columns_of_features(models: Frame) -> str:
    """Give what models look at, out of the JSON of what they saw, as SQL.

    Parameters
    ----------
    models : DataFrame
        ``model_id``, ``model_document`` and ``document_sha256``.
    """
    wanted: dict[str, str] = {}
    for document in documents_of(models).values():
        wanted |= features_in(document)
    key = "customer_id, as_of_date, features_sha256"
    if not wanted:
        return key
    structure = json.dumps(dict(sorted(wanted.items())))
    return f"{key}, unnest(json_transform(features, '{structure}'))"


def documents_of(models: Frame) -> dict[str, Document]:
    """Read what registered models learned, by their ids, once their hash was checked.

    Raises
    ------
    Fault
        If a document is not what was registered.
    """
    told = ("model_id", "model_document", "document_sha256")
    return {
        one.model_id: checked_document(*(getattr(one, name) for name in told))
        for one in models.itertuples(index=False)
    }


def explain(
    asked: Frame,
    features: Frame,
    models: Frame,
    catalogue: Frame,
    usual: Frame,
    threads: int = 1,
) -> Frame:
    """Tell for customers what their scores are made of.

    Parameters
    ----------
    asked : DataFrame
        Scores: ``task``, ``horizon_days``, ``as_of_date``, ``customer_id``,
        ``model_id`` and ``features_sha256``.
    features : DataFrame
        What models saw: ``customer_id``, ``as_of_date``, ``features_sha256`` and a
        column per feature.
    models : DataFrame
        Rows of ``model_registry``.
    catalogue : DataFrame
        ``feature_name``, ``kind``, ``unit``, ``null_means`` and ``description``.
    usual : DataFrame
        ``model_id``, ``feature_name``, ``usual_number`` and ``usual_text``, as
        :func:`importance` gives them.
    threads : int

    Returns
    -------
    DataFrame
        Per score a row for each of its :data:`TOLD_FEATURES` strongest features, one
        for ``all_others`` and one for the ``base``: they add up to the raw margin.
    """
    pieces = []
    with threadpool_limits(limits=1):
        for model_id, document in documents_of(models).items():
            rows = asked[asked["model_id"] == model_id]
            rows = rows.merge(
                features, on=["customer_id", "as_of_date", "features_sha256"]
            ).sort_values("customer_id", ignore_index=True)
            own = usual[usual["model_id"] == model_id].set_index("feature_name")
            for start in range(0, len(rows), churn.CUSTOMERS_AT_A_TIME):
                part = rows.iloc[start : start + churn.CUSTOMERS_AT_A_TIME]
                found = contributions(document, part, threads)
                pieces.append(_told(part, found, _Words(catalogue, own), document))
    told = pd.concat(pieces) if pieces else pd.DataFrame(columns=list(_REASON_COLUMNS))
    return told[list(_REASON_COLUMNS)].astype(_REASON_COLUMNS)


def importance(asked: Frame, features: Frame, models: Frame, threads: int = 1) -> Frame:
    """Tell how much each feature moves the scores of customers, and what is usual.

    Parameters
    ----------
    asked, features, models
        As for :func:`explain`: a sample of the scored customers.
    threads : int

    Returns
    -------
    DataFrame
        One row per ``model_id`` and ``feature_name``: ``importance_rank``,
        ``mean_absolute_contribution``, ``importance_share`` of the sum of these,
        ``mean_contribution``, and ``usual_number`` or ``usual_text``: the median, or
        the commonest; both NULL where most have none.
    """
    pieces = []
    with threadpool_limits(limits=1):
        for model_id, document, rows in _scored_by(asked, features, models):
            found = contributions(document, rows, threads)
            if not found.names:
                continue
            size = np.round(np.abs(found.matrix).mean(axis=0), DECIMALS)
            usual = [_usual(_shown(document, rows, name)) for name in found.names]
            told = pd.DataFrame(
                {
                    "task": rows["task"].iloc[0],
                    "horizon_days": rows["horizon_days"].iloc[0],
                    "as_of_date": rows["as_of_date"].iloc[0],
                    "model_id": model_id,
                    "feature_name": found.names,
                    "customers_count": len(rows),
                    "mean_absolute_contribution": size,
                    "importance_share": np.round(size / max(size.sum(), 1e-300), 6),
                    "mean_contribution": np.round(found.matrix.mean(axis=0), DECIMALS),
                    "usual_number": [number for number, _ in usual],
                    "usual_text": [text for _, text in usual],
                }
            ).sort_values(
                ["mean_absolute_contribution", "feature_name"], ascending=[False, True]
            )
            pieces.append(told.assign(importance_rank=range(1, len(told) + 1)))
    empty = pd.DataFrame(columns=list(_IMPORTANCE_COLUMNS))
    told = pd.concat(pieces) if pieces else empty
    return told[list(_IMPORTANCE_COLUMNS)].astype(_IMPORTANCE_COLUMNS)


def dependence(asked: Frame, features: Frame, models: Frame, important: Frame) -> Frame:
    """Ask what models would say if one feature were another, of the strongest ones.

    Parameters
    ----------
    asked, features, models
        As for :func:`explain`: of each model the first :data:`DRAWN_CUSTOMERS` are
        asked about.
    important : DataFrame
        What :func:`importance` returned.

    Returns
    -------
    DataFrame
        One row per ``model_id``, ``feature_name`` and ``point_number``: the value as
        ``value_number`` or ``value_text``, and over the customers, each with that value
        in place of the own, ``mean_probability`` and ``mean_margin``.
    """
    pieces = []
    with threadpool_limits(limits=1):
        for model_id, document, rows in _scored_by(asked, features, models):
            kinds = features_in(document)
            ranked = important[important["model_id"] == model_id]
            ranked = ranked.sort_values("importance_rank")["feature_name"]
            names = [name for name in ranked if name in kinds][:DRAWN_FEATURES]
            few = rows.iloc[:DRAWN_CUSTOMERS]
            points = [
                (name, number, value)
                for name in names
                for number, value in enumerate(_points(rows[name], kinds[name]), 1)
            ]
            if not points:
                continue
            changed = pd.concat(
                [few.assign(**{name: value}) for name, _, value in points],
                ignore_index=True,
            ).astype({name: rows[name].dtype for name in names})
            odds, raw = _log_odds(document, changed)
            shape = len(points), len(few)
            means = expit(odds).reshape(shape).mean(axis=1)
            is_text = [kinds[name] == "VARCHAR" for name, _, _ in points]
            pieces.append(
                pd.DataFrame(
                    {
                        "task": rows["task"].iloc[0],
                        "horizon_days": rows["horizon_days"].iloc[0],
                        "as_of_date": rows["as_of_date"].iloc[0],
                        "model_id": model_id,
                        "feature_name": [name for name, _, _ in points],
                        "point_number": [number for _, number, _ in points],
                        "value_number": [
                            np.nan if text else float(value)
                            for text, (_, _, value) in zip(is_text, points, strict=True)
                        ],
                        "value_text": [
                            value if text else None
                            for text, (_, _, value) in zip(is_text, points, strict=True)
                        ],
                        "customers_count": len(few),
                        "mean_probability": np.round(means, churn.PROBABILITY_DECIMALS),
                        "mean_margin": np.round(
                            raw.reshape(shape).mean(axis=1), DECIMALS
                        ),
                    }
                )
            )
    empty = pd.DataFrame(columns=list(_DEPENDENCE_COLUMNS))
    told = pd.concat(pieces) if pieces else empty
    return told[list(_DEPENDENCE_COLUMNS)].astype(_DEPENDENCE_COLUMNS)


def changes(pairs: Frame, features: Frame, models: Frame) -> Frame:
    """Split how far scores moved between two dates into what moved them.

    The customer's features change under the earlier model; then the model under the
    earlier calibrator; then the calibrator. Where one of the two models does not give
    log-odds, its calibrator cannot be asked alone, and counts with the model.

    Parameters
    ----------
    pairs : DataFrame
        A score with that of the date before: ``task``, ``horizon_days``,
        ``as_of_date``, ``customer_id``, ``model_id``, ``features_sha256``, and
        ``previous_as_of_date``, ``previous_model_id``, ``previous_features_sha256``.
    features, models
        As for :func:`explain`, of both dates.

    Returns
    -------
    DataFrame
        One row per pair: ``change_status``, one of :data:`CHANGE_STATUSES`, and in
        log-odds of the calibrated probability ``features_change``, ``model_change`` and
        ``calibration_change``.
    """
    known, pieces = documents_of(models), []
    keys = ["previous_model_id", "model_id"]
    features = features.sort_values("customer_id", ignore_index=True)
    with threadpool_limits(limits=1):
        for (before, after), chosen in pairs.groupby(keys, sort=True, dropna=False):
            if before not in known or after not in known:
                pieces.append(chosen.assign(change_status="no_model"))
                continue
            rows = chosen.sort_values("customer_id", ignore_index=True)
            for start in range(0, len(rows), churn.CUSTOMERS_AT_A_TIME):
                part = rows.iloc[start : start + churn.CUSTOMERS_AT_A_TIME]
                documents = known[before], known[after]
                pieces.append(_split(part, features, *documents, before == after))
    empty = pd.DataFrame(columns=list(_CHANGE_COLUMNS))
    told = pd.concat(pieces) if pieces else empty
    told = told.reindex(columns=list(_CHANGE_COLUMNS))
    return told.astype(_CHANGE_COLUMNS)


def moved_features(
    score: Any, features: Frame, models: Frame, catalogue: Frame
) -> Frame:
    """Tell which features moved one score most since the date before.

    Parameters
    ----------
    score : Series
        A pair as for :func:`changes`.
    features, models, catalogue
        As for :func:`explain`.

    Returns
    -------
    DataFrame
        ``feature_name``, ``contribution_change`` in the raw margin of the earlier
        model, ``value_before`` and ``value``, what moved most first; nothing where the
        features of one of the dates are not there.
    """
    document = documents_of(models).get(score["previous_model_id"])
    pair = pd.DataFrame([score])
    then = features.merge(
        pair[["previous_as_of_date", "previous_features_sha256"]],
        left_on=["as_of_date", "features_sha256"],
        right_on=["previous_as_of_date", "previous_features_sha256"],
    )
    now = features.merge(pair[["as_of_date", "features_sha256"]])
    names = ["feature_name", "contribution_change", "value_before", "value"]
    told = pd.DataFrame(columns=names)
    if document is None or then.empty or now.empty:
        return told
    before, after = (contributions(document, rows) for rows in (then, now))
    words = _Words(catalogue, pd.DataFrame())
    told = pd.DataFrame(
        {
            "feature_name": before.names,
            "contribution_change": np.round(
                (after.matrix - before.matrix)[0], DECIMALS
            ),
            **{
                column: [
                    words.value(name, _shown(document, rows, name).iloc[0])
                    for name in before.names
                ]
                for column, rows in (("value_before", then), ("value", now))
            },
        }
    )
    told = told[told["contribution_change"].fillna(0) != 0]
    return told.sort_values(
        "contribution_change", key=np.abs, ascending=False, kind="stable"
    )


def _scored_by(asked: Frame, features: Frame, models: Frame) -> Any:
    """Give each model with its document and whom it scored, in the order of asking."""
    for model_id, document in documents_of(models).items():
        rows = asked[asked["model_id"] == model_id].merge(
            features, on=["customer_id", "as_of_date", "features_sha256"]
        )
        if len(rows):
            yield model_id, document, rows


def _seen(rows: Frame, features: Frame, prefix: str) -> Frame:
    """Put beside each row what the model saw, whether or not it is still there."""
    return rows.merge(
        features,
        how="left",
        left_on=["customer_id", f"{prefix}as_of_date", f"{prefix}features_sha256"],
        right_on=["customer_id", "as_of_date", "features_sha256"],
        suffixes=("", "_seen"),
        indicator=True,
    )


def _split(
    rows: Frame, features: Frame, before: Document, after: Document, is_same: bool
) -> Frame:
    """Put the parts of their changes beside pairs, both sorted by customer."""
    ends = [rows["customer_id"].iloc[place] for place in (0, -1)]
    first, last = (
        features["customer_id"].searchsorted(end, side)
        for end, side in zip(ends, ("left", "right"), strict=True)
    )
    own = features.iloc[first:last]
    then, now = _seen(rows, own, "previous_"), _seen(rows, own, "")
    is_there = ((then["_merge"] == "both") & (now["_merge"] == "both")).to_numpy()
    parts = np.full((3, len(rows)), np.nan)
    if is_there.any():
        seen = then[is_there], now[is_there]
        parts[:, is_there] = _parts(before, after, *seen, is_same)
    names = ("features_change", "model_change", "calibration_change")
    return rows.assign(
        change_status=np.where(is_there, "ok", "features_gone"),
        **dict(zip(names, parts, strict=True)),
    )


def _parts(
    before: Document, after: Document, then: Frame, now: Frame, is_same: bool
) -> np.ndarray:
    first, _ = _log_odds(before, then)
    moved, _ = _log_odds(before, now)
    if is_same:
        return np.stack([moved - first, np.zeros(len(then)), np.zeros(len(then))])
    last, raw = _log_odds(after, now)
    between = last
    if "silence" not in (before["kind"], after["kind"]):
        says = ~np.isnan(churn.margins(after, now))
        between = np.where(says, _calibrated_log_odds(before, raw), last)
    return np.stack([moved - first, between - moved, last - between])


def _log_odds(document: Document, rows: Frame) -> tuple[np.ndarray, np.ndarray]:
    """Log-odds of the calibrated probability, and the raw margin."""
    found = churn.margins(document, rows)
    says = ~np.isnan(found)
    base = document.get("base_margin", document.get("margin"))
    raw = np.where(says, found, base)
    return np.where(says, _calibrated_log_odds(document, raw), base), raw


def _calibrated_log_odds(document: Document, raw: np.ndarray) -> np.ndarray:
    return logit(calibration.calibrated(document["calibrator"], raw))


# --- what each kind of model contributes ----------------------------------------------

Said = tuple[list[str], np.ndarray, Any]


def _of_constant(document: Document, rows: Frame, threads: int) -> Said:
    return [], np.empty((len(rows), 0)), document["margin"]


def _of_silence(document: Document, rows: Frame, threads: int) -> Said:
    return [PURCHASE_RHYTHM], churn.margins(document, rows)[:, None], 0.0


def _of_purchases(document: Document, rows: Frame, threads: int) -> Said:
    base = document["base_margin"]
    return [PURCHASE_RHYTHM], (churn.margins(document, rows) - base)[:, None], base


def _of_weights(document: Document, rows: Frame, threads: int) -> Said:
    encoder, weights = document["encoder"], np.array(document["weights"])
    means = encoding.scaled_means(encoder)
    values = (encoding.scaled_matrix(encoder, rows) - means) * weights
    base = document["intercept"] + float(means @ weights)
    return *_by_feature(encoder, values, with_nulls=True), base


def _of_trees(document: Document, rows: Frame, threads: int) -> Said:
    encoder = document["encoder"]
    trees = xgboost.Booster({"nthread": threads})
    trees.load_model(bytearray(json.dumps(document["trees"]), "utf-8"))
    data = xgboost.DMatrix(encoding.plain_matrix(encoder, rows), nthread=threads)
    values = trees.predict(data, pred_contribs=True).astype(float)
    return *_by_feature(encoder, values[:, :-1], with_nulls=False), values[:, -1]


def _of_leaves(document: Document, rows: Frame, threads: int) -> Said:
    encoder = document["encoder"]
    trees = churn._lightgbm().Booster(model_str=document["text"])
    matrix = encoding.plain_matrix(encoder, rows)
    if len(rows) >= MANY_ROWS:
        values, base = shapley.of_leaf_wise_trees(
            trees.dump_model()["tree_info"], matrix
        )
        return *_by_feature(encoder, values, with_nulls=False), base
    values = trees.predict(matrix, pred_contrib=True, num_threads=threads)
    return *_by_feature(encoder, values[:, :-1], with_nulls=False), values[:, -1]


def _of_mean(document: Document, rows: Frame, threads: int) -> Said:
    members = document["members"]
    found = [_CONTRIBUTIONS[part["kind"]](part, rows, threads) for part in members]
    names = sorted({name for own, _, _ in found for name in own})
    values = np.zeros((len(rows), len(names)))
    for own, contributed, _ in found:
        values[:, [names.index(name) for name in own]] += contributed
    base = sum(np.broadcast_to(own, len(rows)) for _, _, own in found)
    return names, values / len(members), base / len(members)


_CONTRIBUTIONS = {
    "constant": _of_constant,
    "silence": _of_silence,
    "purchases": _of_purchases,
    "weights": _of_weights,
    "trees": _of_trees,
    "leaves": _of_leaves,
    "mean": _of_mean,
}


def _by_feature(
    encoder: Document, values: np.ndarray, with_nulls: bool
) -> tuple[list[str], np.ndarray]:
    """Add up the columns of one feature, which stand side by side."""
    owners = encoding.column_owners(encoder, with_nulls)
    starts = [
        place
        for place, name in enumerate(owners)
        if place == 0 or name != owners[place - 1]
    ]
    return [owners[place] for place in starts], np.add.reduceat(values, starts, axis=1)


# --- in words -------------------------------------------------------------------------


def _shown(document: Document, rows: Frame, name: str) -> pd.Series:
    """Give the values of a feature as they are told: numbers, or texts with None."""
    if name == PURCHASE_RHYTHM:
        return pd.Series(_days_of_silence(document, rows), index=rows.index)
    if features_in(document)[name] == "VARCHAR":
        found = encoding.texts(rows, name).astype(object)
        return found.where(found.notna(), None)
    return pd.Series(encoding.numbers(rows, name), index=rows.index)


def _days_of_silence(document: Document, rows: Frame) -> np.ndarray:
    for part in document.get("members", [document]):
        if part["kind"] == "silence":
            return churn._silence(part["features"], rows)
        if part["kind"] == "purchases":
            _, last, first = (
                encoding.numbers(rows, n) for n in churn.PURCHASE_FEATURES
            )
            return first - last
    return np.full(len(rows), np.nan)


def _usual(values: pd.Series) -> tuple[float, str | None]:
    """Give the median, or the commonest text; neither where most have none."""
    if values.dtype == object:
        counts = values.value_counts()
        is_known = len(counts) and counts.iloc[0] >= values.isna().sum()
        return np.nan, min(counts.index[counts == counts.iloc[0]]) if is_known else None
    known = values.dropna()
    return (float(known.median()) if 2 * len(known) >= len(values) else np.nan), None


def _points(values: pd.Series, kind: str) -> list:
    """Values to ask about: the commonest levels, or tenths of the customers."""
    if kind == "VARCHAR":
        counts = values.dropna().value_counts()
        ranked = sorted(counts.index, key=lambda level: (-counts[level], level))
        return sorted(ranked[:DRAWN_POINTS])
    known = values.dropna().to_numpy(float)
    if known.size == 0:
        return []
    shares = np.linspace(0.02, 0.98, DRAWN_POINTS)
    return list(np.unique(np.quantile(known, shares, method="inverted_cdf")))


class _Words:
    """What features and their values are called."""

    def __init__(self, catalogue: Frame, usual: Frame) -> None:
        listed = catalogue.to_dict("records")
        self.catalogue = {row["feature_name"]: row for row in listed}
        self.catalogue[PURCHASE_RHYTHM] = _RHYTHM_IN_THE_CATALOGUE
        self.usual = usual

    def value(self, name: str, value: Any) -> str:
        """Tell a value as people do."""
        if value is None or pd.isna(value):
            return "none"
        if isinstance(value, str):
            return value
        told = self.catalogue.get(name, {})
        unit = _text(told.get("unit"))
        if told.get("kind") == "flag":
            return "yes" if value >= 0.5 else "no"
        if unit == "share":
            return f"{value:.0%}"
        is_time = unit in ("seconds", "minutes", "hours")
        is_whole = float(value).is_integer() or (is_time and value >= 100)
        number = f"{value:,.0f}" if is_whole else f"{value:,.2f}"
        return f"{number} {unit}" if is_time else number

    def usual_of(self, name: str) -> tuple[float, str | None]:
        """Give what is usual, as a number or as a text."""
        if name not in self.usual.index:
            return np.nan, None
        row = self.usual.loc[name]
        return float(row["usual_number"]), _text(row["usual_text"])

    def reason(self, name: str, value: Any) -> str:
        """Say a feature, its value and what is usual, in a line."""
        number, text = self.usual_of(name)
        told = self.catalogue.get(name, {})
        what = _text(told.get("description")) or name
        what = what.rstrip(".").split(";")[0].split(":")[0]
        shown, usually = (
            self.value(name, value),
            self.value(name, number if text is None else text),
        )
        why = _text(told.get("null_means"))
        if shown == "none" and why:
            why = why.rstrip(".")
            return f"{what}: none ({why[0].lower()}{why[1:]}; usually {usually})"
        return f"{what}: {shown} (usually {usually})"


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _told(
    rows: Frame, found: Contributions, words: _Words, document: Document
) -> Frame:
    """Turn contributions of customers into rows, the strongest features first."""
    count, features = found.matrix.shape
    kept = min(TOLD_FEATURES, features)
    order = np.argsort(-np.abs(found.matrix), axis=1, kind="stable")[:, :kept]
    strongest = np.take_along_axis(found.matrix, order, axis=1)
    places, ranks = np.repeat(np.arange(count), kept), np.tile(np.arange(kept), count)
    which, contributed = order.ravel(), strongest.ravel()
    told = pd.DataFrame(
        {
            "place": places,
            "feature_name": np.array([*found.names, ""], dtype=object)[which],
            "feature_rank": ranks + 1,
            "contribution": contributed,
        }
    )
    numbers = np.full(len(told), np.nan)
    texts, shown, usually, reasons = (
        np.full(len(told), None, object) for _ in range(4)
    )
    for place, name in enumerate(found.names):
        at = np.flatnonzero(which == place)
        if not len(at):
            continue
        values = _shown(document, rows, name).to_numpy()[places[at]]
        codes, distinct = pd.factorize(values)
        distinct = np.append(np.asarray(distinct, dtype=object), None)
        said = [words.value(name, value) for value in distinct]
        shown[at] = np.array(said, object)[codes]
        said = [words.reason(name, value) for value in distinct]
        reasons[at] = np.array(said, object)[codes]
        number, text = words.usual_of(name)
        usually[at] = words.value(name, number if text is None else text)
        (texts if values.dtype == object else numbers)[at] = values
    told = told.assign(
        value_number=numbers,
        value_text=texts,
        value=shown,
        usual_value=usually,
        reason=reasons,
    )
    left = found.matrix.sum(axis=1) - strongest.sum(axis=1)
    rest = [
        pd.DataFrame(
            {"place": np.arange(count), "feature_name": name, "contribution": c}
        )
        for name, c in ((OTHERS, left), (BASE, found.base))
    ]
    told = pd.concat([told[told["contribution"] != 0], *rest], ignore_index=True)
    told["contribution"] = told["contribution"].round(DECIMALS)
    told["feature_rank"] = told["feature_rank"].astype("Int64")
    who = ["task", "horizon_days", "as_of_date", "customer_id", "model_id"]
    of = rows[who].reset_index(drop=True).iloc[told["place"]].reset_index(drop=True)
    is_said = ~np.isnan(found.margins[told["place"]])
    return pd.concat([of, told], axis="columns")[is_said]


_KEY_COLUMNS = {
    "task": str,
    "horizon_days": int,
    "as_of_date": "datetime64[us]",
}

_REASON_COLUMNS = {
    **_KEY_COLUMNS,
    "customer_id": str,
    "model_id": str,
    "feature_name": str,
    "feature_rank": "Int64",
    "contribution": float,
    "value_number": float,
    "value_text": "str",
    "value": "str",
    "usual_value": "str",
    "reason": "str",
}

_IMPORTANCE_COLUMNS = {
    **_KEY_COLUMNS,
    "model_id": str,
    "feature_name": str,
    "importance_rank": int,
    "customers_count": int,
    "mean_absolute_contribution": float,
    "importance_share": float,
    "mean_contribution": float,
    "usual_number": float,
    "usual_text": "str",
}

_DEPENDENCE_COLUMNS = {
    **_KEY_COLUMNS,
    "model_id": str,
    "feature_name": str,
    "point_number": int,
    "value_number": float,
    "value_text": "str",
    "customers_count": int,
    "mean_probability": float,
    "mean_margin": float,
}

_CHANGE_COLUMNS = {
    **_KEY_COLUMNS,
    "customer_id": str,
    "change_status": str,
    "features_change": float,
    "model_change": float,
    "calibration_change": float,
}
