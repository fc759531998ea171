"""Customer lifetime value: fits per as_of_date, and scores per customer and horizon.

Frames in, frames out, in the names of the tables. Days become weeks at this edge, and
the names of the papers are used inside :mod:`perennial.btyd` alone.
"""

import numpy as np
import pandas as pd

from perennial import __version__, btyd

DAYS_PER_WEEK = 7
DAYS_PER_YEAR = 365

#: How often expected orders are told beside those that came.
TRACKED_DAYS = 28

#: Quantiles of the amount between which a share of the customers is expected to lie.
BOUNDS = {
    "amount_low_80": 0.10,
    "amount_high_80": 0.90,
    "amount_low_90": 0.05,
    "amount_high_90": 0.95,
}

#: Decimals to which scores and estimates are rounded before they are stored.
SCORE_DECIMALS = 6
FIT_DECIMALS = 9


def fit_models(
    purchases: pd.DataFrame,
    minimum_repeat_customers: int = 50,
    pareto_nbd: bool = False,
) -> pd.DataFrame:
    """Fit BG/NBD, MBG/NBD and Gamma-Gamma on each as_of_date.

    Parameters
    ----------
    purchases : DataFrame
        One row per customer and as_of_date, columns of ``feat_purchases``:
        ``as_of_date``, ``repeat_order_days_count``, ``days_first_to_last_order``,
        ``days_since_first_order``, ``mean_repeat_order_day_amount``,
        ``order_days_count``, ``mean_order_day_amount``.
    minimum_repeat_customers : int
        With fewer customers who came back, a model is not fitted, with a status.
    pareto_nbd : bool
        Whether Pareto/NBD is fitted too.

    Returns
    -------
    DataFrame
        One row per as_of_date, ``model_name`` and ``parameter_name``, also for a fit
        that was refused: then ``estimate``, ``standard_error`` and ``log_likelihood``
        are NaN, and ``fit_status`` and ``fit_note`` say why. ``amount_correlation`` of
        Gamma-Gamma is that of the number of days with their mean amount, which the
        model takes to be 0.
    """
    rows = []
    optional = (btyd.PARETO_NBD,) if pareto_nbd else ()
    for as_of_date, customers in purchases.groupby("as_of_date", sort=True):
        history = _papers_history(customers)
        fits = [
            btyd.fit_purchases(
                model_name, *history, minimum_repeat_customers=minimum_repeat_customers
            )
            for model_name in (*btyd.PURCHASE_MODELS, *optional)
        ]
        correlations = {}
        for model_name in btyd.SPEND_MODELS:
            days, mean = _spend_history(customers, model_name)
            fits.append(
                btyd.fit_spend(days, mean, minimum_repeat_customers, model_name)
            )
            correlations[model_name] = _correlation(days, mean)
        rows += [
            (
                *_fit_row(as_of_date, fit, name),
                correlations.get(fit.model_name, np.nan),
                __version__,
            )
            for fit, name in _parameters_of(fits)
        ]
    fits = pd.DataFrame(rows, columns=list(_FIT_COLUMNS)).astype(_FIT_COLUMNS)
    numbers = ["estimate", "standard_error", "log_likelihood", "amount_correlation"]
    return fits.round(dict.fromkeys(numbers, FIT_DECIMALS))


def score_customers(
    purchases: pd.DataFrame,
    fits: pd.DataFrame,
    dates: pd.DataFrame,
    annual_discount_rate: float,
    gross_margin: float,
    bounded_model: str = "bg_nbd",
) -> pd.DataFrame:
    """Score every customer, for every purchase model, as_of_date and horizon.

    Expected orders times the expected amount of an order: for each purchase model with
    the Gamma-Gamma of repeat orders, and ``all_orders``, for one of them with that of
    all orders, which knows more of who came but once or twice. Where the statistical
    model was refused on that day, the mean of the population takes its place; where
    there is no mean either, the score is NaN. ``model_source`` says which of these made
    a row, and ``model_note`` why it was not the model.

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
    bounded_model : {"bg_nbd", "mbg_nbd"}
        The purchase model whose amounts get bounds, and that of ``all_orders``.

    Returns
    -------
    DataFrame
        One row per ``customer_id``, ``as_of_date``, ``horizon_days`` and
        ``model_name``, with ``expected_orders_count``, ``order_probability``,
        ``expected_order_amount``, ``expected_amount``, ``expected_value``
        (discounted, times margin) and the :data:`BOUNDS` of the amount, NaN of the
        other model and where a mean took a model's place; rounded to six decimals.
    """
    by_date = dict(list(purchases.groupby("as_of_date")))
    pieces = []
    for as_of_date, horizon_days in dates.sort_values(list(dates)).itertuples(
        index=False
    ):
        if as_of_date not in by_date:
            continue
        customers = by_date[as_of_date].sort_values("customer_id")
        purchase_models = _purchase_models(fits)
        fit = {
            name: _fit_of(fits, as_of_date, name)
            for name in (*purchase_models, *btyd.SPEND_MODELS)
        }
        orders = {
            name: _expected_orders(
                customers, fit[name], int(horizon_days), annual_discount_rate
            )
            for name in purchase_models
        }
        for model_name, purchase_model, spend_model in (
            *((name, name, "gamma_gamma") for name in purchase_models),
            ("all_orders", bounded_model, "gamma_gamma_all"),
        ):
            scored = _score(
                customers,
                orders[purchase_model],
                fit[spend_model],
                int(horizon_days),
                gross_margin,
            )
            bounds = dict.fromkeys(BOUNDS, np.nan)
            # without both models there is no distribution to take quantiles of
            if model_name == bounded_model and (
                fit[purchase_model].is_ok and fit[spend_model].is_ok
            ):
                bounds = _amount_bounds(
                    customers, fit[purchase_model], fit[spend_model], int(horizon_days)
                )
            pieces.append(
                scored.assign(as_of_date=as_of_date, model_name=model_name, **bounds)
            )
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


def month_shares(
    purchases: pd.DataFrame,
    fits: pd.DataFrame,
    dates: pd.DataFrame,
    annual_discount_rate: float,
    purchase_model: str,
) -> pd.DataFrame:
    """Tell how much of a horizon's orders and of their worth comes by when.

    A month is a twelfth of 365 days, and a week belongs to the month in which it ends.

    Parameters
    ----------
    purchases, fits
        As for :func:`score_customers`.
    dates : DataFrame
        One row per ``as_of_date`` and ``horizon_days``; of one date.
    annual_discount_rate : float
    purchase_model : {"bg_nbd", "mbg_nbd"}

    Returns
    -------
    DataFrame
        One row per ``horizon_days``, history and ``month_number``: of ``shape``
        ``even`` one whose history is -1, of ``orders`` one for each distinct history,
        where the model was not refused. ``amount_share_so_far`` and
        ``value_share_so_far`` rise to 1.
    """
    pieces = []
    for as_of_date, horizon_days in dates.itertuples(index=False):
        ends = [*np.arange(DAYS_PER_WEEK, horizon_days, DAYS_PER_WEEK), horizon_days]
        evenly = np.diff([0, *ends])[None, :] / horizon_days
        none = pd.DataFrame({name: [-1] for name in _HISTORY})
        pieces.append(
            _months(none, evenly, ends, annual_discount_rate).assign(
                horizon_days=horizon_days, shape="even"
            )
        )
        known = purchases[purchases["as_of_date"] == as_of_date]
        histories = known[list(_HISTORY)].drop_duplicates().sort_values(list(_HISTORY))
        fit = _fit_of(fits, as_of_date, purchase_model) if len(histories) else None
        if fit is None or not fit.is_ok:
            continue
        papers = _papers_history(histories)
        so_far = np.column_stack(
            [btyd.expected_orders(fit, days / DAYS_PER_WEEK, *papers) for days in ends]
        )
        weeks = np.maximum(np.diff(so_far, axis=1, prepend=0), 0)
        is_known = np.isfinite(weeks).all(axis=1) & (weeks.sum(axis=1) > 0)
        pieces.append(
            _months(
                histories[is_known], weeks[is_known], ends, annual_discount_rate
            ).assign(horizon_days=horizon_days, shape="orders")
        )
    empty = pd.DataFrame(columns=list(_MONTH_COLUMNS))
    shares = pd.concat(pieces) if pieces else empty
    return shares[list(_MONTH_COLUMNS)].astype(_MONTH_COLUMNS)


def track_orders(
    purchases: pd.DataFrame, fits: pd.DataFrame, dates: pd.DataFrame
) -> pd.DataFrame:
    """Tell how many orders all customers of a past date were to place, by when.

    Parameters
    ----------
    purchases, fits
        As for :func:`score_customers`.
    dates : DataFrame
        One row per ``as_of_date`` and ``horizon_days``: how far to look ahead.

    Returns
    -------
    DataFrame
        One row per ``as_of_date``, ``model_name`` and ``days_ahead``, every four weeks
        and at the horizon: ``customers_count`` and, of all of them until then,
        ``expected_order_days_count``. No row where the model was refused.
    """
    rows = []
    for as_of_date, horizon_days in dates.itertuples(index=False):
        customers = purchases[purchases["as_of_date"] == as_of_date]
        histories, counts = np.unique(
            np.column_stack(_papers_history(customers)), axis=0, return_counts=True
        )
        history = (histories[:, 0].astype(int), histories[:, 1], histories[:, 2])
        ends = [*range(TRACKED_DAYS, horizon_days, TRACKED_DAYS), horizon_days]
        for model_name in _purchase_models(fits):
            fit = _fit_of(fits, as_of_date, model_name) if len(customers) else None
            if fit is None or not fit.is_ok:
                continue
            for days in ends:
                each = btyd.expected_orders(fit, days / DAYS_PER_WEEK, *history)
                known = np.isfinite(each)
                expected = round(float((each * counts)[known].sum()), SCORE_DECIMALS)
                row = (as_of_date, model_name, days, counts[known].sum(), expected)
                rows.append(row)
    return pd.DataFrame(rows, columns=list(_TRACK_COLUMNS)).astype(_TRACK_COLUMNS)


def _months(
    histories: pd.DataFrame, weeks: np.ndarray, ends: list[int], rate: float
) -> pd.DataFrame:
    """Add up weeks to months, plain and discounted, as shares so far."""
    months = np.ceil(np.array(ends) * 12 / DAYS_PER_YEAR).astype(int)
    worth = weeks * (1 + rate) ** (-np.array(ends) / DAYS_PER_YEAR)
    pieces = []
    for month in np.unique(months):
        until = months <= month
        pieces.append(
            histories.assign(
                month_number=month,
                amount_share_so_far=weeks[:, until].sum(axis=1) / weeks.sum(axis=1),
                value_share_so_far=worth[:, until].sum(axis=1) / worth.sum(axis=1),
            )
        )
    # the last one is all of it, whatever the last digit says
    pieces[-1] = pieces[-1].assign(amount_share_so_far=1.0, value_share_so_far=1.0)
    shares = ["amount_share_so_far", "value_share_so_far"]
    return pd.concat(pieces).round(dict.fromkeys(shares, FIT_DECIMALS))


_HISTORY = (
    "repeat_order_days_count",
    "days_first_to_last_order",
    "days_since_first_order",
)

_MONTH_COLUMNS = {
    "horizon_days": int,
    "shape": str,
    **dict.fromkeys(_HISTORY, int),
    "month_number": int,
    "amount_share_so_far": float,
    "value_share_so_far": float,
}

_TRACK_COLUMNS = {
    "as_of_date": "datetime64[us]",
    "model_name": str,
    "days_ahead": int,
    "customers_count": int,
    "expected_order_days_count": float,
}

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
    "amount_correlation": float,
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
    **dict.fromkeys(BOUNDS, float),
    "is_own": bool,
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


def _spend_history(
    customers: pd.DataFrame, model_name: str
) -> tuple[np.ndarray, np.ndarray]:
    """Order days that a model of amounts looks at, and their mean amount."""
    days, mean = (
        ("order_days_count", "mean_order_day_amount")
        if model_name == "gamma_gamma_all"
        else ("repeat_order_days_count", "mean_repeat_order_day_amount")
    )
    return customers[days].to_numpy(int), customers[mean].to_numpy(float)


def _correlation(days: np.ndarray, mean_amount: np.ndarray) -> float:
    """Pearson correlation of how often with how much; NaN where one never differs."""
    known = (days > 0) & (np.nan_to_num(mean_amount) > 0)
    often, much = days[known].astype(float), mean_amount[known]
    if known.sum() < 3 or often.std() == 0 or much.std() == 0:
        return np.nan
    return float(np.corrcoef(often, much)[0, 1])


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
    )


def _purchase_models(fits: pd.DataFrame) -> list[str]:
    """Names of the models of how often that were fitted."""
    known = (*btyd.PURCHASE_MODELS, btyd.PARETO_NBD)
    return [name for name in known if (fits["model_name"] == name).any()]


def _fit_of(fits: pd.DataFrame, as_of_date: pd.Timestamp, model_name: str) -> btyd.Fit:
    """Read a fit back from the rows of :func:`fit_models`."""
    rows = fits[
        (fits["as_of_date"] == as_of_date) & (fits["model_name"] == model_name)
    ].set_index("parameter_name")
    rows = rows.loc[list(btyd.PARAMETERS[model_name])]
    first = rows.iloc[0]
    is_ok = first["fit_status"] in btyd.OK_STATUSES
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
    orders: pd.DataFrame,
    spend_fit: btyd.Fit,
    horizon_days: int,
    gross_margin: float,
) -> pd.DataFrame:
    """Score the customers of one as_of_date, with what is expected of their orders."""
    amount, amount_source, amount_note = _expected_order_amount(customers, spend_fit)
    has_score = orders["expected"].notna() & amount.notna()
    note = orders["note"]
    if amount_note:
        note = note.where(note == "", note + "; ") + amount_note
    return pd.DataFrame(
        {
            "customer_id": customers["customer_id"],
            "horizon_days": horizon_days,
            "expected_orders_count": orders["expected"],
            "order_probability": orders["probability"],
            "expected_order_amount": amount,
            "expected_amount": orders["expected"] * amount,
            "expected_value": orders["discounted"] * amount * gross_margin,
            "is_own": orders["is_own"],
            "model_source": np.where(
                has_score, orders["source"] + "+" + amount_source, "none"
            ),
            "model_note": note,
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
    expected["is_own"] = False
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
            "is_own": True,
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
        days, mean = _spend_history(customers, fit.model_name)
        # days that were all refunded tell nothing of what the customer spends
        amount = btyd.expected_order_amount(
            fit, np.where(np.isnan(mean), 0, days), mean
        )
        return pd.Series(amount, customers.index), fit.model_name, ""
    mean = customers["total_order_amount"].sum() / customers["order_days_count"].sum()
    note = f"{fit.model_name}: {fit.status}"
    return pd.Series(float(mean), customers.index), "mean_amount", note


def _amount_bounds(
    customers: pd.DataFrame,
    purchase_fit: btyd.Fit,
    spend_fit: btyd.Fit,
    horizon_days: int,
) -> dict[str, np.ndarray]:
    """Quantiles of the amount within the horizon."""
    x, t_x, T = _papers_history(customers)
    mean = customers["mean_repeat_order_day_amount"].to_numpy(float)
    days = np.where(np.isnan(mean), 0, x)
    # the amount is learned of days that brought something, the rest is as for orders
    patterns, position = np.unique(
        np.column_stack([x, t_x, T, days, np.nan_to_num(mean)]),
        axis=0,
        return_inverse=True,
    )
    found = btyd.amount_quantiles(
        purchase_fit,
        spend_fit,
        horizon_days / DAYS_PER_WEEK,
        tuple(patterns[:, :3].T),
        patterns[:, 3],
        patterns[:, 4],
        list(BOUNDS.values()),
    )
    return dict(zip(BOUNDS, np.round(found[position], SCORE_DECIMALS).T, strict=True))
