"""Figures of README and walk-through, from the working files: nothing is typed in.

cog calls these where the pages say so; `make render` writes them, and a test fails when
a page and the marts differ. What is not said to be the demo company's is CDNOW's.
"""

import dataclasses
import json
import sys
from functools import cache
from pathlib import Path

from perennial import explaining
from perennial.company.causes import TRACES, named_causes
from perennial.follow import follow
from perennial.macros import settings_catalogue
from perennial.project import EXAMPLE_CUSTOMER, Project

CDNOW, DEMO = "cdnow", "demo"

ORIGIN, HORIZON = "1997-09-30", 273

NAMES = {
    "bg_nbd": "BG/NBD and Gamma-Gamma",
    "mbg_nbd": "MBG/NBD and Gamma-Gamma",
    "own_rate": "own rate goes on",
    "last_90_days": "last 90 days go on",
    "population_rate": "everyone is average",
    "recency_rule": "days since last order",
    "hiatus_rule": "gone if silent for too long",
}


def _rows(query: str, *parameters, connector: str = CDNOW) -> list[tuple]:
    with Project.find(connector).reading() as connection:
        return connection.execute(query, parameters).fetchall()


def _metrics(target: str, wanted: list[str]) -> dict[str, list[float | None]]:
    """By model, in the order of NAMES."""
    found = {
        (model_name, metric): value
        for model_name, metric, value in _rows(
            "select model_name, metric, metric_value from marts.clv_backtest_metrics "
            "where population = 'all' and as_of_date = ? and horizon_days = ? "
            "and target = ?",
            ORIGIN,
            HORIZON,
            target,
        )
    }
    models = [name for name in NAMES if (name, wanted[0]) in found]
    return {name: [found[name, metric] for metric in wanted] for name in models}


def backtest_of_amounts() -> str:
    """Table of the errors in spend, orders and rank."""
    amounts = _metrics(
        "amount", ["total_error", "mean_absolute_error", "normalised_gini"]
    )
    orders = _metrics("orders", ["total_error", "mean_absolute_error"])
    lines = [
        "| model | orders, total | orders, per customer | spend, total "
        "| spend, per customer | spend, Gini |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for model, (spend_total, spend_each, gini) in amounts.items():
        orders_total, orders_each = orders[model]
        lines.append(
            f"| {NAMES[model]} | {orders_total:+.1%} | {orders_each:.3f} "
            f"| {spend_total:+.1%} | {spend_each:.2f} | {gini:.3f} |"
        )
    return "\n".join(lines)


def backtest_of_activity() -> str:
    """Table of how well the coming activity is ranked and told as a probability."""
    activity = _metrics(
        "activity",
        [
            "roc_auc",
            "average_precision",
            "brier_score",
            "expected_calibration_error",
            "accuracy",
        ],
    )
    lines = [
        "| model | AUC | PR-AUC | Brier | calibration error | accuracy |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for model, values in activity.items():
        told = ("" if value is None else f"{value:.3f}" for value in values)
        lines.append(f"| {NAMES[model]} | {' | '.join(told)} |")
    return "\n".join(lines)


def published_values() -> str:
    """Table of what was published for past dates, beside the mean of the channel."""
    metrics = (
        *("total_error", "mean_absolute_error", "root_mean_squared_error"),
        *("normalised_gini", "top_decile_share"),
    )
    told = ", ".join(metrics)
    rows = _rows(
        f"""
        select as_of_date, model_name, {told}, share_80, share_90
        from (
            pivot (
                select as_of_date, horizon_days, model_name, metric, metric_value
                from marts.clv_backtest_metrics
                where population = 'all' and target = 'value' and horizon_days = 91
                    and model_name in ('published', 'channel_mean')
            ) on metric in {metrics} using first(metric_value)
        )
        left join (
            select as_of_date, horizon_days, 'published' as model_name,
                max(covered_share) filter (where nominal_share = 0.8) as share_80,
                max(covered_share) filter (where nominal_share = 0.9) as share_90
            from marts.clv_coverage
            where population = 'all' and decile = 0
            group by all
        ) using (as_of_date, horizon_days, model_name)
        order by as_of_date, model_name desc
        """
    )
    lines = [
        "| as of | | total | per customer | root mean square | Gini | first tenth "
        "| of 80 % | of 90 % |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for date, model, total, each, square, gini, share, *covered in rows:
        held = " | ".join("" if one is None else f"{one:.1%}" for one in covered)
        lines.append(
            f"| {date} | {model.replace('channel_mean', 'mean of the channel')} "
            f"| {total:+.1%} | {each:.2f} | {square:.2f} | {gini:.3f} | {share:.1%} "
            f"| {held} |"
        )
    return "\n".join(lines)


def churn_backtest(connector: str, population: str) -> str:
    """Table of what the published model said on past dates, and the truth if known."""
    metrics = ("roc_auc", "brier_score", "expected_calibration_error", "brier_skill")
    told = ", ".join(f"metrics.{metric}" for metric in metrics)
    rows = _rows(
        f"""
        select origin_date, model_name, chosen_on, intervals.told, {told}
        from marts.churn_backtest_choices as choices
        inner join (
            pivot (
                select task, horizon_days, as_of_date, model_name, metric, metric_value
                from marts.churn_backtest_metrics
                where population = ? and segment_kind = 'all'
            ) on metric in {metrics} using first(metric_value)
        ) as metrics using (task, horizon_days, model_name)
        inner join (
            select task, horizon_days, as_of_date, model_name,
                printf('%.2f to %.2f', metric_low, metric_high) as told
            from marts.churn_backtest_metrics
            where population = ? and segment_kind = 'all' and metric = 'roc_auc'
        ) as intervals using (task, horizon_days, as_of_date, model_name)
        where task = 'churn' and horizon_days in (90, 91) and is_published
            and origin_date = as_of_date
        order by origin_date
        """,
        population,
        population,
        connector=connector,
    )
    names = ["origin", "published", "chosen on", "AUC, 95 %"]
    names += ["AUC", "Brier", "calibration error"]
    names += ["skill", "AUC of the truth"] if connector == DEMO else ["skill"]
    best = _auc_of_the_truth() if connector == DEMO else {}
    lines = [
        f"| {' | '.join(names)} |",
        "| --- | --- | --- | --- |" + " ---: |" * (len(names) - 4),
    ]
    for origin, model, chosen_on, interval, *values in rows:
        values += [best[origin]] if best else []
        told = " | ".join(f"{value:.3f}" for value in values)
        lines.append(
            f"| {origin} | `{model}` | {chosen_on.replace('_', ' ')} | {interval} "
            f"| {told} |"
        )
    return "\n".join(lines)


def _auc_of_the_truth() -> dict:
    """By origin, of the probabilities that the demo company was drawn with."""
    ((folder,),) = _rows("select folder from reading.demo_files", connector=DEMO)
    rows = _rows(
        f"""
        with ranked as (
            select as_of_date, is_positive, rank() over dates
                + (count(*) over (dates groups current row) - 1) / 2.0 as place
            from evaluations.eval_churn_predictions
            inner join '{folder}/truth/month_ends/*.parquet'
                using (customer_id, as_of_date)
            where model_name = 'base_rate' and horizon_days = 90
                and population = 'in_scope' and task = 'churn'
            window dates as (partition by as_of_date order by churn_probability_90d)
        )
        select as_of_date,
            (sum(place) filter (where is_positive) - n * (n + 1) / 2.0)
            / (n * (count(*) - n))
        from (
            select *, count(*) filter (where is_positive) over (
                partition by as_of_date
            ) as n
            from ranked
        )
        group by as_of_date, n
        """,
        connector=DEMO,
    )
    return dict(rows)


def churn_reliability() -> str:
    """Table of what was said of past customers of the demo company, and came true."""
    rows = _rows(
        """
        select printf('%.2f to %.2f', least_probability, most_probability),
            customers_count, positives_count, mean_probability, positive_rate,
            printf('%.1f%% to %.1f%%', 100 * positive_rate_low,
                100 * positive_rate_high)
        from marts.churn_reliability
        inner join marts.churn_leaderboard using (task, horizon_days, model_name)
        where is_chosen and task = 'churn' and horizon_days = 90
            and customers_count >= 30
        order by probability_bin
        """,
        connector=DEMO,
    )
    lines = [
        "| probability | customers | lost | said | happened | 95 % |",
        "| --- | ---: | ---: | ---: | ---: | --- |",
        *(
            f"| {between} | {customers:,} | {lost:,} | {said:.1%} | {happened:.1%} "
            f"| {interval} |"
            for between, customers, lost, said, happened, interval in rows
        ),
    ]
    return "\n".join(lines)


def churn_bands() -> str:
    """Table of what became of the customers of each band, by connector."""
    lines = [
        "| company | band | customers | lost | share of the band | share of all lost |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    for company, connector in (("demo", DEMO), ("CDNOW", CDNOW)):
        rows = _rows(
            """
            select risk_band, sum(customers_count), sum(positives_count)
            from marts.churn_confusion_matrix
            where is_published and population = 'in_scope' and task = 'churn'
                and horizon_days in (90, 91)
            group by risk_band, band_place
            order by band_place
            """,
            connector=connector,
        )
        total = sum(lost for _, _, lost in rows)
        lines += [
            f"| {company} | {band} | {customers:,} | {lost:,} | {lost / customers:.1%} "
            f"| {lost / total:.1%} |"
            for band, customers, lost in rows
        ]
    return "\n".join(lines)


def churn_segments() -> str:
    """Tell in how many segments of the demo company what was said is beyond chance."""
    rows = _rows(
        """
        select segment_kind, segment, mean_probability, positive_rate,
            is_too_low or is_too_high, count(*) over ()
        from marts.churn_segment_stability
        where task = 'churn' and horizon_days = 90 and segment_kind <> 'all'
        order by segment_kind, segment
        """,
        connector=DEMO,
    )
    beyond = [
        f"{kind.replace('_', ' ')} `{segment}` ({said:.1%} was said, "
        f"{happened:.1%} were lost)"
        for kind, segment, said, happened, is_beyond, _ in rows
        if is_beyond
    ]
    named = f": {'; '.join(beyond)}" if beyond else ""
    return (
        f"On the demo company what was said lies beyond chance in {len(beyond)} of "
        f"{len(rows)} segments{named}."
    )


def churn_rows() -> str:
    """Tell how few there are to learn from in the demo company."""
    ((least, most),) = _rows(
        "select min(positives_count), max(positives_count) "
        "from marts.churn_backtest_fits where task = 'churn' and horizon_days = 90",
        connector=DEMO,
    )
    ((fewest, greatest, most_customers),) = _rows(
        "select min(n), max(n), max(customers) from (select count(*) as customers, "
        "count(*) filter (where is_expanded) as n from outcomes.outcome_expansion "
        "inner join (select distinct as_of_date from intermediate.model_splits "
        "where task = 'churn' and horizon_days = 90) using (as_of_date) "
        "where horizon_days = 90 and is_expanded is not null group by as_of_date)",
        connector=DEMO,
    )
    return (
        f"With {least} to {most} customers lost in the training rows, the gap is what "
        f"is not learned yet.\nOf `expansion`, which {fewest} to {greatest} of up to "
        f"{most_customers:,} customers of a date did, no candidate\nhad shown any "
        "skill by any of these origins: the base rate is published, with `no_skill`."
    )


def planted_causes() -> str:
    """Table of how often reasons name what made customers leave."""
    rows = named_causes(Project.find(DEMO)).set_index("cause")
    lines = [
        "| what ended it | churners | named | share | named for who stayed |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    seen = rows.loc[[name for name in TRACES if rows.loc[name, "churners_count"]]]
    for name, row in seen.iterrows():
        lines.append(
            f"| {name.replace('_', ' ')} | {row.churners_count} | {row.named_count} "
            f"| {row.named_count / row.churners_count:.0%} "
            f"| {row.named_stayers_count / row.stayers_count:.0%} |"
        )
    lost, named = seen["churners_count"].sum(), seen["named_count"].sum()
    lines.append(
        f"| **an observed cause** | {lost} | {named} | {named / lost:.0%} |  |"
    )
    unseen = {
        "payment_failed": "a payment failed within the window",
        "own_reasons": "reasons of their own: nothing but silence",
        "none": "left while engaged",
    }
    for name, text in unseen.items():
        lines.append(f"| {text} | {rows.loc[name, 'churners_count']} |  |  |  |")
    total = rows["churners_count"].sum()
    lines.append(f"| all | {total} |  |  |  |")
    return "\n".join(lines)


@cache
def _explained() -> explaining.Page:
    """Explain the customer of the demo company most likely to leave."""
    ((customer,),) = _rows(
        "select customer_id from marts.customer_360 where probability is not null "
        "order by probability desc, customer_id limit 1",
        connector=DEMO,
    )
    return explaining.explain_customer(Project.find(DEMO), customer)


def explain_command() -> str:
    """Name the command whose output follows."""
    return f"`perennial explain {_explained().customer_id}` prints"


def explained() -> str:
    """Print it, up to the first score."""
    lines = explaining.told(_explained())
    _, *others = [place for place, line in enumerate(lines) if not line]
    return "\n".join(["```", *lines[: others[0] if others else None], "```"])


def holdout() -> str:
    """Tell what really happened in the window of the tables."""
    ((customers, orders, amount, active),) = _rows(
        "select count(*), sum(future_order_days_count), sum(future_order_amount), "
        "count(*) filter (where is_active) from outcomes.outcome_value "
        "where as_of_date = ? and horizon_days = ?",
        ORIGIN,
        HORIZON,
    )
    return (
        f"What happened in those {HORIZON} days: {customers:,} customers made "
        f"{orders:,} order\ndays worth {amount:,.0f}, and {active / customers:.1%} "
        "of them ordered at all."
    )


def sizes() -> str:
    """Tell what was read, in a few sentences."""
    ((lines, again, orders, free, customers, days, refused),) = _rows(
        "with lines as (select source_text from staging.stg_cdnow__orders) "
        "select (select count(*) from lines), "
        "(select count(*) - count(distinct source_text) from lines), "
        "(select count(*) from marts.fct_orders), "
        "(select count(*) from marts.fct_orders where amount = 0), "
        "(select count(*) from marts.dim_customers), "
        "(select count(*) from intermediate.int_order_days), "
        "(select count(*) from input.quarantine)"
    )
    return (
        f"{lines:,} lines of the log are {orders:,} purchases of {customers:,} "
        f"customers on {days:,} customer-days;\n{refused} rows are in quarantine. "
        f"{again} lines repeat another one and {free} purchases were free: the log\n"
        "has no key, so each counts."
    )


def demo_sizes() -> str:
    """Tell what became of the demo company's lines, domain by domain."""
    told = _rows(
        "select entity, lines_count, accepted_lines_count, excluded_lines_count, "
        "refused_lines_count from input.input_coverage order by lines_count desc",
        connector=DEMO,
    )
    lines = [
        "| domain | lines | accepted | set aside | refused |",
        "| --- | ---: | ---: | ---: | ---: |",
        *(
            f"| {entity} | " + " | ".join(f"{count:,}" for count in counts) + " |"
            for entity, *counts in told
        ),
    ]
    return "\n".join(lines)


def settings() -> str:
    """Print the catalogue of settings as a table."""
    lines = [
        "| setting | type | unit | range | default | meaning |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, told in sorted(settings_catalogue(Project.find(CDNOW).root).items()):
        choices = " or ".join(f"`{choice}`" for choice in told.get("choices", []))
        limits = f"{told['least']} to {told['most']}" if "least" in told else choices
        default = json.dumps(told["default"])
        lines.append(
            f"| `{name}` | {told['type']} | {told.get('unit', '')} | {limits} "
            f"| `{default}` | {told['meaning']} |"
        )
    return "\n".join(lines)


@cache
def _path() -> list[tuple[str, str, str, str]]:
    return follow(Project.find(CDNOW), EXAMPLE_CUSTOMER)


def path(*steps: str, models: bool = True) -> str:
    """Print the rows of these steps as a table; all steps if none is named."""
    header = ("step", "model", "item", "value")
    rows = [row for row in _path() if not steps or row[0] in steps]
    columns = range(4) if models else (0, 2, 3)
    table = [[row[i] for i in columns] for row in [header, *rows]]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in table
    ]
    return "\n".join(["```", *(line.rstrip() for line in lines), "```"])


def value_by_hand() -> str:
    """Work out the value of the walk-through once more, from the rows above it."""
    customer = {row[2]: row[3] for row in _path()}
    orders = float(customer[f"expected_orders_count, {HORIZON} days"])
    amount = float(customer[f"expected_order_amount, {HORIZON} days"])
    said = customer[f"bg_nbd, {HORIZON} days"]
    expected = customer[f"expected_amount, {HORIZON} days"]
    value = customer[f"expected_value, {HORIZON} days"]
    halves = [
        [float(customer[f"{name}, {HORIZON} days"]) for name in names]
        for names in (("bg_nbd", "mbg_nbd", "all_orders"), ("tweedie", "two_stages"))
    ]
    bought, brought = (sum(half) / len(half) for half in halves)
    assert customer[f"model_name, {HORIZON} days"] == "blend"
    assert abs((bought + brought) / 2 - float(expected)) < 0.01
    p, q, gamma = (float(customer[f"gamma_gamma {k}"]) for k in ("p", "q", "gamma"))
    x = int(customer["repeat_order_days_count"])
    mean = float(customer["mean_repeat_order_day_amount"])
    population = p * gamma / (q - 1)
    weight = p * x / (p * x + q - 1)
    assert abs((1 - weight) * population + weight * mean - amount) < 0.01
    assert abs(orders * amount - float(said)) < 0.01
    return (
        f"Gamma-Gamma mixes the customer's own mean, {mean:.2f}, with the mean of all\n"
        f"customers, p gamma / (q - 1) = {population:.2f}. With {x} repeat order days "
        f"the own mean\nweighs p x / (p x + q - 1) = {weight:.3f}, so an order should "
        f"be worth {amount:.2f}. Times\n{orders:.4f} orders to expect in {HORIZON} "
        f"days, that is {said}: what BG/NBD says. The blend\nis half the mean of the "
        f"purchase models, {bought:.2f}, and half that of the trees, {brought:.2f}:\n"
        f"{expected}. Discounted week by week, {value} remain."
    )


if __name__ == "__main__":
    page = _explained()
    first = dataclasses.replace(page, scores=page.scores[:1])
    explaining.draw_waterfalls(first, Path(sys.argv[1]))
