"""From a score that ranks to a probability that can be believed.

A calibrator is a plain document, learned from scores that models gave to customers they
had not seen, and from what these customers then did.
"""

from typing import Any

import numpy as np
from scipy.special import expit, logit
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from perennial.encoding import DECIMALS

#: With fewer rows of the rarer outcome, nothing is calibrated and nothing fitted.
MINIMUM_RARER = 30

#: From so many on, steps of any height are learned; below, a curve of two numbers.
MINIMUM_RARER_ISOTONIC = 1000


def fit_calibrator(scores: np.ndarray, outcomes: np.ndarray) -> dict[str, Any]:
    """Learn which probability a score stands for.

    Isotonic regression where the rarer outcome has at least
    :data:`MINIMUM_RARER_ISOTONIC` rows, else a sigmoid. Neither ever turns the order of
    two customers round.

    Parameters
    ----------
    scores : array of float, shape (n,)
        Log-odds or anything that rises with the probability.
    outcomes : array of bool, shape (n,)

    Returns
    -------
    dict
        ``method``, what it learned, and the ``least`` and ``most`` probability that n
        rows can tell of.
    """
    scores, outcomes = np.asarray(scores, float), np.asarray(outcomes, bool)
    edge = 1 / (2 * len(scores))
    limits = {"least": edge, "most": 1 - edge}
    if rarer(outcomes) >= MINIMUM_RARER_ISOTONIC:
        steps = IsotonicRegression(out_of_bounds="clip").fit(scores, outcomes)
        return {
            "method": "isotonic",
            "scores": np.round(steps.X_thresholds_, DECIMALS).tolist(),
            "probabilities": np.round(steps.y_thresholds_, DECIMALS).tolist(),
            **limits,
        }
    deviation = float(scores.std())
    slope, intercept = 0.0, float(logit(outcomes.mean()))
    if deviation > 0:
        curve = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-8)
        curve.fit(((scores - scores.mean()) / deviation)[:, None], outcomes)
        if curve.coef_[0, 0] > 0:
            slope = float(curve.coef_[0, 0]) / deviation
            intercept = float(curve.intercept_[0]) - slope * float(scores.mean())
    return {
        "method": "sigmoid",
        "slope": round(slope, DECIMALS),
        "intercept": round(intercept, DECIMALS),
        **limits,
    }


def calibrated(calibrator: dict[str, Any], scores: np.ndarray) -> np.ndarray:
    """Probabilities, within what the calibrator's rows can tell of.

    Parameters
    ----------
    calibrator : dict
        What :func:`fit_calibrator` returned; the method ``none`` takes a score for
        log-odds as it is.
    scores : array of float, shape (n,)

    Returns
    -------
    array of float, shape (n,), from 0 to 1
    """
    scores = np.asarray(scores, float)
    if calibrator["method"] == "isotonic":
        found = np.interp(scores, calibrator["scores"], calibrator["probabilities"])
    elif calibrator["method"] == "sigmoid":
        found = expit(calibrator["slope"] * scores + calibrator["intercept"])
    else:
        found = expit(scores)
    return np.clip(found, calibrator["least"], calibrator["most"])


def rarer(outcomes: np.ndarray) -> int:
    """Rows of the outcome that fewer have."""
    positives = int(np.count_nonzero(outcomes))
    return min(positives, len(outcomes) - positives)
