"""Figures and charts of docs/demo-company.md, from a generated company.

`make render` calls it: the company (small, seed 7) is made once in build/, its charts
go to docs/charts/company/, and cog puts the figures into the page.
"""

import dataclasses
import inspect
import os
import re
import shutil
import sys
from functools import cache
from pathlib import Path

import duckdb
import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.dates import MonthLocator
from matplotlib.figure import Figure

from perennial.charts import STYLE, save
from perennial.company import SIZES, generate
from perennial.company.behaviour import LAST_MONTH, Behaviour

ROOT = Path(__file__).parents[1]
SIZE, SEED = "small", 7
DOMAINS = ("customers", "subscriptions", "orders", "events", "tickets", "touches")
COLOURS = ("#4c7ea8", "#d1603d", "#6f9a5b", "#8d6ba8", "#33363b")


def folder() -> Path:
    """Where the company lies; made if it is not there."""
    home = Path(os.environ.get("PERENNIAL_HOME", ROOT))
    made = home / "build" / f"company-{SIZE}-{SEED}"
    if not (made / "company.json").exists():
        shutil.rmtree(made, ignore_errors=True)
        size = SIZES[SIZE]
        generate(made, size.customers, size.months, SEED)
    return made


@cache
def frame(query: str) -> pd.DataFrame:
    """Ask the company's files.

    {raw} and {truth} are its folders, {end} is the day after its history.
    """
    made = folder()
    end = f"date '{(LAST_MONTH + 1).astype('datetime64[D]')}'"
    named = query.format(raw=made / "raw", truth=made / "truth", end=end)
    return duckdb.sql(named).df()


# -- what cog puts into the page ------------------------------------------------------


def parameters() -> str:
    """List every parameter, its values and what it means, from where it stands."""
    lines = ["| parameter | values | meaning |", "| --- | --- | --- |"]
    defaults = Behaviour()
    for names, meaning in meanings().items():
        values = "; ".join(_values(getattr(defaults, name)) for name in names)
        called = ", ".join(f"`{name}`" for name in names)
        lines.append(f"| {called} | {values} | {meaning} |")
    return "\n".join(lines)


def meanings() -> dict[tuple[str, ...], str]:
    """Take what the docstring of Behaviour says of its attributes, by their names."""
    _, _, listed = inspect.getdoc(Behaviour).partition("Attributes\n----------\n")
    told = {}
    for block in re.split(r"\n(?=\S)", listed):
        names, *meaning = block.splitlines()
        text = " ".join(line.strip() for line in meaning).replace("**", "\\*\\*")
        told[tuple(names.split(", "))] = text
    named = [name for names in told for name in names]
    known = [parameter.name for parameter in dataclasses.fields(Behaviour)]
    assert sorted(named) == sorted(known), set(named) ^ set(known)
    return told


def _values(value) -> str:
    if isinstance(value, np.ndarray):
        if value.ndim == 2:
            return "; ".join(_values(row) for row in value)
        return ", ".join(f"{one:g}" for one in value)
    return f"{value:g}"


def sizes() -> str:
    """Count the rows of the files."""
    lines = ["| domain | files | rows |", "| --- | ---: | ---: |"]
    for domain in DOMAINS:
        files = list((folder() / "raw" / domain).iterdir())
        if domain == "events":
            ((count,),) = frame(
                "select count(*) from '{raw}/events/*.parquet'"
            ).to_numpy()
        else:
            count = sum(
                file.read_bytes().count(b"\n") - (file.suffix == ".csv")
                for file in files
            )
        lines.append(f"| {domain} | {len(files)} | {count:,} |")
    return "\n".join(lines)


def churn() -> str:
    """Tell how many leave, and how well the oracle knows it, by date."""
    rows = frame(
        """
        select *
        from '{truth}/oracle.parquet'
        where month(as_of_date) % 3 = 0 and as_of_date >= '2023-12-31'
        order by horizon_days, as_of_date
        """
    )
    lines = [
        "| as of | days | subscribers | lost | mean true probability | oracle AUC |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for one in rows.itertuples():
        lines.append(
            f"| {one.as_of_date:%Y-%m-%d} | {one.horizon_days} "
            f"| {one.customers_count:,} | {one.churn_rate:.1%} "
            f"| {one.mean_probability:.1%} | {one.roc_auc:.3f} |"
        )
    return "\n".join(lines)


def revenue() -> str:
    """Tell the recurring revenue of a year, and what a quarter loses of it."""
    rows = frame(
        """
        with versions as (
            select
                subscription_id,
                started_at,
                monthly_price - monthly_discount as monthly,
                ended_at,
                coalesce(cancel_reason in ('upgrade', 'downgrade'), false)
                    as is_plan_change
            from read_json(
                '{raw}/subscriptions/*.jsonl',
                columns = {{
                    subscription_id: 'varchar', started_at: 'timestamp',
                    monthly_price: 'decimal(18, 2)', monthly_discount: 'decimal(18, 2)',
                    ended_at: 'timestamp', cancel_reason: 'varchar',
                    changed_at: 'timestamp'
                }},
                format = 'newline_delimited', ignore_errors = true
            )
            where subscription_id not like 'dirt-%'
            qualify row_number() over (
                partition by subscription_id order by changed_at desc
            ) = 1
        ),
        dates as (
            select distinct as_of_date
            from '{truth}/oracle.parquet'
            where
                horizon_days = 90
                and month(as_of_date) % 3 = 0 and as_of_date >= '2023-12-31'
        )
        select
            as_of_date,
            12 * sum(monthly) as revenue,
            12 * sum(monthly) filter (
                where ended_at < as_of_date + 91 and not is_plan_change
            ) as lost
        from dates
        inner join versions
            on versions.started_at < dates.as_of_date + 1
            and coalesce(versions.ended_at, '9999-01-01') >= dates.as_of_date + 1
        group by as_of_date
        order by as_of_date
        """
    )
    lines = [
        "| as of | recurring revenue of a year | lost within 90 days | share |",
        "| --- | ---: | ---: | ---: |",
    ]
    for one in rows.itertuples():
        lines.append(
            f"| {one.as_of_date:%Y-%m-%d} | {one.revenue:,.0f} | {one.lost:,.0f} "
            f"| {one.lost / one.revenue:.1%} |"
        )
    return "\n".join(lines)


def causes() -> str:
    """Count why subscriptions ended."""
    rows = frame("from '{truth}/churn_causes.parquet'")
    total = len(rows)
    voluntary = rows[rows.is_voluntary]
    lines = ["| what ended it | subscriptions | share |", "| --- | ---: | ---: |"]

    def line(name: str, count: int) -> None:
        lines.append(f"| {name} | {count:,} | {count / total:.1%} |")

    line("payment failed for good (involuntary)", int((~rows.is_voluntary).sum()))
    line("left while engaged", int((voluntary.mood == "engaged").sum()))
    drifted = voluntary[voluntary.mood != "engaged"]
    for name in ("onboarding_failed", "support_trouble", "own_reasons"):
        alone = name.replace("_", " ")
        line(f"drifted: {alone}", int(drifted[f"by_{name}"].sum()))
    several = drifted.filter(like="by_").sum(axis=1) > 1
    lines.append(f"| of these for several reasons | {int(several.sum()):,} |  |")
    return "\n".join(lines)


def dirt() -> str:
    """Count what was planted."""
    rows = frame(
        """
        select
            domain, kind, verdict, coalesce(reason, '') as reason,
            sum(lines_count) as lines_count
        from '{truth}/planted_dirt.parquet'
        group by all
        order by all
        """
    )
    lines = ["| domain | what | lines | verdict |", "| --- | --- | ---: | --- |"]
    for one in rows.itertuples():
        verdict = one.verdict.replace("_", " ")
        lines.append(
            f"| {one.domain} | {one.kind.replace('_', ' ')} "
            f"| {int(one.lines_count):,} | {verdict} |"
        )
    return "\n".join(lines)


def uplift() -> str:
    """Set what campaigns changed beside what they truly change, by segment."""
    rows = frame(
        """
        select
            segment,
            avg(churn_probability_if_treated - churn_probability_if_not) as true_change,
            avg(cast(is_churned_90d as integer))
                filter (where campaign_group = 'treated')
            - avg(cast(is_churned_90d as integer))
                filter (where campaign_group = 'control') as seen_change,
            sqrt(
                var_samp(cast(is_churned_90d as integer))
                    filter (where campaign_group = 'treated')
                / count(*) filter (where campaign_group = 'treated')
                + var_samp(cast(is_churned_90d as integer))
                    filter (where campaign_group = 'control')
                / count(*) filter (where campaign_group = 'control')
            ) as error
        from '{truth}/campaign_responses.parquet'
        inner join '{truth}/customers.parquet' using (customer_id)
        where is_churned_90d is not null
        group by segment
        order by true_change desc
        """
    )
    lines = [
        "| segment | true change of churn within 90 days | treated minus control "
        "| standard error |",
        "| --- | ---: | ---: | ---: |",
    ]
    for one in rows.itertuples():
        lines.append(
            f"| {one.segment} | {100 * one.true_change:+.2f} points "
            f"| {100 * one.seen_change:+.2f} | {100 * one.error:.2f} |"
        )
    return "\n".join(lines)


# -- charts ---------------------------------------------------------------------------

_LIVES = """
select
    *,
    date_diff('month', started_date, coalesce(ended_date, {end})) as months,
    ended_date is not null as is_ended
from '{truth}/customers.parquet'
where started_date is not null
"""


def survival() -> tuple[pd.DataFrame, Figure]:
    """Draw who is still there after so many months (Kaplan and Meier 1958)."""
    lives = frame(_LIVES)
    curves = []
    for is_yearly, term in ((False, "monthly"), (True, "yearly")):
        for plan in ("starter", "team", "business"):
            part = lives[(lives.first_plan == plan) & (lives.is_yearly == is_yearly)]
            curves.append(_kaplan_meier(part).assign(plan=plan, term=term))
    data = pd.concat(curves, ignore_index=True)
    figure, axes = _axes()
    for (term, plan), rows in data.groupby(["term", "plan"], sort=False):
        place = ("starter", "team", "business").index(plan)
        axes.step(
            rows.months,
            rows.surviving,
            where="post",
            color=COLOURS[place],
            linestyle="-" if term == "monthly" else "--",
            label=f"{plan}, {term}",
        )
    axes.set_ylim(0, 1)
    axes.yaxis.set_major_formatter("{x:.0%}")
    axes.set_xlabel("months since the first bill")
    axes.set_title("Subscriptions that go on, by first plan and term")
    axes.legend(ncols=2)
    return data, figure


def _kaplan_meier(lives: pd.DataFrame) -> pd.DataFrame:
    months = np.arange(0, 31)
    surviving, values = 1.0, []
    for month in months:
        at_risk = (lives.months >= month).sum()
        ends = ((lives.months == month) & lives.is_ended).sum()
        surviving *= 1 - ends / at_risk
        values.append(surviving)
    return pd.DataFrame({"months": months, "surviving": values})


def seasons() -> tuple[pd.DataFrame, Figure]:
    """Draw sessions, orders and sign-ups of each month per subscriber and day."""
    data = frame(
        """
        with subscribers as (
            select date_trunc('month', as_of_date) as month, count(*) as customers_count
            from '{truth}/month_ends/*.parquet'
            group by all
        ),
        sessions as (
            select
                date_trunc('month', occurred_at) as month,
                count(distinct session_id) as sessions_count
            from '{raw}/events/*.parquet'
            where occurred_at < {end}
            group by all
        ),
        orders as (
            select
                date_trunc('month', try_cast(ordered_at as timestamp)) as month,
                count(*) as orders_count
            from read_csv(
                '{raw}/orders/*.csv', all_varchar = true, ignore_errors = true
            )
            where type = 'purchase' and payment_status = 'paid'
            group by all
        )
        select
            cast(month as date) as month,
            sessions_count / customers_count / day(last_day(month)) as sessions,
            orders_count / customers_count / day(last_day(month)) as orders
        from subscribers
        inner join sessions using (month)
        inner join orders using (month)
        where month >= date '2023-07-01'
        order by month
        """
    )
    figure, axes = _axes()
    for name, colour in (("sessions", COLOURS[0]), ("orders", COLOURS[1])):
        relative = data[name] / data[name].mean()
        axes.plot(data.month, relative, color=colour, marker="o", ms=3, label=name)
    axes.set_ylim(0.5, 1.5)
    axes.xaxis.set_major_locator(MonthLocator((1, 7)))
    axes.yaxis.set_major_formatter("{x:.0%}")
    axes.set_title("Sessions and orders per subscriber and day, over their mean")
    axes.legend()
    return data, figure


#: Months before the one in which somebody left, and the same months of those who stay.
_BEFORE = """
with leavers as (
    select customer_id, date_trunc('month', ended_date) as left_month
    from '{truth}/churn_causes.parquet'
    inner join '{truth}/customers.parquet' using (customer_id, ended_date, is_yearly)
    where is_voluntary and date_diff('month', started_date, ended_date) > 9
),
stayers as (
    select customer_id, date '2025-06-01' as left_month
    from '{truth}/customers.parquet'
    where ended_date is null and started_date < date '2024-08-01'
),
people as (
    select customer_id, left_month, 'left' as who from leavers
    union all
    select customer_id, left_month, 'stayed' as who from stayers
),
seen as ({seen})
select
    who,
    months_before,
    count(seen.customer_id) / any_value(people_count) as mean_count,
    avg(csat) as mean_csat
from (select *, count(*) over (partition by who) as people_count from people) as people
cross join range(1, 10) as months (months_before)
left join seen
    on people.customer_id = seen.customer_id
    and date_trunc('month', seen.at)
        = people.left_month - to_months(cast(months_before as integer))
group by who, months_before
order by who, months_before
"""

_SESSIONS = """
    select customer_id, min(occurred_at) as at, cast(null as double) as csat
    from '{raw}/events/*.parquet'
    where occurred_at < {end} group by customer_id, session_id
"""

_TICKETS = """
    select
        customer_id,
        try_cast(opened_at as timestamp) as at,
        try_cast(csat as double) as csat
    from read_json(
        '{raw}/tickets/*.jsonl',
        columns = {{customer_id: 'varchar', opened_at: 'varchar', csat: 'varchar'}},
        format = 'newline_delimited', ignore_errors = true
    )
"""


def usage_before() -> tuple[pd.DataFrame, Figure]:
    """Draw sessions in the months before a cancellation."""
    data = frame(_BEFORE.replace("{seen}", _SESSIONS))
    figure, axes = _axes()
    _draw_before(axes, data, "mean_count")
    axes.set_ylim(0)
    axes.set_title("Sessions a month before they left, and of those who stayed")
    return data, figure


def tickets_before() -> tuple[pd.DataFrame, Figure]:
    """Draw tickets and their rating in the months before a cancellation."""
    data = frame(_BEFORE.replace("{seen}", _TICKETS))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7, 3.6), layout="constrained")
        left, right = figure.subplots(1, 2)
    _draw_before(left, data, "mean_count")
    left.set_ylim(0)
    left.set_title("Tickets a month")
    _draw_before(right, data, "mean_csat")
    right.set_ylim(1, 5)
    right.set_title("Their rating, 1 to 5")
    return data, figure


def _draw_before(axes, data: pd.DataFrame, column: str) -> None:
    for who, colour in (("left", COLOURS[1]), ("stayed", COLOURS[0])):
        rows = data[data.who == who]
        axes.plot(-rows.months_before, rows[column], "o-", color=colour, label=who)
    axes.set_xlabel("months before leaving")
    axes.legend()


def cohorts() -> tuple[pd.DataFrame, Figure]:
    """Draw who signed up in each month, and how many of them subscribe at the end."""
    data = frame(
        """
        select
            cast(date_trunc('month', signup_date) as date) as month,
            count(*) as signed_up,
            count(started_date) as subscribed,
            count(started_date) filter (where ended_date is null) as still_there
        from '{truth}/customers.parquet'
        group by all
        order by month
        """
    )
    figure, axes = _axes()
    for name, colour in (
        ("signed_up", "#d9dbde"),
        ("subscribed", COLOURS[0]),
        ("still_there", COLOURS[1]),
    ):
        label = name.replace("_", " ")
        axes.bar(data.month, data[name], width=24, color=colour, label=label)
    axes.set_title("Cohorts by month of sign-up, and what is left at the end of 2025")
    axes.legend()
    return data, figure


def _axes():
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7, 3.6), layout="constrained")
        return figure, figure.add_subplot()


CHARTS = {
    "cohorts": cohorts,
    "survival": survival,
    "seasons": seasons,
    "usage_before": usage_before,
    "tickets_before": tickets_before,
}


def main(charts: Path) -> None:
    """Draw every chart into a folder."""
    charts.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(STYLE):
        for name, draw in CHARTS.items():
            data, figure = draw()
            print(save(figure, data, charts / f"{name}.svg"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
