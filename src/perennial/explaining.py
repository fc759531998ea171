"""Why one customer, from what a build left: risk, reasons, changes, and a picture."""

import textwrap
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from perennial import charts, reasons
from perennial.faults import Fault
from perennial.keyed_hash import has_key, keyed_hash
from perennial.project import Project

_CUSTOMERS = """
select customers.customer_id, about.*
from marts.customer_360 as about
inner join (
    select distinct customer_id from input.input_customers where customer_id = $customer
) as customers
    on about.customer_id in (customers.customer_id, $published)
"""

_SCORES = """
select *
from reasons.reason_scores
where customer_id = $customer
order by task, horizon_days
"""

_SEEN = """
select {columns}
from reasons.reason_features
where customer_id = $customer
"""

#: Columns of customer_360 that say who it is, and what happened.
WHO = (
    *("segment", "country", "acquisition_channel", "lifecycle_stage", "plan", "mrr"),
    "days_since_sign_up",
)
HISTORY = (
    *("orders_count", "total_order_amount", "order_amount_90d"),
    *("days_since_last_order", "active_days_count_30d", "sessions_count_30d"),
    *("days_since_last_use", "tickets_count_90d", "open_tickets_count"),
    "failed_payments_count_90d",
)

#: What moved a score by less, in log-odds, is not named.
LEAST_TOLD = 0.005


@dataclass(frozen=True)
class Explained:
    """One score of a customer, taken apart.

    Attributes
    ----------
    score : Series
        A row of ``reason_scores``.
    reasons : DataFrame
        Rows as :func:`perennial.reasons.explain` gives them; empty where there is
        nothing to explain.
    note : str
        Why it is empty.
    change : Series or None
        Parts of the change since the date before; None for whom there is no such date.
    moved : DataFrame
        Rows as :func:`perennial.reasons.moved_features` gives them.
    """

    score: pd.Series
    reasons: pd.DataFrame
    note: str
    change: pd.Series | None
    moved: pd.DataFrame


@dataclass(frozen=True)
class Page:
    """All that is told of one customer.

    Attributes
    ----------
    customer_id : str
    about : Series
        The row of ``customer_360``.
    scores : list of Explained
        One per task and horizon; none for who is not in scope.
    """

    customer_id: str
    about: pd.Series
    scores: list[Explained]


def explain_customer(project: Project, customer_id: str) -> Page:
    """Take the scores of the score date apart, whatever band they are in.

    Parameters
    ----------
    project : Project
    customer_id : str
        As the source has it. Bound as a parameter: it is data, never SQL.

    Returns
    -------
    Page

    Raises
    ------
    Fault
        If nothing was built yet, there is no such customer, or a model is not what was
        registered.
    """
    with project.reading() as connection:
        published = keyed_hash("customer", customer_id) if has_key() else customer_id
        asked = {"customer": customer_id}
        about = connection.execute(_CUSTOMERS, {**asked, "published": published}).df()
        if about.empty:
            raise Fault(
                f"There is no customer {customer_id[:60]!r} in {project.connector}."
            )
        scores = connection.execute(_SCORES, asked).df()
        ids = {*scores["model_id"].dropna(), *scores["previous_model_id"].dropna()}
        models = connection.execute(
            "select model_id, model_document, document_sha256"
            " from registry.model_registry where list_contains($ids, model_id)"
            " order by model_id",
            {"ids": sorted(ids)},
        ).df()
        columns = reasons.columns_of_features(models)
        seen = connection.execute(_SEEN.format(columns=columns), asked).df()
        catalogue = connection.execute("from seeds.feature_catalogue").df()
        usual = connection.execute("from reasons.reason_importance").df()
    told = reasons.explain(
        scores[scores["has_reasons"]], seen, models, catalogue, usual
    )
    moved = reasons.changes(scores[scores["previous_as_of_date"].notna()], seen, models)
    page = []
    for _, score in scores.iterrows():
        key = ["task", "horizon_days"]
        own = told[(told[key] == score[key].to_list()).all(axis=1)]
        parts = moved[(moved[key] == score[key].to_list()).all(axis=1)]
        note = ""
        if own.empty:
            note = "what the model saw is not kept any more"
            if not score["has_reasons"]:
                note = "the base rate stands in, which knows no customer"
        change = parts.iloc[0] if len(parts) else None
        features = reasons.moved_features(score, seen, models, catalogue)
        page.append(Explained(score, own, note, change, features))
    return Page(customer_id, about.iloc[0], page)


def told(page: Page) -> list[str]:
    """Say all of it, in lines for a terminal."""
    about = page.about
    lines = [f"customer {page.customer_id}, as of {about['as_of_date']:%Y-%m-%d}"]
    lines += _paragraph("who", _named(about, WHO))
    lines += _paragraph("history", _named(about, HISTORY))
    if not page.scores:
        lines += ["", "Nobody to lose on that day: not in scope, so there is no score."]
    for one in page.scores:
        lines += ["", *_score_lines(one)]
    return lines


def _score_lines(one: Explained) -> list[str]:
    score = one.score
    what = f"{score['task']} within {score['horizon_days']} days"
    if pd.isna(score["probability"]):
        return [f"{what}: no score, for no model is registered or approved"]
    lines = [
        f"{what}: {score['probability']:.1%}, {score['risk_band']} "
        f"({score['action_code']}), by {score['model_id']}"
    ]
    if one.note:
        lines.append(f"  no reasons: {one.note}")
    rows = [
        (f"{row.contribution:+.2f}", row.reason)
        for row in one.reasons[one.reasons["feature_rank"].notna()].itertuples()
    ]
    rest = one.reasons.set_index("feature_name")["contribution"]
    if rows:
        total = rest.sum()
        rows += [
            (f"{rest[reasons.OTHERS]:+.2f}", "all other features"),
            (f"{rest[reasons.BASE]:+.2f}", "what everybody begins with"),
            (f"{total:+.2f}", "raw score, log-odds before calibration"),
        ]
    lines += [f"  {size:>6}  {reason}" for size, reason in rows]
    return lines + _change_lines(one)


def _change_lines(one: Explained) -> list[str]:
    score, change = one.score, one.change
    if change is None:
        return ["  scored for the first time"]
    line = (
        f"  since {score['previous_as_of_date']:%Y-%m-%d}: "
        f"{score['previous_probability']:.1%} to {score['probability']:.1%}"
    )
    if change["change_status"] != "ok":
        return [f"{line}, {change['change_status'].replace('_', ' ')}"]
    parts = ", ".join(
        f"{name} {change[f'{name}_change']:+.2f}"
        for name in ("features", "model", "calibration")
    )
    changed = one.moved[one.moved["value"] != one.moved["value_before"]]
    moved = [
        f"  {row.contribution_change:>+6.2f}  {row.feature_name}: "
        f"{row.value_before} to {row.value}"
        for row in changed.head(3).itertuples()
        if abs(row.contribution_change) >= LEAST_TOLD
    ]
    return [f"{line}; log-odds by {parts}", *moved]


def _named(about: pd.Series, names: tuple[str, ...]) -> str:
    known = [name for name in names if name in about.index and pd.notna(about[name])]
    return ", ".join(
        f"{name.replace('_', ' ')} {_plain(about[name])}" for name in known
    )


def _plain(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        return f"{value:.0f}"
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def _paragraph(name: str, text: str) -> list[str]:
    first, then = f"{name}: ", " " * (len(name) + 2)
    return textwrap.wrap(text, 88, initial_indent=first, subsequent_indent=then) or [
        first.strip()
    ]


def draw_waterfalls(page: Page, folder: Path) -> list[Path]:
    """Draw how each score comes about, feature by feature.

    Parameters
    ----------
    page : Page
    folder : Path
        Made if it is not there.

    Returns
    -------
    list of Path
        One SVG per score that has reasons; none without matplotlib.
    """
    if charts.mpl is None:
        return []
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    with charts.mpl.rc_context(charts.STYLE):
        for one in page.scores:
            if one.reasons.empty:
                continue
            data = waterfall(one.reasons)
            name = f"reasons_{one.score['task']}_{one.score['horizon_days']}d.svg"
            title = (
                f"Customer {page.customer_id}: {one.score['task']} within "
                f"{one.score['horizon_days']} days, {one.score['probability']:.1%}"
            )
            paths.append(charts.save(_draw(data, title), data, folder / name))
    return paths


def waterfall(told: pd.DataFrame) -> pd.DataFrame:
    """Put reasons one after the other, each from where the one before ends.

    Parameters
    ----------
    told : DataFrame
        Reasons of one score.

    Returns
    -------
    DataFrame
        ``label``, ``start`` and ``end``: the base, the features from the strongest on,
        all others, and the score.
    """
    ranked = told.sort_values("feature_rank", na_position="last")
    base = ranked[ranked["feature_name"] == reasons.BASE]
    others = ranked[ranked["feature_name"] == reasons.OTHERS]
    features = ranked[ranked["feature_rank"].notna()]
    steps = pd.concat([base, features, others], ignore_index=True)
    ends = steps["contribution"].cumsum()
    starts = ends - steps["contribution"]
    labels = [
        {
            reasons.BASE: "everybody begins with",
            reasons.OTHERS: "all other features",
        }.get(name, f"{name} = {value}")
        for name, value in zip(steps["feature_name"], steps["value"], strict=True)
    ]
    rows = pd.DataFrame({"label": labels, "start": starts, "end": ends})
    last = pd.DataFrame(
        {"label": ["raw score"], "start": [0.0], "end": [ends.iloc[-1]]}
    )
    rows.loc[0, "start"] = 0.0
    return pd.concat([rows, last], ignore_index=True)


def _draw(data: pd.DataFrame, title: str) -> "charts.Figure":
    figure = charts.Figure(figsize=(7, 0.6 + 0.3 * len(data)), layout="constrained")
    axes = figure.add_subplot()
    places = range(len(data) - 1, -1, -1)
    widths = data["end"] - data["start"]
    is_total = data.index.isin([0, len(data) - 1])
    colors = [
        charts._BARS if total else charts._PREDICTED if width > 0 else charts._OTHER
        for total, width in zip(is_total, widths, strict=True)
    ]
    axes.barh(places, widths, left=data["start"], color=colors, height=0.7)
    # from each end to the beginning of the next bar
    for place, end in list(zip(places, data["end"], strict=True))[:-1]:
        axes.plot(
            [end, end], [place + 0.35, place - 1.35], color="#b5b7ba", linewidth=0.8
        )
    for place, start, end, total in zip(
        places, data["start"], data["end"], is_total, strict=True
    ):
        shown = f"{end:+.2f}" if total else f"{end - start:+.2f}"
        axes.annotate(
            shown,
            (max(start, end), place),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            color="#6b6e73",
            fontsize=9,
        )
    axes.set_yticks(list(places), [""] * len(data))
    for place, label in zip(places, data["label"], strict=True):
        axes.text(
            -0.01,
            place,
            label,
            transform=axes.get_yaxis_transform(),
            ha="right",
            va="center",
            parse_math=False,
        )
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
    axes.use_sticky_edges = False
    axes.margins(x=0.12)
    axes.set_xlabel("log-odds before calibration")
    axes.set_title(title, parse_math=False)
    return figure
