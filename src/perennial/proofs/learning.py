"""What models learn from: training rows alone, and strangers where they are calibrated.

``python -m`` with this module reads a working file and prints what it found, so that
another version of the library can be proved, too.
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from perennial import churn
from perennial.proofs.result import Result

#: Of so many customers rows are taken; more of them would tell no more.
CUSTOMERS = 1000

_ORIGIN = """
select task, horizon_days, origin_date
from intermediate.model_splits
where task <> 'purchases' and role = 'test'
order by origin_date desc, horizon_days, task
limit 1
"""

_SPLITS = """
select task, horizon_days, origin_date, as_of_date, role
from intermediate.model_splits
where task = ? and horizon_days = ? and origin_date = ?
"""

# rows for training of other origins are among them
_EXAMPLES = f"""
select task, horizon_days, as_of_date, customer_id, fold, label
from training.train_examples
where
    is_for_training and task = ? and horizon_days = ?
    and customer_id in (
        select customer_id
        from training.train_examples
        where is_for_training and task = ? and horizon_days = ?
        group by customer_id
        order by hash(customer_id)
        limit {CUSTOMERS}
    )
"""

_FEATURES = """
select customer_id, as_of_date, {values}
from features.feature_store
where
    customer_id in (select customer_id from examples)
    and as_of_date in (select as_of_date from examples)
"""


def learning(file: Path) -> Result:
    """Fit the models of the newest origin of a working file again, on other rows."""
    with duckdb.connect(str(file), read_only=True) as engine:
        origin = engine.execute(_ORIGIN).fetchone()
        if origin is None:
            return Result("learning", file.stem, told="no model is judged yet")
        splits = engine.execute(_SPLITS, origin).df()
        examples = engine.execute(_EXAMPLES, [*origin[:2], *origin[:2]]).df()
        listed = engine.table("training.train_features").order("feature_name").df()
        kinds = listed["is_category"].map({True: "varchar", False: "double"})
        values = ", ".join(
            f'cast("{name}" as {kind}) as "{name}"'
            for name, kind in zip(listed["feature_name"], kinds, strict=True)
        )
        features = engine.execute(_FEATURES.format(values=values)).df()
        settings = engine.table("intermediate.int_settings").df().iloc[0]
    chosen = churn.Settings.of(listed, settings)
    models, findings = other_rows(splits, examples, features, chosen)
    dates = splits["as_of_date"][splits["role"] == "train"]
    rows = churn.training_rows(examples[examples["as_of_date"].isin(dates)], features)
    findings += own_rows(rows, models, chosen)
    return Result(
        "learning",
        file.stem,
        [origin[2]],
        len(listed),
        len(rows),
        findings=findings,
        told="" if models else "no model could be fitted",
    )


def other_rows(
    splits: pd.DataFrame,
    examples: pd.DataFrame,
    features: pd.DataFrame,
    settings: churn.Settings,
) -> tuple[list[str], list[str]]:
    """Make every row absurd that is not for training: no model may change.

    Returns
    -------
    tuple
        Names of the models that could be fitted, and what was found.
    """
    dates = splits["as_of_date"][splits["role"] == "train"]
    is_other = ~examples["as_of_date"].isin(dates)
    told = examples.assign(label=examples["label"].astype(bool) ^ is_other)
    keys = examples[["customer_id", "as_of_date"]][~is_other]
    learned = features.merge(keys, how="left", indicator=True)["_merge"] == "both"
    absurd_features = _absurd(features, ~learned.to_numpy(), settings)
    fits = churn.fit_candidates(splits, examples, features, settings)
    again = churn.fit_candidates(splits, told, absurd_features, settings)
    is_fitted = fits["candidate_status"] == "ok"
    is_same = (fits == again) | (fits.isna() & again.isna())
    differs = ~is_same.all(axis=1)
    return (
        [name for name in fits["model_name"][is_fitted] if name in churn.CANDIDATES],
        [
            f"{name} learned from rows that are not for training"
            for name in fits["model_name"][differs]
        ],
    )


def own_rows(
    rows: pd.DataFrame, models: list[str], settings: churn.Settings
) -> list[str]:
    """Turn the labels of one fold round, and make one customer of it another one.

    No model that gives scores to calibrate on knew anybody of that fold, so those of
    the others in the fold may not change.
    """
    if not models:
        return []
    is_fold = rows["fold"] == rows["fold"].min()
    is_customer = rows["customer_id"] == rows["customer_id"][is_fold].min()
    told = rows.copy()
    for name in (*settings.numeric_features, *settings.categories):
        told[name] = rows[name].mask(is_customer, rows[name].iloc[::-1].to_numpy())
    told["label"] = rows["label"] ^ is_fold
    findings = []
    for name in models:
        one, other = (_unseen(name, frame, settings) for frame in (rows, told))
        if one is None or other is None:
            continue
        compared = is_fold & ~is_customer
        if not np.array_equal(one[compared], other[compared], equal_nan=True):
            findings.append(
                f"{name} is calibrated on customers whom it had learned from"
            )
    return findings


def _unseen(
    name: str, rows: pd.DataFrame, settings: churn.Settings
) -> np.ndarray | None:
    try:
        return churn.unseen_margins(churn.CANDIDATES[name], rows, settings)
    except churn.Refused:  # too little is left without a fold
        return None


def _absurd(
    rows: pd.DataFrame, chosen: np.ndarray, settings: churn.Settings
) -> pd.DataFrame:
    told = rows.copy()
    for name in settings.numeric_features:
        told[name] = rows[name].mask(chosen, rows[name].fillna(0) * 1e6 + 999999)
    for name in settings.categories:
        told[name] = rows[name].mask(chosen, "poison")
    return told


if __name__ == "__main__":
    print(json.dumps(asdict(learning(Path(sys.argv[1]))), default=str))
