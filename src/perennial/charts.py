"""Charts of the marts: the backtest, and one customer's history, as SVG."""

import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import duckdb
import pandas as pd

from perennial.faults import Fault
from perennial.project import Project, example_customer

try:
    import matplotlib as mpl
    from matplotlib.figure import Figure
except ImportError:
    mpl = None

_ACTUAL, _BARS = "#33363b", "#d9dbde"
_PREDICTED, _OTHER = "#d1603d", "#4c7ea8"
STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "perennial",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "axes.titlelocation": "left",
    "legend.frameon": False,
}

_BY_FREQUENCY = """
select repeat_order_days_band, model_name, predicted_mean, actual_mean,
    as_of_date, horizon_days
from marts.clv_backtest_frequencies
where population = 'all' and model_name in ('bg_nbd', 'mbg_nbd')
qualify rank() over (order by horizon_days desc, as_of_date desc) = 1
order by model_name, repeat_order_days_band
"""

_BY_DECILE = """
select decile, predicted_mean, actual_mean, as_of_date, horizon_days
from marts.clv_backtest_deciles
where population = 'all' and model_name = 'bg_nbd' and target = 'amount'
qualify rank() over (order by horizon_days desc, as_of_date desc) = 1
order by decile
"""

_ONE_CUSTOMER = """
with scores as (
    select as_of_date, horizon_days, expected_orders_count
    from marts.clv_scores
    where customer_id = $customer_id
),
days as (
    select distinct order_date as day
    from marts.fct_orders
    where customer_id = $customer_id
        and kind = 'purchase' and status is distinct from 'failed'
        and order_date <= (select max(as_of_date) from scores)
)
select day, row_number() over (order by day) as order_days, 'made' as kind
from days
union all
select distinct as_of_date, (select count(*) from days), 'expected'
from scores
union all
select as_of_date + cast(horizon_days as integer),
    (select count(*) from days) + expected_orders_count, 'expected'
from scores
order by kind, day
"""


def draw_all(
    project: Project,
    folder: Path | None = None,
    customer_id: str | None = None,
) -> list[Path]:
    """Draw every chart for which the marts have data.

    Parameters
    ----------
    project : Project
        One of which something is published.
    folder : Path, optional
        ``build/charts`` of the project's home, if not given.
    customer_id : str, optional
        Whose history is drawn; if not given, ``example_customer`` chooses.

    Returns
    -------
    list of Path
        One SVG each. The same data give the same bytes, and a digest of the data
        stands in the file.

    Raises
    ------
    Fault
        If matplotlib is not installed, nothing is published yet, there is no data, or
        the customer has no score.
    """
    folder = ready_folder(project, folder)
    paths = []
    with project.reading_published() as connection, mpl.rc_context(STYLE):
        drawn = customer_id or example_customer(connection, "marts.fct_orders")
        charts = _charts(connection, drawn)
        if customer_id is not None and charts["one_customer"][0].empty:
            raise Fault(f"There is no score of a customer {customer_id[:60]!r}.")
        for name, (data, draw) in charts.items():
            if not data.empty:
                paths.append(save(draw(data), data, folder / f"{name}.svg"))
    if not paths:
        raise Fault("The marts hold no backtest and no customer to draw yet.")
    return paths


def ready_folder(project: Project, folder: Path | None) -> Path:
    """Make the folder that charts go to, ``build/charts`` if none is given.

    Raises
    ------
    Fault
        If matplotlib is not installed.
    """
    if mpl is None:
        raise Fault("Charts need matplotlib: run pip install matplotlib.")
    folder = folder or project.home / "build" / "charts"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def data_digest(data: pd.DataFrame) -> str:
    """Tell two sets of chart data apart: sha256 of their CSV, to nine digits."""
    text = data.to_csv(index=False, float_format="%.9g")
    return hashlib.sha256(text.encode()).hexdigest()


def _charts(
    connection: duckdb.DuckDBPyConnection, customer_id: str | None
) -> dict[str, tuple[pd.DataFrame, Callable[[pd.DataFrame], "Figure"]]]:
    customer = {"customer_id": customer_id}
    return {
        "orders_by_frequency": (
            connection.execute(_BY_FREQUENCY).df(),
            _draw_by_frequency,
        ),
        "amount_by_decile": (connection.execute(_BY_DECILE).df(), _draw_by_decile),
        "one_customer": (
            connection.execute(_ONE_CUSTOMER, customer).df(),
            partial(_draw_one_customer, customer_id),
        ),
    }


def _draw_by_frequency(data: pd.DataFrame) -> "Figure":
    drawn, axes = figure()
    first = data.iloc[0]
    actual = data[data["model_name"] == first["model_name"]]
    axes.bar(
        actual["repeat_order_days_band"],
        actual["actual_mean"],
        color=_BARS,
        label="made",
    )
    for (name, rows), color in zip(
        data.groupby("model_name"), [_PREDICTED, _OTHER], strict=False
    ):
        label = {"bg_nbd": "BG/NBD", "mbg_nbd": "MBG/NBD"}[name] + " expected"
        axes.plot(
            rows["repeat_order_days_band"],
            rows["predicted_mean"],
            marker="o",
            color=color,
            label=label,
        )
    bands = sorted(data["repeat_order_days_band"].unique())
    axes.set_xticks(bands, [f"{band}{'+' if band == 7 else ''}" for band in bands])
    axes.set_xlabel(f"repeat order days by {first['as_of_date']:%Y-%m-%d}")
    axes.set_ylabel("order days per customer")
    axes.set_title(f"Order days in the {first['horizon_days']} days that followed")
    axes.legend(loc="upper left")
    return drawn


def _draw_by_decile(data: pd.DataFrame) -> "Figure":
    drawn, axes = figure()
    first = data.iloc[0]
    axes.bar(data["decile"], data["actual_mean"], color=_BARS, label="spent")
    axes.plot(
        data["decile"],
        data["predicted_mean"],
        marker="o",
        color=_PREDICTED,
        label="BG/NBD and Gamma-Gamma expected",
    )
    axes.set_xticks(data["decile"])
    axes.set_xlabel("tenth of the customers, the highest prediction first")
    axes.set_ylabel("amount per customer")
    axes.set_title(
        f"Amount in the {first['horizon_days']} days after "
        f"{first['as_of_date']:%Y-%m-%d}"
    )
    axes.legend(loc="upper right")
    return drawn


def _draw_one_customer(customer_id: str, data: pd.DataFrame) -> "Figure":
    drawn, axes = figure()
    made, expected = (data[data["kind"] == kind] for kind in ("made", "expected"))
    score_day = expected["day"].min()
    steps = pd.concat(
        [
            made[["day", "order_days"]],
            pd.DataFrame({"day": [score_day], "order_days": [len(made)]}),
        ]
    )
    axes.step(
        steps["day"], steps["order_days"], where="post", color=_ACTUAL, label="made"
    )
    axes.plot(made["day"], made["order_days"], "o", color=_ACTUAL)
    axes.plot(
        expected["day"],
        expected["order_days"],
        "o--",
        color=_PREDICTED,
        label="expected",
    )
    axes.axvline(score_day, color="#b5b7ba", linewidth=1)
    axes.annotate(
        f"score date {score_day:%Y-%m-%d} ",
        (score_day, 0.2),
        ha="right",
        color="#6b6e73",
    )
    axes.set_ylim(0, data["order_days"].max() + 1)
    axes.set_ylabel("order days so far")
    axes.set_title(f"Customer {customer_id}", parse_math=False)
    axes.legend(loc="upper left")
    return drawn


def figure() -> tuple["Figure", "mpl.axes.Axes"]:
    """Give an empty chart of the size that all have."""
    drawn = Figure(figsize=(7, 3.6), layout="constrained")
    return drawn, drawn.add_subplot()


def save(figure: "Figure", data: pd.DataFrame, path: Path) -> Path:
    """Write a chart, with the digest of its data in it."""
    told = {"Date": None, "Description": f"data sha256 {data_digest(data)}"}
    figure.savefig(path, metadata=told)
    return path
