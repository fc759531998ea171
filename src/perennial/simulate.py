"""Customers whose truth is known, drawn from the models' own assumptions."""

import numpy as np
import pandas as pd


def simulate_purchases(
    model_name: str,
    parameters: dict[str, float],
    T: np.ndarray,
    seed: int,
) -> pd.DataFrame:
    """Histories of customers who behave exactly as BG/NBD or MBG/NBD says.

    Order rates are gamma distributed (shape r, rate alpha), and after an order a
    customer leaves with a beta distributed probability (a, b); under MBG/NBD after the
    very first order too. Given how many orders an everlasting customer makes by T,
    their times are uniform, so the last one is drawn from its order statistic: no loop
    over customers or orders.

    Parameters
    ----------
    model_name : {"bg_nbd", "mbg_nbd"}
    parameters : dict with keys r, alpha (units of T), a, b
    T : array of float, shape (n,)
        Time from the first order to the end of observation.
    seed : int

    Returns
    -------
    DataFrame
        One row per customer: ``x``, ``t_x`` and ``T``, and the truth behind them:
        ``order_rate``, ``leaving_probability`` and ``is_customer_still``.
    """
    random = np.random.default_rng(seed)
    r, alpha, a, b = (parameters[name] for name in ("r", "alpha", "a", "b"))
    T = np.asarray(T, dtype=float)
    order_rate = random.gamma(r, 1 / alpha, T.size)
    leaving_probability = random.beta(a, b, T.size)
    orders_until_leaving = random.geometric(leaving_probability)
    if model_name == "mbg_nbd":
        orders_until_leaving -= 1
    everlasting_orders = random.poisson(order_rate * T)
    x = np.minimum(orders_until_leaving, everlasting_orders)
    place = random.beta(np.maximum(x, 1), everlasting_orders - x + 1)
    return pd.DataFrame(
        {
            "x": x,
            "t_x": np.where(x > 0, place * T, 0.0),
            "T": T,
            "order_rate": order_rate,
            "leaving_probability": leaving_probability,
            "is_customer_still": everlasting_orders < orders_until_leaving,
        }
    )


def simulate_spend(
    parameters: dict[str, float], x: np.ndarray, seed: int
) -> np.ndarray:
    """Mean amounts of customers who spend exactly as Gamma-Gamma says.

    Parameters
    ----------
    parameters : dict with keys p, q, gamma (money)
    x : array of int, shape (n,), all above 0
        Repeat order days over which the mean is taken.
    seed : int

    Returns
    -------
    array of float, shape (n,), money
    """
    random = np.random.default_rng(seed)
    p, q, gamma = (parameters[name] for name in ("p", "q", "gamma"))
    x = np.asarray(x)
    rate = random.gamma(q, 1 / gamma, x.size)
    return random.gamma(p * x) / (rate * x)


def simulate_pareto_purchases(
    parameters: dict[str, float], T: np.ndarray, seed: int
) -> pd.DataFrame:
    """Histories of customers who behave exactly as Pareto/NBD says.

    Order rates are gamma distributed (shape r, rate alpha), and so are the rates at
    which customers leave (shape s, rate beta), whenever it is.

    Parameters
    ----------
    parameters : dict with keys r, alpha, s, beta (alpha and beta in units of T)
    T : array of float, shape (n,)
        Time from the first order to the end of observation.
    seed : int

    Returns
    -------
    DataFrame
        One row per customer: ``x``, ``t_x`` and ``T``, and the truth behind them:
        ``order_rate``, ``leaving_rate`` and ``is_customer_still``.
    """
    random = np.random.default_rng(seed)
    r, alpha, s, beta = (parameters[name] for name in ("r", "alpha", "s", "beta"))
    T = np.asarray(T, dtype=float)
    order_rate = random.gamma(r, 1 / alpha, T.size)
    leaving_rate = random.gamma(s, 1 / beta, T.size)
    leaves_after = random.exponential(1 / leaving_rate)
    seen = np.minimum(leaves_after, T)
    x = random.poisson(order_rate * seen)
    # the last of so many times that lie evenly in the time seen
    place = random.beta(np.maximum(x, 1), 1)
    return pd.DataFrame(
        {
            "x": x,
            "t_x": np.where(x > 0, place * seen, 0.0),
            "T": T,
            "order_rate": order_rate,
            "leaving_rate": leaving_rate,
            "is_customer_still": leaves_after > T,
        }
    )
