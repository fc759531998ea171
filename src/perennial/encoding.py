"""Features as numbers: what is learned of them, on training rows alone.

An encoder is a plain document (numbers, texts, lists), so that it can be stored as a
row and read back; nothing here is fitted twice.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

#: A category with fewer training rows shares the bucket for what is not known.
MINIMUM_LEVEL_ROWS = 20

#: What trees take for the largest number there is: theirs has 32 bits.
LARGEST = 1e30

#: Decimals to which what was learned is rounded before it is used or stored.
DECIMALS = 9


def fit_encoder(
    rows: pd.DataFrame, numeric_features: list[str], categories: list[str]
) -> dict[str, Any]:
    """Learn how to turn features into numbers.

    A numeric feature that is all NULL or never differs on these rows is left out. Of a
    category, a level with fewer than :data:`MINIMUM_LEVEL_ROWS` rows, NULL, and any
    level that comes later share one bucket, ``unknown``.

    Parameters
    ----------
    rows : DataFrame
        Training rows, a column per feature. A column that is not there counts as NULL.
    numeric_features, categories : list of str

    Returns
    -------
    dict
        ``numeric``: of each feature its ``name``, and of its logarithm the ``mean``,
        ``deviation``, ``least`` and ``most``; ``has_nulls`` and ``null_share``.
        ``categories``: of each its ``name``, its ``levels`` and their ``shares``.
    """
    numeric = []
    for name, values in zip(
        numeric_features, number_columns(rows, numeric_features), strict=True
    ):
        known = values[~np.isnan(values)]
        if known.size == 0:
            continue
        logs = signed_logarithm(known)
        deviation = round(float(logs.std()), DECIMALS)
        if deviation > 0:
            numeric.append(
                {
                    "name": name,
                    "mean": round(float(logs.mean()), DECIMALS),
                    "deviation": deviation,
                    "least": float(logs.min()),
                    "most": float(logs.max()),
                    "has_nulls": bool(known.size < values.size),
                    "null_share": round(1 - known.size / values.size, DECIMALS),
                }
            )
    levels = []
    for name in categories:
        counts = texts(rows, name).value_counts()
        often = sorted(counts.index[counts >= MINIMUM_LEVEL_ROWS])
        if len(often) > 1 or (often and counts[often[0]] < len(rows)):
            shares = [
                round(int(counts[level]) / len(rows), DECIMALS) for level in often
            ]
            levels.append({"name": name, "levels": often, "shares": shares})
    return {"numeric": numeric, "categories": levels}


def plain_matrix(encoder: dict[str, Any], rows: pd.DataFrame) -> np.ndarray:
    """Numbers as they are, NULL as NaN, and a column per level: for trees.

    Parameters
    ----------
    encoder : dict
        What :func:`fit_encoder` returned.
    rows : DataFrame

    Returns
    -------
    array of float32, shape (n, columns)
        In the order of :func:`column_names`, with nothing for ``_is_null``.
    """
    names = [feature["name"] for feature in encoder["numeric"]]
    columns = [
        np.clip(values, -LARGEST, LARGEST) for values in number_columns(rows, names)
    ]
    return _matrix([*columns, *_level_columns(encoder, rows)], len(rows), np.float32)


def scaled_matrix(encoder: dict[str, Any], rows: pd.DataFrame) -> np.ndarray:
    """Logarithms in standard deviations of training: for a weighted sum.

    A value outside what training rows held counts as the nearest that they did, so that
    no straight line is drawn out into the unknown. NULL is the mean, with a column that
    says so where training rows held NULL too.

    Parameters
    ----------
    encoder : dict
        What :func:`fit_encoder` returned.
    rows : DataFrame

    Returns
    -------
    array of float, shape (n, columns)
        In the order of :func:`column_names`.
    """
    columns = []
    names = [feature["name"] for feature in encoder["numeric"]]
    for feature, values in zip(
        encoder["numeric"], number_columns(rows, names), strict=True
    ):
        logs = np.clip(signed_logarithm(values), feature["least"], feature["most"])
        scaled = (logs - feature["mean"]) / feature["deviation"]
        columns.append(np.nan_to_num(scaled, nan=0.0))
        if feature["has_nulls"]:
            columns.append(np.isnan(values).astype(float))
    return _matrix([*columns, *_level_columns(encoder, rows)], len(rows), float)


def column_names(encoder: dict[str, Any], with_nulls: bool) -> list[str]:
    """Names of the columns of a matrix, ``_is_null`` among them where wanted."""
    names = []
    for feature in encoder["numeric"]:
        names.append(feature["name"])
        if with_nulls and feature["has_nulls"]:
            names.append(f"{feature['name']}_is_null")
    for category in encoder["categories"]:
        names += [f"{category['name']}={level}" for level in category["levels"]]
        names.append(f"{category['name']}=unknown")
    return names


def column_owners(encoder: dict[str, Any], with_nulls: bool) -> list[str]:
    """Tell of each column of a matrix which feature it is made of."""
    owners = []
    for feature in encoder["numeric"]:
        owners += [feature["name"]] * (1 + (with_nulls and feature["has_nulls"]))
    for category in encoder["categories"]:
        owners += [category["name"]] * (len(category["levels"]) + 1)
    return owners


def scaled_means(encoder: dict[str, Any]) -> np.ndarray:
    """Means of the columns of :func:`scaled_matrix` over the training rows.

    A document of an earlier version does not tell the shares: they count as 0.
    """
    means = []
    for feature in encoder["numeric"]:
        means.append(0.0)
        if feature["has_nulls"]:
            means.append(feature.get("null_share", 0.0))
    for category in encoder["categories"]:
        shares = category.get("shares", [0.0] * len(category["levels"]))
        unknown = 1 - sum(shares) if "shares" in category else 0.0
        means += [*shares, unknown]
    return np.array(means)


def missing_features(encoder: dict[str, Any], rows: pd.DataFrame) -> list[str]:
    """Features that were learned from and that these rows do not even have."""
    learned = [*encoder["numeric"], *encoder["categories"]]
    return [part["name"] for part in learned if part["name"] not in rows.columns]


def cleaned(
    rows: pd.DataFrame, numeric_features: list[str], categories: list[str]
) -> pd.DataFrame:
    """Convert features once, so that nothing below has to do it again for each fit.

    Parameters
    ----------
    rows : DataFrame
    numeric_features, categories : list of str
        A column that is not there stays away.

    Returns
    -------
    DataFrame
        The same rows, with doubles and categories in place of whatever stood there.
    """
    numeric = [name for name in numeric_features if name in rows.columns]
    texts_there = [name for name in categories if name in rows.columns]
    values = dict(zip(numeric, number_columns(rows, numeric), strict=True))
    levels = {name: texts(rows, name).astype("category") for name in texts_there}
    others = rows.drop(columns=[*numeric, *texts_there])
    return pd.concat(
        [
            others,
            pd.DataFrame(values, index=rows.index),
            pd.DataFrame(levels, index=rows.index),
        ],
        axis="columns",
    )


def number_columns(rows: pd.DataFrame, names: list[str]) -> Iterable[np.ndarray]:
    """Give features one by one, as :func:`numbers` does; clean ones all at once."""
    types = rows.dtypes
    if names and all(types.get(name) == np.float64 for name in names):
        block = rows[names].to_numpy().T
        return np.where(np.isfinite(block), block, np.nan)
    return [numbers(rows, name) for name in names]


def numbers(rows: pd.DataFrame, name: str) -> np.ndarray:
    """Give a feature as doubles: NULL, no number and infinite are all NaN."""
    if name not in rows.columns:
        return np.full(len(rows), np.nan)
    values = pd.to_numeric(rows[name], errors="coerce").to_numpy(float, na_value=np.nan)
    return np.where(np.isfinite(values), values, np.nan)


def texts(rows: pd.DataFrame, name: str) -> pd.Series:
    """Give a category as text, NULL where it is not known."""
    if name not in rows.columns:
        return pd.Series(None, index=rows.index, dtype="str")
    if rows[name].dtype == "category":
        return rows[name]
    return rows[name].astype("str")


def signed_logarithm(values: np.ndarray) -> np.ndarray:
    """Logarithm of one more than the size, with the sign: 0 stays 0."""
    return np.sign(values) * np.log1p(np.abs(values))


def _level_columns(encoder: dict[str, Any], rows: pd.DataFrame) -> list[np.ndarray]:
    columns = []
    for category in encoder["categories"]:
        found = texts(rows, category["name"])
        columns += [(found == level).to_numpy(float) for level in category["levels"]]
        columns.append((~found.isin(category["levels"])).to_numpy(float))
    return columns


def _matrix(columns: list[np.ndarray], rows_count: int, dtype: type) -> np.ndarray:
    if not columns:
        return np.empty((rows_count, 0), dtype)
    return np.column_stack(columns).astype(dtype)
