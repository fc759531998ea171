"""Buy-till-you-die models: how often a customer orders again, and for how much.

The only module that knows lifetimes, which is archived upstream. Time is in weeks
here, as in the papers; x, t_x and T are the papers' names for

* x: repeat order days, the first one not counted,
* t_x: weeks from the first to the last order day (0 where x is 0),
* T: weeks from the first order day to the as_of_date.

References
----------
.. [1] P. S. Fader, B. G. S. Hardie and K. L. Lee (2005), "Counting your customers the
   easy way: an alternative to the Pareto/NBD model", Marketing Science 24(2).
.. [2] E. P. Batislam, M. Denizel and A. Filiztekin (2007), "Empirical validation and
   comparison of models for customer base analysis", International Journal of Research
   in Marketing 24(3).
.. [3] P. S. Fader and B. G. S. Hardie (2013), "The Gamma-Gamma model of monetary
   value".
.. [4] U. Wagner and D. Hoppe (2008), "Erratum on the MBG/NBD model", International
   Journal of Research in Marketing 25(3).
"""

import contextlib
import io
import warnings
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy.special import betaln, expit, gammaln

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from lifetimes import BetaGeoFitter, GammaGammaFitter, ModifiedBetaGeoFitter
    from lifetimes.utils import ConvergenceError

_FITTERS = {
    "bg_nbd": BetaGeoFitter,
    "mbg_nbd": ModifiedBetaGeoFitter,
    "gamma_gamma": GammaGammaFitter,
}

#: Names of the parameters that each model learns, in the order of the papers.
PARAMETERS = {
    "bg_nbd": ("r", "alpha", "a", "b"),
    "mbg_nbd": ("r", "alpha", "a", "b"),
    "gamma_gamma": ("p", "q", "gamma"),
}

#: The models of how often; Gamma-Gamma is the one of how much.
PURCHASE_MODELS = ("bg_nbd", "mbg_nbd")

#: How a fit can end: ``ok``, or the guard that refused it.
FIT_STATUSES = (
    "ok",
    "too_few_repeat_customers",
    "not_converged",
    "not_finite",
    "start_value_returned",
    "out_of_range",
    "no_standard_error",
    "no_finite_mean_amount",
)

# lifetimes starts every logarithm of a parameter here; a fit that ends where it began
# has learned nothing, whatever the optimiser says
_START_VALUE = np.exp(0.1)

_LEAST, _MOST = 1e-4, 1e4


@dataclass(frozen=True)
class Fit:
    """What one model learned on one day, or why it learned nothing.

    Attributes
    ----------
    model_name : str
        ``bg_nbd``, ``mbg_nbd`` or ``gamma_gamma``.
    customers_count, repeat_customers_count : int
        Customers the model was fitted on, and those of them who came back.
    status : str
        One of :data:`FIT_STATUSES`.
    note : str
        What the guard saw, in words; empty when the status is ``ok``.
    parameters, standard_errors : dict of str to float
        By name of the parameter; empty unless the status is ``ok``. Rates are per week,
        ``gamma`` is in units of money.
    log_likelihood : float or None
        Natural logarithm of the likelihood of all customers, computed from the formula.
    """

    model_name: str
    customers_count: int
    repeat_customers_count: int
    status: str = "ok"
    note: str = ""
    parameters: dict[str, float] = field(default_factory=dict)
    standard_errors: dict[str, float] = field(default_factory=dict)
    log_likelihood: float | None = None

    @property
    def is_ok(self) -> bool:
        """Whether the model may be used."""
        return self.status == "ok"


def fit_purchases(
    model_name: str,
    x: np.ndarray,
    t_x: np.ndarray,
    T: np.ndarray,
    minimum_repeat_customers: int = 50,
) -> Fit:
    """Fit BG/NBD [1]_ or MBG/NBD [2]_ by maximum likelihood.

    Customers with T = 0 have shown nothing yet and are left out. The fit runs on the
    distinct (x, t_x, T) with the number of customers as weight, in sorted order, so
    that the order of the rows cannot move a digit.

    Parameters
    ----------
    model_name : {"bg_nbd", "mbg_nbd"}
    x : array of int, shape (n,)
    t_x, T : array of float, shape (n,), weeks
    minimum_repeat_customers : int
        With fewer customers who came back, nothing is fitted.

    Returns
    -------
    Fit
    """
    patterns = _patterns({"x": x, "t_x": t_x, "T": T}, keep=np.asarray(T) > 0)
    return _guarded_fit(model_name, patterns, minimum_repeat_customers)


def fit_spend(
    x: np.ndarray, mean_amount: np.ndarray, minimum_repeat_customers: int = 50
) -> Fit:
    """Fit Gamma-Gamma [3]_ to the mean amount of the repeat order days.

    Customers who never came back, or whose repeat orders were all free, are left out:
    the model knows positive amounts only.

    Parameters
    ----------
    x : array of int, shape (n,)
    mean_amount : array of float, shape (n,), money
        Mean amount of the repeat order days; ignored where x is 0.
    minimum_repeat_customers : int
        With fewer customers who came back, nothing is fitted.

    Returns
    -------
    Fit
    """
    x, mean_amount = np.asarray(x), np.asarray(mean_amount, dtype=float)
    keep = (x > 0) & (np.nan_to_num(mean_amount) > 0)
    patterns = _patterns({"x": x, "mean_amount": mean_amount}, keep)
    return _guarded_fit("gamma_gamma", patterns, minimum_repeat_customers)


def purchase_log_likelihood(
    model_name: str,
    parameters: dict[str, float],
    x: np.ndarray,
    t_x: np.ndarray,
    T: np.ndarray,
) -> np.ndarray:
    """Log-likelihood of each customer's history.

    Equation 6 of [1]_ for BG/NBD; section 3 of [2]_ for MBG/NBD, where a customer may
    also leave after the very first order.

    Parameters
    ----------
    model_name : {"bg_nbd", "mbg_nbd"}
    parameters : dict with keys r, alpha (weeks), a, b
    x : array of int, shape (n,)
    t_x, T : array of float, shape (n,), weeks

    Returns
    -------
    array of float, shape (n,)
    """
    r, alpha, a, b = (parameters[name] for name in PARAMETERS[model_name])
    x, t_x, T = (np.asarray(values, dtype=float) for values in (x, t_x, T))
    # MBG/NBD tosses the coin of leaving once more: after the first order too
    tosses = x + 1 if model_name == "mbg_nbd" else x
    ordering = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
    stayed = betaln(a, b + tosses) - betaln(a, b) - (r + x) * np.log(alpha + T)
    left = (
        betaln(a + 1, b + np.maximum(tosses, 1) - 1)
        - betaln(a, b)
        - (r + x) * np.log(alpha + t_x)
    )
    return ordering + np.where(tosses > 0, np.logaddexp(stayed, left), stayed)


def spend_log_likelihood(
    parameters: dict[str, float], x: np.ndarray, mean_amount: np.ndarray
) -> np.ndarray:
    """Log-likelihood of each customer's mean amount: equation 1a of [3]_.

    Parameters
    ----------
    parameters : dict with keys p, q, gamma (money)
    x : array of int, shape (n,), all above 0
    mean_amount : array of float, shape (n,), money, all above 0

    Returns
    -------
    array of float, shape (n,)
    """
    p, q, gamma = (parameters[name] for name in PARAMETERS["gamma_gamma"])
    x, mean_amount = np.asarray(x, dtype=float), np.asarray(mean_amount, dtype=float)
    return (
        -betaln(p * x, q)
        + q * np.log(gamma)
        + (p * x - 1) * np.log(mean_amount)
        + p * x * np.log(x)
        - (p * x + q) * np.log(gamma + x * mean_amount)
    )


def expected_orders(
    fit: Fit,
    weeks: float,
    x: np.ndarray,
    t_x: np.ndarray,
    T: np.ndarray,
) -> np.ndarray:
    """Order days to expect in the coming weeks, given a customer's history.

    Equation 10 of [1]_ for BG/NBD, [4]_ for MBG/NBD.

    Parameters
    ----------
    fit : Fit with status ``ok``
    weeks : float
        Length of the window that starts on the day after T.
    x : array of int, shape (n,)
    t_x, T : array of float, shape (n,), weeks

    Returns
    -------
    array of float, shape (n,)
        NaN where the formula leaves the range of a double.
    """
    with np.errstate(all="ignore"):
        expected = _lifetimes(fit).conditional_expected_number_of_purchases_up_to_time(
            weeks, np.asarray(x), np.asarray(t_x), np.asarray(T)
        )
    # the last digit of a difference of nearly equal numbers can fall below zero
    expected = np.where((expected < 0) & (expected > -1e-6), 0.0, expected)
    return np.where(np.isfinite(expected) & (expected >= 0), expected, np.nan)


def order_probability(
    fit: Fit,
    weeks: float,
    x: np.ndarray,
    t_x: np.ndarray,
    T: np.ndarray,
) -> np.ndarray:
    """Probability of at least one order in the coming weeks.

    The probability of being a customer still, times that of not staying silent: given
    the history, the order rate of a customer is gamma distributed with shape r + x and
    rate alpha + T (appendix of [1]_). Being a customer still is no score by itself:
    BG/NBD gives it as 1 to everyone who ordered once.

    Parameters
    ----------
    fit : Fit with status ``ok``
    weeks : float
    x : array of int, shape (n,)
    t_x, T : array of float, shape (n,), weeks

    Returns
    -------
    array of float, shape (n,), from 0 to 1
    """
    x, t_x, T = (np.asarray(values, dtype=float) for values in (x, t_x, T))
    r, alpha = fit.parameters["r"], fit.parameters["alpha"]
    silent = np.exp((r + x) * np.log((alpha + T) / (alpha + T + weeks)))
    return customer_still_probability(fit, x, t_x, T) * (1 - silent)


def customer_still_probability(
    fit: Fit,
    x: np.ndarray,
    t_x: np.ndarray,
    T: np.ndarray,
) -> np.ndarray:
    """Probability that a customer has not left by T, known as P(alive).

    Computed from the two terms of the likelihood, in logarithms: no history is too long
    for it. Not for publishing, see :func:`order_probability`.

    Parameters
    ----------
    fit : Fit with status ``ok``
    x : array of int, shape (n,)
    t_x, T : array of float, shape (n,), weeks

    Returns
    -------
    array of float, shape (n,), from 0 to 1
    """
    r, alpha, a, b = (fit.parameters[name] for name in PARAMETERS[fit.model_name])
    tosses = x + 1 if fit.model_name == "mbg_nbd" else x
    log_odds_left = (
        np.log(a)
        - np.log(b + np.maximum(tosses, 1) - 1)
        + (r + x) * (np.log(alpha + T) - np.log(alpha + t_x))
    )
    return np.where(tosses > 0, expit(-log_odds_left), 1.0)


def expected_order_amount(
    fit: Fit, x: np.ndarray, mean_amount: np.ndarray
) -> np.ndarray:
    """Mean amount of a customer's coming order days: equation 5 of [3]_.

    Parameters
    ----------
    fit : Fit of Gamma-Gamma with status ``ok``
    x : array of int, shape (n,)
    mean_amount : array of float, shape (n,), money
        Ignored where x is 0: such a customer gets the mean of the population.

    Returns
    -------
    array of float, shape (n,), money
    """
    known = np.where(np.asarray(x) > 0, np.nan_to_num(mean_amount), 0.0)
    return _lifetimes(fit).conditional_expected_average_profit(np.asarray(x), known)


def _patterns(columns: dict[str, np.ndarray], keep: np.ndarray) -> pd.DataFrame:
    """Distinct rows with the number of customers, sorted."""
    frame = pd.DataFrame(columns)[np.asarray(keep, dtype=bool)]
    return frame.groupby(list(columns), sort=True).size().reset_index(name="customers")


def _guarded_fit(
    model_name: str, patterns: pd.DataFrame, minimum_repeat_customers: int
) -> Fit:
    """Fit, and refuse what converges to nonsense without saying so."""
    repeat = int(patterns.loc[patterns["x"] > 0, "customers"].sum())
    counts = {
        "model_name": model_name,
        "customers_count": int(patterns["customers"].sum()),
        "repeat_customers_count": repeat,
    }
    if repeat < minimum_repeat_customers:
        note = f"{repeat} customers came back; the least is {minimum_repeat_customers}"
        return Fit(**counts, status="too_few_repeat_customers", note=note)

    arguments = [patterns[name].to_numpy() for name in patterns.columns]
    fitter = _FITTERS[model_name]()
    try:
        # lifetimes prints the optimiser's state where it does not converge
        with (
            warnings.catch_warnings(),
            np.errstate(all="ignore"),
            contextlib.redirect_stdout(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            fitter.fit(*arguments[:-1], weights=arguments[-1])
    except (ConvergenceError, ValueError, np.linalg.LinAlgError) as error:
        # the advice of lifetimes is for people who call it by hand
        is_advice = isinstance(error, ConvergenceError)
        note = "the optimiser gave up" if is_advice else str(error)
        return Fit(**counts, status="not_converged", note=note)

    names = PARAMETERS[model_name]
    parameters = dict(zip(names, map(float, fitter.params_), strict=True))
    errors = dict(zip(names, map(float, fitter.standard_errors_), strict=True))
    status, note = _verdict(parameters, errors)
    if status != "ok":
        return Fit(**counts, status=status, note=note)

    log_likelihoods = (
        spend_log_likelihood(parameters, *arguments[:-1])
        if model_name == "gamma_gamma"
        else purchase_log_likelihood(model_name, parameters, *arguments[:-1])
    )
    return Fit(
        **counts,
        parameters=parameters,
        standard_errors=errors,
        log_likelihood=float(np.dot(log_likelihoods, arguments[-1])),
    )


def _verdict(
    parameters: dict[str, float], standard_errors: dict[str, float]
) -> tuple[str, str]:
    """Name the guard that refuses these parameters, or ``ok``."""
    told = ", ".join(f"{name} = {value:.6g}" for name, value in parameters.items())
    values = np.array(list(parameters.values()))
    if not np.isfinite(values).all():
        return "not_finite", told
    if np.isclose(values, _START_VALUE, rtol=1e-9).any():
        return "start_value_returned", told
    if parameters.get("q", np.inf) <= 1:
        return "no_finite_mean_amount", f"{told}: amounts have no finite mean if q <= 1"
    if ((values < _LEAST) | (values > _MOST)).any():
        return "out_of_range", f"{told}: each must lie from {_LEAST:g} to {_MOST:g}"
    if not np.isfinite(list(standard_errors.values())).all():
        return "no_standard_error", told
    return "ok", ""


def _lifetimes(fit: Fit):
    """Give the lifetimes model with these parameters, without fitting it again."""
    fitter = _FITTERS[fit.model_name]()
    # lifetimes calls the scale of Gamma-Gamma v; the paper, and we, call it gamma
    names = ("p", "q", "v") if fit.model_name == "gamma_gamma" else None
    fitter.params_ = pd.Series(
        list(fit.parameters.values()), index=names or PARAMETERS[fit.model_name]
    )
    return fitter
