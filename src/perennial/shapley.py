"""Exact Shapley values of trees that grew leaf by leaf, of many rows at once.

A leaf adds to a row what depends on one thing only: which of the features on its path
let the row through. Rows share these patterns, so that a value is worked out once for
each pattern and looked up (Yang 2021, Fast TreeSHAP). LightGBM walks every row through
every tree, which for many rows takes some ten times as long.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import factorial
from typing import Any

import numpy as np

Node = dict[str, Any]


@dataclass(frozen=True)
class _Step:
    """One branch on the way to a leaf: where, which side, and how many rows took it."""

    node: int
    feature: int
    is_left: bool
    share: float


def of_leaf_wise_trees(
    trees: list[Node], matrix: np.ndarray
) -> tuple[np.ndarray, float]:
    """Split what trees say into what each column contributes.

    Parameters
    ----------
    trees : list of dict
        ``tree_info`` of LightGBM's ``dump_model``: of trees without categories.
    matrix : array of float, shape (n, columns)

    Returns
    -------
    (values, base) : array of float, shape (n, columns), and float
        They add up to the raw score.
    """
    values = np.zeros(matrix.shape, order="F")  # columns are added to one by one
    columns = np.asfortranarray(matrix, dtype=float)
    base = 0.0
    for tree in trees:
        root = tree["tree_structure"]
        sides: list[np.ndarray] = []
        for value, share, path in _leaves(root, columns, sides):
            base += value * share
            if path:
                _add_leaf(values, value, path, sides)
    return values, base


def _leaves(
    node: Node,
    columns: np.ndarray,
    sides: list[np.ndarray],
    path: tuple[_Step, ...] = (),
    share: float = 1.0,
) -> Iterator[tuple[float, float, tuple[_Step, ...]]]:
    """Give each leaf: its value, its share of the training rows, and the way to it."""
    if "leaf_value" in node:
        yield node["leaf_value"], share, path
        return
    place, feature = len(sides), node["split_feature"]
    column = columns[:, feature]
    is_null = np.isnan(column)
    if node["missing_type"] == "NaN":
        is_left = np.where(is_null, node["default_left"], column <= node["threshold"])
    else:  # no NULL was seen in training, and one that comes counts as 0
        is_left = np.where(is_null, 0.0, column) <= node["threshold"]
    sides.append(is_left)
    for branch, goes_left in ((node["left_child"], True), (node["right_child"], False)):
        part = _count(branch) / node["internal_count"]
        step = _Step(place, feature, goes_left, part)
        yield from _leaves(branch, columns, sides, (*path, step), share * part)


def _count(node: Node) -> int:
    return node["leaf_count"] if "leaf_value" in node else node["internal_count"]


def _add_leaf(
    values: np.ndarray, value: float, path: tuple[_Step, ...], sides: list[np.ndarray]
) -> None:
    """Add what one leaf contributes to every row."""
    features = list(dict.fromkeys(step.feature for step in path))
    shares = np.ones(len(features))
    pattern = np.zeros(len(values), np.int64)
    for place, feature in enumerate(features):
        lets_through = None
        for step in path:
            if step.feature == feature:
                side = sides[step.node] if step.is_left else ~sides[step.node]
                lets_through = side if lets_through is None else lets_through & side
                shares[place] *= step.share
        pattern += lets_through.astype(np.int64) << place
    present, codes = _coded(pattern, len(features))
    opened = (present[:, None] >> np.arange(len(features)) & 1).astype(float)
    for place, feature in enumerate(features):
        gained = value * _shapley_of_a_leaf(opened, shares, place)
        values[:, feature] += gained[codes]


def _coded(pattern: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Give the patterns that there are, and for each row the number of its own."""
    if bits > 16:
        return np.unique(pattern, return_inverse=True)
    is_there = np.bincount(pattern, minlength=1 << bits) > 0
    return np.flatnonzero(is_there), (np.cumsum(is_there) - 1)[pattern]


def _shapley_of_a_leaf(
    opened: np.ndarray, shares: np.ndarray, place: int
) -> np.ndarray:
    """Work out the Shapley value of one feature in the game that a leaf is.

    A coalition is worth the product over the features: of those in it whether they let
    the row through, of the others their share of the training rows. Coalitions of one
    size are added up as a coefficient of a polynomial.

    Parameters
    ----------
    opened : array of float, shape (patterns, features)
    shares : array of float, shape (features,)
    place : int
        Of the feature.
    """
    count = len(shares)
    sums = np.zeros((len(opened), count))
    sums[:, 0] = 1.0
    for other in range(count):
        if other == place:
            continue
        with_it = sums * opened[:, [other]]
        sums *= shares[other]
        sums[:, 1:] += with_it[:, :-1]
    weights = np.array(
        [factorial(size) * factorial(count - size - 1) for size in range(count)], float
    ) / factorial(count)
    return (opened[:, place] - shares[place]) * (sums * weights).sum(axis=1)
