"""Charts of the backtest of churn, drawn from the marts as SVG."""

from collections.abc import Callable
from pathlib import Path

import duckdb
import pandas as pd

from perennial import charts
from perennial.project import Project

#: Points of a curve; more would not be seen.
POINTS = 200

_CASE = """
select task, horizon_days, model_name
from marts.churn_leaderboard
where is_chosen and selection_origins_count > 0
order by task, horizon_days
limit 1
"""

_RELIABILITY = """
select least_probability, mean_probability, positive_rate, positive_rate_low,
    positive_rate_high, customers_count, origins_count, horizon_days, model_name
from marts.churn_reliability
where task = $task and horizon_days = $horizon_days and model_name = $model_name
order by probability_bin
"""

_LIFT = """
select as_of_date, decile, lift, horizon_days
from marts.churn_lift_deciles
where is_published and population = 'in_scope' and task = $task
    and horizon_days = $horizon_days and lift is not null
order by as_of_date, decile
"""

_THRESHOLD = """
select as_of_date, threshold, flagged_share, caught_share, flagged_precision,
    horizon_days
from marts.churn_threshold_curve
where is_published and population = 'in_scope' and task = $task
    and horizon_days = $horizon_days and caught_share is not null
qualify as_of_date = max(as_of_date) over ()
order by threshold
"""

#: From the highest score on: how many so far, of whom so many were lost. Equal scores
#: are one point.
_CURVES = f"""
with places as (
    select as_of_date, is_positive, raw_score, horizon_days,
        row_number() over dates as place
    from marts.churn_backtest_scores
    where is_published and is_in_scope and task = $task
        and horizon_days = $horizon_days
    window dates as (partition by as_of_date order by raw_score desc)
),
steps as (
    select as_of_date, horizon_days, raw_score, max(place) as place,
        count(*) filter (where is_positive) as lost, count(*) as customers
    from places
    group by all
),
curves as (
    select as_of_date, horizon_days, place,
        sum(lost) over downwards as caught,
        sum(lost) over dates as lost_count,
        sum(customers) over dates as customers_count
    from steps
    window
        dates as (partition by as_of_date),
        downwards as (partition by as_of_date order by place rows unbounded preceding)
)
select as_of_date, horizon_days,
    caught / nullif(lost_count, 0) as caught_share,
    (place - caught) / nullif(customers_count - lost_count, 0) as false_share,
    caught / place as flagged_precision,
    lost_count / customers_count as positive_rate
from curves
qualify place % greatest(customers_count // {POINTS}, 1) = 0
    or place = customers_count
    or row_number() over (partition by as_of_date order by place) = 1
order by as_of_date, place
"""


def draw_churn(project: Project, folder: Path | None = None) -> list[Path]:
    """Draw the charts of the backtest for the first task and horizon that has one.

    Parameters
    ----------
    project : Project
        One of which something is published.
    folder : Path, optional
        ``build/charts`` of the project's home, if not given.

    Returns
    -------
    list of Path
        One SVG each; none where no past date was for selection.

    Raises
    ------
    Fault
        If matplotlib is not installed, or nothing is published yet.
    """
    folder = charts.ready_folder(project, folder)
    with project.reading_published() as connection, charts.mpl.rc_context(charts.STYLE):
        case = connection.execute(_CASE).fetchone()
        if case is None:
            return []
        named = dict(zip(("task", "horizon_days", "model_name"), case, strict=True))
        drawn = {
            name: (_data(connection, query, named), draw)
            for name, (query, draw) in _CHARTS.items()
        }
        return [
            charts.save(draw(data), data, folder / f"churn_{name}.svg")
            for name, (data, draw) in drawn.items()
            if not data.empty
        ]


def _data(
    connection: duckdb.DuckDBPyConnection, query: str, named: dict
) -> pd.DataFrame:
    asked = {name: value for name, value in named.items() if f"${name}" in query}
    return connection.execute(query, asked).df()


def _draw_reliability(data: pd.DataFrame) -> "charts.Figure":
    figure = charts.Figure(figsize=(7, 4.6), layout="constrained")
    axes, counts = figure.subplots(
        2, 1, sharex=True, gridspec_kw={"height_ratios": [3, 1]}
    )
    first = data.iloc[0]
    axes.plot([0, 1], [0, 1], color="#b5b7ba", linewidth=1, label="as said")
    enough = data[data["customers_count"] >= 5]
    axes.errorbar(
        enough["mean_probability"],
        enough["positive_rate"],
        yerr=[
            enough["positive_rate"] - enough["positive_rate_low"],
            enough["positive_rate_high"] - enough["positive_rate"],
        ],
        fmt="o",
        color=charts._PREDICTED,
        elinewidth=1,
        markersize=4,
        label="happened, with 95 % (Wilson); bins of five and more",
    )
    axes.set_ylabel("share that was lost")
    axes.set_title(
        f"What {first['model_name']} said of {first['horizon_days']} days, and what "
        f"happened, on {data['origins_count'].max()} past dates"
    )
    axes.legend(loc="lower right")
    axes.set_ylim(0, 1)
    counts.bar(
        data["least_probability"] + 0.025,
        data["customers_count"],
        width=0.045,
        color=charts._BARS,
    )
    for _, row in data.iterrows():
        counts.annotate(
            f"{row['customers_count']:,}",
            (row["least_probability"] + 0.025, row["customers_count"]),
            ha="center",
            va="bottom",
            fontsize=7,
            color="#6b6e73",
        )
    counts.set_yscale("log")
    counts.set_ylim(0.7, data["customers_count"].max() * 4)
    counts.set_ylabel("customers")
    counts.set_xlabel("probability that was said")
    return figure


def _draw_lift(data: pd.DataFrame) -> "charts.Figure":
    figure, axes = charts.figure()
    for color, (date, rows) in _dated(data):
        axes.plot(rows["decile"], rows["lift"], marker="o", color=color, label=date)
    axes.axhline(1, color="#b5b7ba", linewidth=1)
    axes.set_xticks(range(1, 11))
    axes.set_xlabel("tenth of the customers, the highest score first")
    axes.set_ylabel("times as many lost as on average")
    axes.set_title(f"Lost within {data['horizon_days'].iloc[0]} days, by tenth")
    axes.legend(loc="upper right")
    return figure


def _draw_roc(data: pd.DataFrame) -> "charts.Figure":
    figure, axes = _square()
    for color, (date, rows) in _dated(data):
        axes.plot(
            [0, *rows["false_share"]],
            [0, *rows["caught_share"]],
            color=color,
            label=date,
        )
    axes.plot([0, 1], [0, 1], color="#b5b7ba", linewidth=1)
    axes.set_xlabel("share flagged of who stayed")
    axes.set_ylabel("share flagged of who was lost")
    axes.set_title("ROC curve of each past date")
    axes.legend(loc="lower right")
    return figure


def _draw_precision_recall(data: pd.DataFrame) -> "charts.Figure":
    figure, axes = _square()
    for color, (date, rows) in _dated(data):
        axes.plot(
            rows["caught_share"], rows["flagged_precision"], color=color, label=date
        )
        axes.axhline(rows["positive_rate"].iloc[0], color=color, linewidth=0.6)
    axes.set_xlabel("recall: share flagged of who was lost")
    axes.set_ylabel("precision: share lost of who is flagged")
    axes.set_title("Precision and recall of each past date")
    axes.legend(loc="upper right")
    return figure


def _draw_threshold(data: pd.DataFrame) -> "charts.Figure":
    figure, axes = charts.figure()
    for name, label, color in (
        ("flagged_share", "share of customers flagged", charts._ACTUAL),
        ("caught_share", "share of the lost who are flagged", charts._OTHER),
        ("flagged_precision", "share of the flagged who are lost", charts._PREDICTED),
    ):
        axes.plot(data["threshold"], data[name], color=color, label=label)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("probability from which on a customer is flagged")
    axes.set_title(
        f"Acting on a threshold: {data['as_of_date'].iloc[0]:%Y-%m-%d}, "
        f"{data['horizon_days'].iloc[0]} days"
    )
    axes.legend(loc="upper right")
    return figure


_CHARTS: dict[str, tuple[str, Callable[[pd.DataFrame], "charts.Figure"]]] = {
    "reliability": (_RELIABILITY, _draw_reliability),
    "lift": (_LIFT, _draw_lift),
    "roc": (_CURVES, _draw_roc),
    "precision_recall": (_CURVES, _draw_precision_recall),
    "threshold": (_THRESHOLD, _draw_threshold),
}


def _dated(data: pd.DataFrame) -> list[tuple[str, tuple[str, pd.DataFrame]]]:
    """Give each date a color, its name and its rows; the newest is the darkest."""
    dates = list(data.groupby("as_of_date"))
    shades = charts.mpl.colormaps["viridis_r"]
    return [
        (
            shades(0.15 + 0.75 * place / max(len(dates) - 1, 1)),
            (f"{date:%Y-%m-%d}", rows),
        )
        for place, (date, rows) in enumerate(dates)
    ]


def _square() -> tuple["charts.Figure", "charts.mpl.axes.Axes"]:
    figure = charts.Figure(figsize=(5, 4.6), layout="constrained")
    axes = figure.add_subplot()
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    return figure, axes
