"""Charts of value and its backtest, drawn from the marts as SVG."""

from pathlib import Path

import pandas as pd

from perennial import charts
from perennial.project import Project

_BY_DECILE = """
select as_of_date, horizon_days, decile, predicted_mean, actual_mean
from marts.clv_backtest_deciles
where population = 'all' and model_name = 'published' and target = 'value'
qualify horizon_days = min(horizon_days) over ()
order by as_of_date, decile
"""

_COVERAGE = """
select as_of_date, horizon_days, decile, nominal_share, covered_share
from marts.clv_coverage
where population = 'all' and decile > 0
qualify horizon_days = min(horizon_days) over ()
    and as_of_date = max(as_of_date) over (partition by horizon_days)
order by nominal_share, decile
"""

_TRACKING = """
select as_of_date, days_ahead,
    cast(expected_order_days_count as double) as expected_order_days_count,
    actual_order_days_count
from marts.clv_tracking
where model_name = (select min(model_name) from marts.clv_tracking)
order by as_of_date, days_ahead
"""

_RETENTION = """
select segment_value, period_months, period_number, observed_survival,
    expected_survival
from marts.contract_retention
where segment_kind = 'plan'
    and period_months = (
        select min(period_months) from marts.contract_retention
        where segment_kind = 'plan'
    )
order by segment_value, period_number
"""

_CASH_FLOWS = """
with months as (
    select month_number, horizon_days, sum(cast(expected_amount as double)) as amount,
        sum(cast(expected_value as double)) as value
    from marts.clv_cash_flows
    group by month_number, horizon_days
)
select month_number, horizon_days, sum(amount) over so_far as amount,
    sum(value) over so_far as value
from months
where horizon_days = (select max(horizon_days) from months)
window so_far as (order by month_number)
order by month_number
"""

_COLORS = ("#d1603d", "#4c7ea8", "#6d8f4e", "#9a6aa3", "#b58b2b", "#5c5f66")


def draw_value(project: Project, folder: Path | None = None) -> list[Path]:
    """Draw value by tenth, orders tracked, coverage, retention and coming months.

    Parameters
    ----------
    project : Project
        One of which something is published.
    folder : Path, optional
        ``build/charts`` of the project's home, if not given.

    Returns
    -------
    list of Path
        One SVG for each of which the marts have data.

    Raises
    ------
    Fault
        If matplotlib is not installed, or nothing is published yet.
    """
    folder = charts.ready_folder(project, folder)
    paths = []
    with project.reading_published() as connection, charts.mpl.rc_context(charts.STYLE):
        for name, (query, draw) in {
            "value_by_decile": (_BY_DECILE, _draw_by_decile),
            "value_tracking": (_TRACKING, _draw_tracking),
            "value_coverage": (_COVERAGE, _draw_coverage),
            "value_retention": (_RETENTION, _draw_retention),
            "value_by_month": (_CASH_FLOWS, _draw_by_month),
        }.items():
            data = connection.execute(query).df()
            if not data.empty:
                path = folder / f"{name}.svg"
                paths.append(charts.save(draw(data), data, path))
    return paths


def _draw_by_decile(data: pd.DataFrame):
    figure, axes = charts.figure()
    for (date, rows), color in zip(data.groupby("as_of_date"), _COLORS, strict=False):
        axes.plot(rows["decile"], rows["actual_mean"], "o", color=color)
        axes.plot(
            rows["decile"],
            rows["predicted_mean"],
            color=color,
            label=f"{date:%Y-%m-%d}",
        )
    axes.set_xticks(sorted(data["decile"].unique()))
    axes.set_xlabel("tenth of the customers, the highest expectation first")
    axes.set_ylabel("amount per customer")
    days = data["horizon_days"].iloc[0]
    axes.set_title(f"Expected (lines) and brought (dots) in {days} days")
    axes.legend(title="as of", loc="upper right")
    return figure


def _draw_tracking(data: pd.DataFrame):
    figure, axes = charts.figure()
    for (date, rows), color in zip(data.groupby("as_of_date"), _COLORS, strict=False):
        days = rows["days_ahead"]
        axes.plot(days, rows["actual_order_days_count"], "o", color=color)
        axes.plot(
            days,
            rows["expected_order_days_count"],
            color=color,
            label=f"{date:%Y-%m-%d}",
        )
    axes.set_ylim(bottom=0)
    axes.set_xlabel("days after the date")
    axes.set_ylabel("order days of all who had ordered by then")
    axes.set_title("Orders so far, expected (lines) and placed (dots)")
    axes.legend(title="as of", loc="upper left")
    return figure


def _draw_coverage(data: pd.DataFrame):
    figure, axes = charts.figure()
    for (nominal, rows), color in zip(
        data.groupby("nominal_share"), _COLORS, strict=False
    ):
        axes.plot(
            rows["decile"],
            rows["covered_share"],
            marker="o",
            color=color,
            label=f"bounds of {float(nominal):.0%}",
        )
        axes.axhline(float(nominal), color=color, linewidth=1, linestyle="--")
    axes.set_xticks(sorted(data["decile"].unique()))
    axes.set_ylim(0.5, 1.02)
    axes.set_xlabel("tenth of the customers, the highest expectation first")
    axes.set_ylabel("share between the bounds")
    first = data.iloc[0]
    date = f"{first['as_of_date']:%Y-%m-%d}"
    axes.set_title(f"Bounds of the {first['horizon_days']} days after {date}")
    axes.legend(loc="lower right")
    return figure


def _draw_retention(data: pd.DataFrame):
    figure, axes = charts.figure()
    for (plan, rows), color in zip(
        data.groupby("segment_value"), _COLORS, strict=False
    ):
        axes.plot(rows["period_number"], rows["observed_survival"], "o", color=color)
        axes.plot(
            rows["period_number"],
            rows["expected_survival"],
            color=color,
            label=str(plan),
        )
    axes.set_ylim(0, 1.02)
    months = data["period_months"].iloc[0]
    axes.set_xlabel(
        f"renewals, one every {f'{months} months' if months > 1 else 'month'}"
    )
    axes.set_ylabel("share that goes on")
    axes.set_title("Contracts, expected (lines) and observed (dots), by plan")
    axes.legend(loc="upper right")
    return figure


def _draw_by_month(data: pd.DataFrame):
    figure, axes = charts.figure()
    axes.bar(data["month_number"], data["amount"], color="#d9dbde", label="amount")
    axes.plot(
        data["month_number"],
        data["value"],
        marker="o",
        color=_COLORS[0],
        label="worth today",
    )
    axes.set_xticks(data["month_number"])
    axes.set_xlabel("months after the score date")
    axes.set_ylabel("all customers, so far")
    axes.set_title(f"When it comes, of {data['horizon_days'].iloc[0]} days")
    axes.legend(loc="upper left")
    return figure
