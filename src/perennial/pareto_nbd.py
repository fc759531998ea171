"""Pareto/NBD: customers may leave at any moment, not just after an order.

While they stay, customers order at a rate that is gamma distributed among them (shape
r, rate alpha), and they leave at a rate that is gamma distributed as well (shape s,
rate beta). What the papers write with hypergeometric functions is an integral over the
moment of leaving, or of the next order, of powers of two straight lines. We take it by
Gauss-Legendre on a logarithmic scale, where it is smooth whatever the parameters: there
is one formula in place of two cases, and no history is too long for it.

x, t_x and T are the papers' names, in weeks, as in :mod:`perennial.btyd`.

References
----------
.. [1] D. C. Schmittlein, D. G. Morrison and R. Colombo (1987), "Counting your
   customers: who are they and what will they do next?", Management Science 33(1).
.. [2] P. S. Fader and B. G. S. Hardie (2005), "A note on deriving the Pareto/NBD model
   and related expressions".
"""

import numpy as np
from scipy.special import gammaln, logsumexp

#: Points of Gauss-Legendre: twice as many change a likelihood in its tenth digit.
_POINTS = 24

_PLACES, _WEIGHTS = np.polynomial.legendre.leggauss(_POINTS)

#: Histories whose integrals are taken at once, so that memory does not grow with them.
_AT_A_TIME = 20_000


def log_likelihood(
    parameters: dict[str, float], x: np.ndarray, t_x: np.ndarray, T: np.ndarray
) -> np.ndarray:
    """Log-likelihood of each customer's history.

    Section 3 of [2]_, before the integral over the moment of leaving is solved.

    Parameters
    ----------
    parameters : dict with keys r, alpha (weeks), s, beta (weeks)
    x : array of int, shape (n,)
    t_x, T : array of float, shape (n,), weeks

    Returns
    -------
    array of float, shape (n,)
    """
    r, alpha = parameters["r"], parameters["alpha"]
    ordering = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
    return ordering + np.logaddexp(*_stayed_and_left(parameters, x, t_x, T))


def customer_still_probability(
    parameters: dict[str, float], x: np.ndarray, t_x: np.ndarray, T: np.ndarray
) -> np.ndarray:
    """Probability that a customer has not left by T, known as P(alive).

    The share of the likelihood that is due to those who stayed: equation 11 of [1]_.

    Parameters
    ----------
    parameters, x, t_x, T
        As for :func:`log_likelihood`.

    Returns
    -------
    array of float, shape (n,), from 0 to 1
    """
    stayed, left = _stayed_and_left(parameters, x, t_x, T)
    return np.exp(stayed - np.logaddexp(stayed, left))


def expected_orders(
    parameters: dict[str, float],
    weeks: float,
    x: np.ndarray,
    t_x: np.ndarray,
    T: np.ndarray,
) -> np.ndarray:
    """Order days to expect in the coming weeks: equation 22 of [1]_, also where s is 1.

    Parameters
    ----------
    parameters, x, t_x, T
        As for :func:`log_likelihood`.
    weeks : float

    Returns
    -------
    array of float, shape (n,)
    """
    r, alpha, s, beta = _values(parameters)
    lasting = np.log((beta + T + weeks) / (beta + T))
    # weeks to expect before leaving; the difference of two powers, and a logarithm at 1
    stays = lasting if s == 1 else -np.expm1((1 - s) * lasting) / (s - 1)
    still = customer_still_probability(parameters, x, t_x, T)
    return still * (r + x) / (alpha + T) * (beta + T) * stays


def order_probability(
    parameters: dict[str, float],
    weeks: float,
    x: np.ndarray,
    t_x: np.ndarray,
    T: np.ndarray,
) -> np.ndarray:
    """Probability of at least one order in the coming weeks.

    Of who is a customer still, the first order comes at a moment with the density of a
    Pareto distribution (shape r + x, scale alpha + T), and they must not have left
    before it, at a moment with a second one (shape s, scale beta + T).

    Parameters
    ----------
    parameters, x, t_x, T
        As for :func:`log_likelihood`.
    weeks : float

    Returns
    -------
    array of float, shape (n,), from 0 to 1
    """
    r, alpha, s, beta = _values(parameters)
    x, T = np.broadcast_arrays(*(np.asarray(part, dtype=float) for part in (x, T)))
    orders = (
        np.log(r + x)
        - np.log(alpha + T)
        + _log_integral(alpha + T, r + x + 1, beta + T, s, np.full(T.shape, weeks))
    )
    return customer_still_probability(parameters, x, t_x, T) * np.exp(orders)


def _values(parameters: dict[str, float]) -> tuple[float, float, float, float]:
    return tuple(parameters[name] for name in ("r", "alpha", "s", "beta"))


def _stayed_and_left(
    parameters: dict[str, float], x: np.ndarray, t_x: np.ndarray, T: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Logarithms of the two terms of the likelihood, without what they share."""
    r, alpha, s, beta = _values(parameters)
    x, t_x, T = np.broadcast_arrays(
        *(np.asarray(part, dtype=float) for part in (x, t_x, T))
    )
    stayed = -(r + x) * np.log(alpha + T) - s * (np.log(beta + T) - np.log(beta))
    left = (
        np.log(s)
        - (r + x) * np.log(alpha + t_x)
        - s * (np.log(beta + t_x) - np.log(beta))
        - np.log(beta + t_x)
        + _log_integral(alpha + t_x, r + x, beta + t_x, s + 1, T - t_x)
    )
    return stayed, left


def _log_integral(
    first_scale: np.ndarray,
    first_power: np.ndarray,
    second_scale: np.ndarray,
    second_power: float,
    until: np.ndarray,
) -> np.ndarray:
    """Logarithm of the integral of (1 + y/a)^-p (1 + y/b)^-q from 0 to ``until``.

    Over log(1 + rate y), where the rate is that by which the integrand falls at 0, a
    power is as smooth as an exponential.

    Parameters
    ----------
    first_scale, first_power : array of float, shape (n,)
        a and p.
    second_scale : array of float, shape (n,)
        b.
    second_power : float
        q.
    until : array of float, shape (n,), 0 or more

    Returns
    -------
    array of float, shape (n,)
        Minus infinity where ``until`` is 0.
    """
    found = np.empty(until.shape)
    for start in range(0, until.size, _AT_A_TIME):
        part = slice(start, start + _AT_A_TIME)
        a, p, b = (
            values[part, None] for values in (first_scale, first_power, second_scale)
        )
        rate = p / a + second_power / b
        end = np.log1p(rate * until[part, None])
        place = end * (_PLACES + 1) / 2
        y = np.expm1(place) / rate
        with np.errstate(divide="ignore"):
            found[part] = (
                logsumexp(
                    place - p * np.log1p(y / a) - second_power * np.log1p(y / b),
                    b=_WEIGHTS / 2,
                    axis=1,
                )
                + np.log(end / rate)[:, 0]
            )
    return found
