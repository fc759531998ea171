"""What a build made, in a few lines: sizes, headline figures, and where to go next."""

from perennial.project import DEFAULT_CONNECTOR, Project, example_customer

_MARTS = """
select table_name
from duckdb_tables()
where schema_name = 'marts'
order by table_name
"""

_VALUES = """
select
    horizon_days,
    as_of_date,
    sum(expected_orders_count),
    sum(expected_amount),
    count(*) filter (where model_source = 'none')
from marts.clv_scores
group by horizon_days, as_of_date
order by horizon_days
"""

_BACKTEST = """
select horizon_days, as_of_date, metric_value
from marts.clv_backtest_metrics
where population = 'all' and target = 'value' and metric = 'total_error'
    and metric_value is not null and model_name = 'published'
order by horizon_days, as_of_date
"""

# of the newest origin the candidate that is published for it, chosen without it
_CHURN = """
with wide as (
    select task, as_of_date, horizon_days, model_name,
        any_value(metric_value) filter (where metric = 'roc_auc') as auc,
        any_value(metric_value) filter (where metric = 'brier_skill') as skill
    from marts.churn_backtest_metrics
    where population = (select min(population) from marts.churn_backtest_metrics)
        and segment_kind = 'all'
    group by all
)
select wide.task, as_of_date, wide.horizon_days, wide.model_name, auc, skill
from wide
inner join marts.churn_backtest_choices as choices
    on wide.task = choices.task
    and wide.horizon_days = choices.horizon_days
    and wide.as_of_date = choices.origin_date
    and wide.model_name = choices.model_name
where auc is not null and is_published
qualify row_number() over (
    partition by wide.task order by as_of_date desc, wide.horizon_days
) = 1
order by wide.task
"""

_COUNTS = """
with paid as (
    select amount from marts.fct_orders
    where kind = 'purchase' and status is distinct from 'failed'
)
select
    (select count(*) from marts.dim_customers),
    (select count(*) from paid),
    (select coalesce(sum(amount), 0) from paid),
    (select count(*) from input.quarantine),
    (select min(customer_id) from input.input_customers)
"""

_TODAY = """
select
    scores.task,
    scores.as_of_date,
    scores.horizon_days,
    mode(scores.model_id order by scores.model_id),
    mode(scores.model_name order by scores.model_name),
    count(*),
    count(*) filter (where scores.risk_band = bands.first_band),
    any_value(bands.first_band),
    bool_or(scores.score_status = 'no_skill')
from marts.churn_scores_daily as scores
left join (
    select task, max_by(risk_band, least_probability) as first_band
    from seeds.risk_bands
    group by task
) as bands
    on scores.task = bands.task
where scores.as_of_date = (select score_date from intermediate.int_score_date)
group by all
order by scores.task, scores.horizon_days
"""


def summary(project: Project) -> str:
    """Headline figures of the working file, and what to do next.

    Parameters
    ----------
    project : Project
        One that was built.

    Returns
    -------
    str
        Lines for a terminal.
    """
    with project.reading() as connection:
        marts = [name for (name,) in connection.execute(_MARTS).fetchall()]
        sizes = [(name, len(connection.table(f'marts."{name}"'))) for name in marts]
        values = connection.execute(_VALUES).fetchall()
        backtest = connection.execute(_BACKTEST).fetchall()
        # a build can leave the models out
        has_models = "churn_backtest_choices" in marts
        churn = connection.execute(_CHURN).fetchall() if has_models else []
        is_scoring = "churn_scores_daily" in marts
        today = connection.execute(_TODAY).fetchall() if is_scoring else []
        counts = connection.execute(_COUNTS).fetchone()
        example = example_customer(connection)
    customers, orders, amount, refused, any_customer = counts
    a_customer = example or any_customer
    lines = [
        "",
        f"{customers:,} customers, {orders:,} orders worth {amount:,.2f}; "
        f"{refused:,} rows in quarantine",
        "",
    ]
    lines += [
        f"In the {days} days after {date}, expect customers to bring {worth:,.0f}"
        + (f", with {expected:,.0f} order days" * (expected is not None))
        + (f" ({without:,} customers without a value)" * bool(without))
        for days, date, expected, worth, without in values
        if worth is not None
    ]
    lines += [
        f"Backtest of {date}, {days} days: {abs(error):.1%} "
        f"{'less' if error < 0 else 'more'} was expected than customers then brought"
        for days, date, error in backtest
    ]
    lines += [
        f"Backtest of {task} of {date}, {days} days: {model} ranks with an AUC of "
        f"{auc:.2f}, Brier skill {skill:.1%}"
        + " (no skill: the base rate says as much)"
        * (skill <= 0)
        for task, date, days, model, auc, skill in churn
    ]
    lines += [
        f"Scores of {task} of {date}, {days} days: "
        + (f"{model_id} ({name}), " if model_id else "no model, ")
        + f"{high:,} of {customers:,} customers {band}"
        + " (no skill: the base rate for everybody)" * no_skill
        for task, date, days, model_id, name, customers, high, band, no_skill in today
    ]
    lines += ["", f"Marts in {project.working_file}:"]
    lines += [f"  marts.{name:<26} {rows:>9,} rows" for name, rows in sizes]
    is_default = project.connector == DEFAULT_CONNECTOR
    other = "" if is_default else f" CONNECTOR={project.connector}"
    steps = [
        (f"make docs{other}", "the lineage site, every column described"),
        (f"make charts{other}", "the backtest, drawn"),
    ]
    if a_customer is not None:
        follow = f"make follow CUSTOMER={a_customer}{other}"
        steps.insert(0, (follow, "one customer, from raw line to value"))
    width = max(len(step) for step, _ in steps)
    lines += ["", "Next:", *(f"  {step:<{width}}  {what}" for step, what in steps)]
    return "\n".join(lines)
