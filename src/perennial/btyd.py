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
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy.differentiate import hessian
from scipy.optimize import minimize
from scipy.special import betaincinv, betaln, expit, gammaln
from scipy.stats import nbinom

from perennial import pareto_nbd

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from lifetimes import BetaGeoFitter, GammaGammaFitter, ModifiedBetaGeoFitter
    from lifetimes.utils import ConvergenceError

# Pareto/NBD is not among them: our own search takes half the time and stops short less
_FITTERS = {
    "bg_nbd": BetaGeoFitter,
    "mbg_nbd": ModifiedBetaGeoFitter,
    "gamma_gamma": GammaGammaFitter,
    "gamma_gamma_all": GammaGammaFitter,
}

#: Names of the parameters that each model learns, in the order of the papers.
PARAMETERS = {
    "bg_nbd": ("r", "alpha", "a", "b"),
    "mbg_nbd": ("r", "alpha", "a", "b"),
    "pareto_nbd": ("r", "alpha", "s", "beta"),
    "gamma_gamma": ("p", "q", "gamma"),
    "gamma_gamma_all": ("p", "q", "gamma"),
}

#: The models of how often.
PURCHASE_MODELS = ("bg_nbd", "mbg_nbd")

#: One more, whose fit takes some fifty times as long: only where it is asked for.
PARETO_NBD = "pareto_nbd"

#: The models of how much: of repeat order days, as in the paper, and of all of them.
SPEND_MODELS = ("gamma_gamma", "gamma_gamma_all")

#: How a fit can end: ``ok``; ``ok_bounded`` where lifetimes found nothing, or less than
#: our own search did; or the guard that refused it.
FIT_STATUSES = (
    "ok",
    "ok_bounded",
    "too_few_repeat_customers",
    "not_converged",
    "not_finite",
    "start_value_returned",
    "out_of_range",
    "no_standard_error",
    "no_finite_mean_amount",
)

#: Ends of a fit that may be used.
OK_STATUSES = ("ok", "ok_bounded")

# lifetimes starts every logarithm of a parameter here; a fit that ends where it began
# has learned nothing, whatever the optimiser says
_START_VALUE = np.exp(0.1)

_LEAST, _MOST = 1e-4, 1e4

#: Nothing that another optimiser would mend.
_FINAL_STATUSES = ("no_finite_mean_amount",)

#: So much more likely our own answer has to be before it replaces that of lifetimes.
_LEAST_GAIN = 0.05

#: How often the future of a customer is drawn for its quantiles.
DRAWS = 200

_CUSTOMERS_AT_A_TIME = 20_000

#: The golden ratio: steps of it fill the unit interval evenly, however many.
_GOLDEN = (5**0.5 - 1) / 2


@dataclass(frozen=True)
class Fit:
    """What one model learned on one day, or why it learned nothing.

    Attributes
    ----------
    model_name : str
        One of :data:`PARAMETERS`.
    customers_count, repeat_customers_count : int
        Customers the model was fitted on, and those of them who came back.
    status : str
        One of :data:`FIT_STATUSES`.
    note : str
        What the guard saw, in words; empty when the status is ``ok``.
    parameters, standard_errors : dict of str to float
        By name of the parameter; empty where a guard refused the fit. Rates are per
        week, ``gamma`` is in units of money.
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
        return self.status in OK_STATUSES


def fit_purchases(
    model_name: str,
    x: np.ndarray,
    t_x: np.ndarray,
    T: np.ndarray,
    minimum_repeat_customers: int = 50,
) -> Fit:
    """Fit BG/NBD [1]_, MBG/NBD [2]_ or Pareto/NBD by maximum likelihood.

    Customers with T = 0 have shown nothing yet and are left out. The fit runs on the
    distinct (x, t_x, T) with the number of customers as weight, in sorted order, so
    that the order of the rows cannot move a digit.

    Parameters
    ----------
    model_name : {"bg_nbd", "mbg_nbd", "pareto_nbd"}
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
    x: np.ndarray,
    mean_amount: np.ndarray,
    minimum_repeat_customers: int = 50,
    model_name: str = "gamma_gamma",
) -> Fit:
    """Fit Gamma-Gamma [3]_ to the mean amount of order days.

    Customers without such days, or whose orders were all free then, are left out: the
    model knows positive amounts only.

    Parameters
    ----------
    x : array of int, shape (n,)
        Repeat order days; of ``gamma_gamma_all`` all order days.
    mean_amount : array of float, shape (n,), money
        Mean amount of these days; ignored where x is 0.
    minimum_repeat_customers : int
        With fewer customers who came back, nothing is fitted.
    model_name : {"gamma_gamma", "gamma_gamma_all"}

    Returns
    -------
    Fit
    """
    x, mean_amount = np.asarray(x), np.asarray(mean_amount, dtype=float)
    keep = (x > 0) & (np.nan_to_num(mean_amount) > 0)
    patterns = _patterns({"x": x, "mean_amount": mean_amount}, keep)
    return _guarded_fit(model_name, patterns, minimum_repeat_customers)


def purchase_log_likelihood(
    model_name: str,
    parameters: dict[str, float],
    x: np.ndarray,
    t_x: np.ndarray,
    T: np.ndarray,
) -> np.ndarray:
    """Log-likelihood of each customer's history.

    Equation 6 of [1]_ for BG/NBD; section 3 of [2]_ for MBG/NBD, where a customer may
    also leave after the very first order; :mod:`perennial.pareto_nbd`.

    Parameters
    ----------
    model_name : {"bg_nbd", "mbg_nbd", "pareto_nbd"}
    parameters : dict with the keys of :data:`PARAMETERS`
    x : array of int, shape (n,)
    t_x, T : array of float, shape (n,), weeks

    Returns
    -------
    array of float, shape (n,)
    """
    x, t_x, T = (np.asarray(values, dtype=float) for values in (x, t_x, T))
    if model_name == PARETO_NBD:
        return pareto_nbd.log_likelihood(parameters, x, t_x, T)
    r, alpha, a, b = (parameters[name] for name in PARAMETERS[model_name])
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

    Equation 10 of [1]_ for BG/NBD, [4]_ for MBG/NBD; :mod:`perennial.pareto_nbd`.

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
    x, t_x, T = (np.asarray(values) for values in (x, t_x, T))
    with np.errstate(all="ignore"):
        expected = (
            pareto_nbd.expected_orders(fit.parameters, weeks, x, t_x, T)
            if fit.model_name == PARETO_NBD
            else _lifetimes(fit).conditional_expected_number_of_purchases_up_to_time(
                weeks, x, t_x, T
            )
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
    rate alpha + T (appendix of [1]_). Under Pareto/NBD they can leave before that
    order. Being a customer still is no score by itself: BG/NBD gives it as 1 to
    everyone who ordered once.

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
    if fit.model_name == PARETO_NBD:
        return pareto_nbd.order_probability(fit.parameters, weeks, x, t_x, T)
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
    if fit.model_name == PARETO_NBD:
        return pareto_nbd.customer_still_probability(fit.parameters, x, t_x, T)
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


def order_tails(
    fit: Fit,
    weeks: float,
    x: np.ndarray,
    t_x: np.ndarray,
    T: np.ndarray,
    most: int,
) -> np.ndarray:
    """Probability of at least 1, 2, ... order days in the coming weeks.

    Given that a customer has not left, the order rate and the probability of leaving
    are independent: gamma with shape r + x and rate alpha + T, and beta (appendix of
    [1]_). To order k times one must neither stay silent too long nor leave after one of
    the first k - 1, so that the tails multiply. They add up to
    :func:`expected_orders`.

    Parameters
    ----------
    fit : Fit of BG/NBD or MBG/NBD with status ``ok``
    weeks : float
    x : array of int, shape (n,)
    t_x, T : array of float, shape (n,), weeks
    most : int
        Largest number of order days that is asked about.

    Returns
    -------
    array of float, shape (n, most), from 0 to 1, falling along a row
    """
    x, t_x, T = (np.asarray(values, dtype=float)[:, None] for values in (x, t_x, T))
    r, alpha, a, b = (fit.parameters[name] for name in PARAMETERS[fit.model_name])
    counts = np.arange(1, most + 1)[None, :]
    enough = nbinom.sf(counts - 1, r + x, (alpha + T) / (alpha + T + weeks))
    # MBG/NBD tossed the coin of leaving once more: after the first order too
    tosses = x + 1 if fit.model_name == "mbg_nbd" else x
    staying = np.exp(betaln(a, b + tosses + counts - 1) - betaln(a, b + tosses))
    still = customer_still_probability(fit, x, t_x, T)
    return still * enough * staying


def amount_quantiles(
    purchase_fit: Fit,
    spend_fit: Fit,
    weeks: float,
    history: tuple[np.ndarray, np.ndarray, np.ndarray],
    paid_days: np.ndarray,
    mean_amount: np.ndarray,
    levels: Sequence[float],
    draws: int = DRAWS,
) -> np.ndarray:
    """Quantiles of what customers may spend in the coming weeks, given their histories.

    Predictive simulation: so many order days by :func:`order_tails`, evenly over their
    quantiles, and of k days an amount that is gamma distributed with shape p k, where
    its rate is gamma distributed with shape q + p x and rate gamma + x times the mean
    amount so far [3]_: a beta prime. Draws are points that fill the unit square evenly,
    the same for everybody, so that no customer moves another's quantiles.

    Parameters
    ----------
    purchase_fit, spend_fit : Fit with status ``ok``
    weeks : float
    history : tuple of three arrays, shape (n,)
        x, t_x and T, the last two in weeks.
    paid_days : array of int, shape (n,)
        x, or 0 where nothing is known of what repeat order days brought.
    mean_amount : array of float, shape (n,), money
        Mean amount of these days; ignored where there are none.
    levels : sequence of float, from 0 to 1
    draws : int
        For each customer.

    Returns
    -------
    array of float, shape (n, len(levels)), money
    """
    places = [max(int(np.ceil(level * draws)) - 1, 0) for level in levels]
    customers = np.asarray(history[0]).size
    quantiles = np.zeros((customers, len(places)))
    for start in range(0, customers, _CUSTOMERS_AT_A_TIME):
        part = slice(start, start + _CUSTOMERS_AT_A_TIME)
        drawn = _drawn_amounts(
            purchase_fit,
            spend_fit,
            weeks,
            tuple(np.asarray(values)[part] for values in history),
            np.asarray(paid_days, dtype=float)[part],
            np.asarray(mean_amount, dtype=float)[part],
            draws,
        )
        drawn.partition(sorted(set(places)), axis=1)
        quantiles[part] = drawn[:, places]
    return quantiles


def _drawn_amounts(
    purchase_fit: Fit,
    spend_fit: Fit,
    weeks: float,
    history: tuple[np.ndarray, np.ndarray, np.ndarray],
    paid_days: np.ndarray,
    mean_amount: np.ndarray,
    draws: int,
) -> np.ndarray:
    """Amounts of a few customers, shape (n, draws)."""
    x, T = np.asarray(history[0], dtype=float), np.asarray(history[2], dtype=float)
    r, alpha = purchase_fit.parameters["r"], purchase_fit.parameters["alpha"]
    silence = (alpha + T) / (alpha + T + weeks)
    # more order days than that are rarer than any draw
    most = int(nbinom.isf(0.5 / draws, r + x, silence).max(initial=1))
    tails = order_tails(purchase_fit, weeks, *history, most)
    # of how many draws it is at least so many days: the first ones have the most
    reached = np.ceil(np.nan_to_num(tails) * draws - 0.5).astype(int)
    owner = np.repeat(np.arange(x.size), reached[:, 0])
    place = np.arange(owner.size) - np.repeat(
        np.cumsum(reached[:, 0]) - reached[:, 0], reached[:, 0]
    )
    days = np.zeros(owner.size)
    for k in range(most):
        is_so_many = place < reached[owner, k]
        if not is_so_many.any():
            break
        days += is_so_many
    p, q, gamma = (spend_fit.parameters[name] for name in PARAMETERS["gamma_gamma"])
    known = np.where(paid_days > 0, np.nan_to_num(mean_amount), 0.0)
    # so many days to come, after so many, at one of the points: each is worked out once
    cases = np.column_stack([days, paid_days[owner], place]).astype(np.int64)
    sizes = cases.max(axis=0, initial=0) + 1
    found, case = np.unique(
        np.ravel_multi_index(tuple(cases.T), tuple(sizes)), return_inverse=True
    )
    days, paid, place_of_case = np.unravel_index(found, tuple(sizes))
    # neighbours in the number of days lie far apart in the amount
    point = (place_of_case * _GOLDEN + 0.5) % 1
    share = betaincinv(p * days, q + p * paid, point)[case]
    amounts = np.zeros((x.size, draws))
    amounts[owner, place] = (gamma + paid_days * known)[owner] * share / (1 - share)
    return amounts


def _patterns(columns: dict[str, np.ndarray], keep: np.ndarray) -> pd.DataFrame:
    """Distinct rows with the number of customers, sorted."""
    frame = pd.DataFrame(columns)[np.asarray(keep, dtype=bool)]
    return frame.groupby(list(columns), sort=True).size().reset_index(name="customers")


def _guarded_fit(
    model_name: str, patterns: pd.DataFrame, minimum_repeat_customers: int
) -> Fit:
    """Fit, and refuse what converges to nonsense without saying so."""
    # of all order days the first one is no coming back
    first = 1 if model_name == "gamma_gamma_all" else 0
    repeat = int(patterns.loc[patterns["x"] > first, "customers"].sum())
    counts = {
        "model_name": model_name,
        "customers_count": int(patterns["customers"].sum()),
        "repeat_customers_count": repeat,
    }
    if repeat < minimum_repeat_customers:
        note = f"{repeat} customers came back; the least is {minimum_repeat_customers}"
        return Fit(**counts, status="too_few_repeat_customers", note=note)

    columns = [patterns[name].to_numpy() for name in patterns.columns]
    arguments, weights = columns[:-1], columns[-1]
    if model_name in _FITTERS:
        parameters, errors, status, note = _fit_of_lifetimes(
            model_name, arguments, weights
        )
    else:
        parameters, errors, status, note = {}, {}, "not_converged", "not asked"
    if status not in _FINAL_STATUSES:
        enough = -np.inf
        if status == "ok":
            enough = _total(model_name, parameters, arguments, weights) + _LEAST_GAIN
        found = _search(model_name, arguments, weights, parameters, enough)
        if found is not None and _verdict(*found)[0] == "ok":
            note = f"lifetimes: {status}{f', {note}' if note else ''}; own search"
            parameters, errors, status = *found, "ok_bounded"
    if status not in OK_STATUSES:
        return Fit(**counts, status=status, note=note)
    return Fit(
        **counts,
        status=status,
        note=note,
        parameters=parameters,
        standard_errors=errors,
        log_likelihood=_total(model_name, parameters, arguments, weights),
    )


def _fit_of_lifetimes(
    model_name: str, arguments: list[np.ndarray], weights: np.ndarray
) -> tuple[dict[str, float], dict[str, float], str, str]:
    """Parameters, their standard errors, status and note."""
    fitter = _FITTERS[model_name]()
    try:
        # lifetimes prints the optimiser's state where it does not converge
        with (
            warnings.catch_warnings(),
            np.errstate(all="ignore"),
            contextlib.redirect_stdout(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            fitter.fit(*arguments, weights=weights)
    except (ConvergenceError, ValueError, np.linalg.LinAlgError) as error:
        # the advice of lifetimes is for people who call it by hand
        is_advice = isinstance(error, ConvergenceError)
        note = "the optimiser gave up" if is_advice else str(error)
        return {}, {}, "not_converged", note
    names = PARAMETERS[model_name]
    parameters = dict(zip(names, map(float, fitter.params_), strict=True))
    errors = dict(zip(names, map(float, fitter.standard_errors_), strict=True))
    return parameters, errors, *_verdict(parameters, errors)


def _search(
    model_name: str,
    arguments: list[np.ndarray],
    weights: np.ndarray,
    near: dict[str, float],
    enough: float = -np.inf,
) -> tuple[dict[str, float], dict[str, float]] | None:
    """Climb the same likelihood within bounds, from an answer or from several starts.

    Nothing where it ends at a bound, since the likelihood has no top there, or where it
    is not above ``enough``.
    """
    if not all(np.isfinite(values).all() for values in arguments):
        return None
    names = PARAMETERS[model_name]
    bounds = [(np.log(_LEAST), np.log(_MOST))] * len(names)
    values = np.array([near.get(name, np.nan) for name in names])
    is_near = ((values > _LEAST) & (values < _MOST)).all()
    size = float(np.average(arguments[-1], weights=weights))
    starts = [np.log(values)] if is_near else _starts(model_name, max(size, _LEAST))

    def loss(logarithms: np.ndarray) -> float:
        told = dict(zip(names, np.exp(logarithms), strict=True))
        with np.errstate(all="ignore"):
            total = _total(model_name, told, arguments, weights)
        return -total / weights.sum() if np.isfinite(total) else 1e6

    found = min(
        (minimize(loss, start, method="L-BFGS-B", bounds=bounds) for start in starts),
        key=lambda one: one.fun,
    )
    edges = np.array(bounds)
    if (np.abs(found.x[:, None] - edges) < 1e-3).any() or found.fun >= 1e6:
        return None
    if -found.fun * weights.sum() <= enough:
        return None
    # plain central differences: more of them tell no more of a smooth likelihood
    curvature = (
        hessian(
            lambda places: np.apply_along_axis(loss, 0, places),
            found.x,
            initial_step=1e-3,
            order=2,
            maxiter=1,
        ).ddf
        * weights.sum()
    )
    with np.errstate(all="ignore"):
        try:
            spread = np.sqrt(np.diag(np.linalg.inv(curvature)))
        except np.linalg.LinAlgError:
            return None
    best = np.exp(found.x)
    parameters = dict(zip(names, map(float, best), strict=True))
    return parameters, dict(zip(names, map(float, best * spread), strict=True))


def _starts(model_name: str, size: float) -> list[np.ndarray]:
    """Logarithms to climb from; ``size`` is a mean time or amount."""
    if model_name in SPEND_MODELS:
        rows = [(6, 4, size), (2, 2, size / 2), (1, 3, 2 * size), (20, 10, size)]
    elif model_name == PARETO_NBD:
        rows = [(0.5, size / 4, 0.5, size / 4), (1, size, 1, size), (2, size, 0.2, 1)]
    else:
        rows = [
            *[(0.3, size / 8, 0.8, 2.5), (1, size / 4, 0.5, 5), (2, size, 1, 1)],
            *[(0.6, size / 4, 2, 10), (5, size / 2, 0.2, 2)],
        ]
    return [np.clip(np.log(row), np.log(2 * _LEAST), np.log(_MOST / 2)) for row in rows]


def _total(
    model_name: str,
    parameters: dict[str, float],
    arguments: list[np.ndarray],
    weights: np.ndarray,
) -> float:
    """Log-likelihood of all customers."""
    each = (
        spend_log_likelihood(parameters, *arguments)
        if model_name in SPEND_MODELS
        else purchase_log_likelihood(model_name, parameters, *arguments)
    )
    return float(np.dot(each, weights))


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
    names = ("p", "q", "v") if fit.model_name in SPEND_MODELS else None
    fitter.params_ = pd.Series(
        list(fit.parameters.values()), index=names or PARAMETERS[fit.model_name]
    )
    return fitter
