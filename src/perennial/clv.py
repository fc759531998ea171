"""Customer lifetime value: fits per as_of_date, and scores per customer and horizon.

Frames in, frames out, in the names of the tables. Days become weeks at this edge, and
the names of the papers are used inside :mod:`perennial.btyd` alone.
"""

import numpy as np
import pandas as pd

from perennial import __version__, btyd

DAYS_PER_WEEK = 7
DAYS_PER_YEAR = 365

#: Decimals to which scores and estimates are rounded before they are stored.
SCORE_DECIMALS = 6
FIT_DECIMALS = 9


def fit_models(
    purchases: pd.DataFrame, minimum_repeat_customers: int = 50
) -> pd.DataFrame:
    """Fit BG/NBD, MBG/NBD and Gamma-Gamma on each as_of_date.

    Parameters
    ----------
    purchases : DataFrame
        One row per customer and as_of_date, columns of ``feat_purchases``:
        ``as_of_date``, ``repeat_order_days_count``, ``days_first_to_last_order``,
        ``days_since_first_order``, ``mean_repeat_order_day_amount``.
    minimum_repeat_customers : int
        With fewer customers who came back, a model is not fitted, with a status.

    Returns
    -------
    DataFrame
        One row per as_of_date, ``model_name`` and ``parameter_name``, also for a fit
        that was refused: then ``estimate``, ``standard_error`` and ``log_likelihood``
        are NaN, and ``fit_status`` and ``fit_note`` say why.
    """
    rows = []
    for as_of_date, customers in purchases.groupby("as_of_date", sort=True):
        history = _papers_history(customers)
        fits = [
            btyd.fit_purchases(
                model_name, *history, minimum_repeat_customers=minimum_repeat_customers
            )
            for model_name in btyd.PURCHASE_MODELS
        ]
        fits.append(
            btyd.fit_spend(
                history[0],
                customers["mean_repeat_order_day_amount"].to_numpy(float),
                minimum_repeat_customers,
            )
        )
        rows += [_fit_row(as_of_date, fit, name) for fit, name in _parameters_of(fits)]
    fits = pd.DataFrame(rows, columns=list(_FIT_COLUMNS)).astype(_FIT_COLUMNS)
    return fits.round(
        dict.fromkeys(["estimate", "standard_error", "log_likelihood"], FIT_DECIMALS)
    )


def score_customers(
    purchases: pd.DataFrame,
    fits: pd.DataFrame,
    dates: pd.DataFrame,
    annual_discount_rate: float,
    gross_margin: float,
) -> pd.DataFrame:
    """Score every customer, for every purchase model, as_of_date and horizon.

    Expected orders times the expected amount of an order. Where the statistical model
    was refused on that day, the mean of the population takes its place; where there is
    no mean either, the score is NaN. ``model_source`` says which of these made a row,
    and ``model_note`` why it was not the model.

    Parameters
    ----------
    purchases : DataFrame
        As for :func:`fit_models`, with ``customer_id``, ``order_days_count`` and
        ``total_order_amount``.
    fits : DataFrame
        What :func:`fit_models` returned.
    dates : DataFrame
        One row per ``as_of_date`` and ``horizon_days`` to score.
    annual_discount_rate : float
        A week's orders are discounted from the end of that week by
        ``(1 + rate) ** -(days / 365)``.
    gross_margin : float
        Share of an amount that is value.

    Returns
    -------
    DataFrame
        One row per ``customer_id``, ``as_of_date``, ``horizon_days`` and
        ``model_name``, with ``expected_orders_count``, ``order_probability``,
        ``expected_order_amount``, ``expected_amount`` and ``expected_value``
        (discounted, times margin), rounded to six decimals.
    """
    by_date = dict(list(purchases.groupby("as_of_date")))
    pieces = [
        _score(
            by_date[as_of_date].sort_values("customer_id"),
            _fit_of(fits, as_of_date, model_name),
            _fit_of(fits, as_of_date, "gamma_gamma"),
            int(horizon_days),
            annual_discount_rate,
            gross_margin,
        ).assign(as_of_date=as_of_date, model_name=model_name)
        for as_of_date, horizon_days in dates.sort_values(list(dates)).itertuples(
            index=False
        )
        if as_of_date in by_date
        for model_name in btyd.PURCHASE_MODELS
    ]
    empty = pd.DataFrame(columns=list(_SCORE_COLUMNS))
    scores = pd.concat(pieces) if pieces else empty
    return scores[list(_SCORE_COLUMNS)].astype(_SCORE_COLUMNS)


def discounted_orders(
    fit: btyd.Fit,
    history: tuple[np.ndarray, np.ndarray, np.ndarray],
    horizon_days: int,
    annual_discount_rate: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Order days to expect within the horizon, plain and discounted.

    Parameters
    ----------
    fit : btyd.Fit
        A purchase model with status ``ok``.
    history : tuple of three arrays, shape (n,)
        x, t_x and T, the last two in weeks.
    horizon_days : int
        A last week that is cut short by it is discounted from the horizon.
    annual_discount_rate : float

    Returns
    -------
    tuple of two arrays, shape (n,)
        Plain and discounted.
    """
    before = discounted = np.zeros(len(history[0]))
    week_ends = np.arange(DAYS_PER_WEEK, horizon_days, DAYS_PER_WEEK)
    for days in [*week_ends, horizon_days]:
        until = btyd.expected_orders(fit, days / DAYS_PER_WEEK, *history)
        weight = (1 + annual_discount_rate) ** (-days / DAYS_PER_YEAR)
        # an expectation never shrinks as the window grows; its last digits can
        discounted = discounted + np.maximum(until - before, 0) * weight
        before = until
    return before, discounted


_FIT_COLUMNS = {
    "as_of_date": "datetime64[us]",
    "model_name": str,
    "parameter_name": str,
    "estimate": float,
    "standard_error": float,
    "log_likelihood": float,
    "customers_count": int,
    "repeat_customers_count": int,
    "fit_status": str,
    "fit_note": str,
    "library_version": str,
}

_SCORE_COLUMNS = {
    "customer_id": str,
    "as_of_date": "datetime64[us]",
    "horizon_days": int,
    "model_name": str,
    "expected_orders_count": float,
    "order_probability": float,
    "expected_order_amount": float,
    "expected_amount": float,
    "expected_value": float,
    "model_source": str,
    "model_note": str,
}


def _papers_history(
    customers: pd.DataFrame,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x, t_x and T of the papers, in weeks, from our columns in days."""
    return (
        customers["repeat_order_days_count"].to_numpy(int),
        customers["days_first_to_last_order"].to_numpy(float) / DAYS_PER_WEEK,
        customers["days_since_first_order"].to_numpy(float) / DAYS_PER_WEEK,
    )


def _parameters_of(fits: list[btyd.Fit]) -> list[tuple[btyd.Fit, str]]:
    return [(fit, name) for fit in fits for name in btyd.PARAMETERS[fit.model_name]]


def _fit_row(as_of_date: pd.Timestamp, fit: btyd.Fit, parameter_name: str) -> tuple:
    return (
        as_of_date,
        fit.model_name,
        parameter_name,
        fit.parameters.get(parameter_name, np.nan),
        fit.standard_errors.get(parameter_name, np.nan),
        np.nan if fit.log_likelihood is None else fit.log_likelihood,
        fit.customers_count,
        fit.repeat_customers_count,
        fit.status,
        fit.note,
        __version__,
    )


def _fit_of(fits: pd.DataFrame, as_of_date: pd.Timestamp, model_name: str) -> btyd.Fit:
    """Read a fit back from the rows of :func:`fit_models`."""
    rows = fits[
        (fits["as_of_date"] == as_of_date) & (fits["model_name"] == model_name)
    ].set_index("parameter_name")
    rows = rows.loc[list(btyd.PARAMETERS[model_name])]
    first = rows.iloc[0]
    is_ok = first["fit_status"] == "ok"
    return btyd.Fit(
        model_name=model_name,
        customers_count=int(first["customers_count"]),
        repeat_customers_count=int(first["repeat_customers_count"]),
        status=first["fit_status"],
        note=first["fit_note"],
        parameters=rows["estimate"].to_dict() if is_ok else {},
        standard_errors=rows["standard_error"].to_dict() if is_ok else {},
        log_likelihood=float(first["log_likelihood"]) if is_ok else None,
    )


def _score(
    customers: pd.DataFrame,
    purchase_fit: btyd.Fit,
    spend_fit: btyd.Fit,
    horizon_days: int,
    annual_discount_rate: float,
    gross_margin: float,
) -> pd.DataFrame:
    """Score the customers of one as_of_date, with one purchase model."""
    orders = _expected_orders(
        customers, purchase_fit, horizon_days, annual_discount_rate
    )
    amount, amount_source, amount_note = _expected_order_amount(customers, spend_fit)
    has_score = orders["expected"].notna() & amount.notna()
    notes = [_joined(note, amount_note) for note in orders["note"]]
    return pd.DataFrame(
        {
            "customer_id": customers["customer_id"],
            "horizon_days": horizon_days,
            "expected_orders_count": orders["expected"],
            "order_probability": orders["probability"],
            "expected_order_amount": amount,
            "expected_amount": orders["expected"] * amount,
            "expected_value": orders["discounted"] * amount * gross_margin,
            "model_source": np.where(
                has_score, orders["source"] + "+" + amount_source, "none"
            ),
            "model_note": notes,
        }
    ).round(SCORE_DECIMALS)


def _expected_orders(
    customers: pd.DataFrame,
    fit: btyd.Fit,
    horizon_days: int,
    annual_discount_rate: float,
) -> pd.DataFrame:
    """Orders by the model, or by the mean rate of the population."""
    x, t_x, T = _papers_history(customers)
    weeks = horizon_days / DAYS_PER_WEEK
    observed = T.sum()
    expected = pd.DataFrame(index=customers.index)
    mean = x.sum() / observed * weeks if observed > 0 else np.nan
    half_way = (1 + annual_discount_rate) ** (-horizon_days / 2 / DAYS_PER_YEAR)
    expected["expected"] = mean
    expected["discounted"] = mean * half_way
    expected["probability"] = 1 - np.exp(-mean)
    expected["source"] = "mean_rate"
    expected["note"] = f"{fit.model_name}: {fit.status}"
    if not observed > 0:
        expected["note"] += "; nobody has been a customer for a day yet"
    if not fit.is_ok:
        return expected

    # many customers share a history: each distinct one is computed once
    patterns, position = np.unique(
        np.column_stack([x, t_x, T]), axis=0, return_inverse=True
    )
    history = (patterns[:, 0].astype(int), patterns[:, 1], patterns[:, 2])
    plain, discounted = discounted_orders(
        fit, history, horizon_days, annual_discount_rate
    )
    by_pattern = pd.DataFrame(
        {
            "expected": plain,
            "discounted": discounted,
            "probability": btyd.order_probability(fit, weeks, *history),
            "source": fit.model_name,
            "note": "",
        }
    )
    by_model = by_pattern.iloc[position].set_axis(customers.index)
    is_finite = by_model[["expected", "discounted", "probability"]].notna().all(axis=1)
    expected["note"] = f"{fit.model_name}: not finite for this history"
    return by_model.where(is_finite, expected)


def _expected_order_amount(
    customers: pd.DataFrame, fit: btyd.Fit
) -> tuple[pd.Series, str, str]:
    """Amount of a coming order by the model, or the mean of all order days."""
    if fit.is_ok:
        mean = customers["mean_repeat_order_day_amount"]
        # repeat days that were all refunded tell nothing of what the customer spends
        days = customers["repeat_order_days_count"].where(mean.notna(), 0)
        amount = btyd.expected_order_amount(
            fit, days.to_numpy(int), mean.to_numpy(float)
        )
        return pd.Series(amount, customers.index), "gamma_gamma", ""
    mean = customers["total_order_amount"].sum() / customers["order_days_count"].sum()
    note = f"gamma_gamma: {fit.status}"
    return pd.Series(float(mean), customers.index), "mean_amount", note


def _joined(*notes: str) -> str:
    return "; ".join(note for note in notes if note)
