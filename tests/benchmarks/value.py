"""Purchase models of half a million customers: fits, and values with their bounds.

Histories are drawn by the models' own assumptions, in whole days and cents. lifetimes
fits the same customers row by row; the parameters must be the same.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from measuring import measured, told, write_part

from perennial.simulate import simulate_purchases, simulate_spend

CUSTOMERS, HORIZON = 500_000, 365
TRUTH = {"r": 0.4, "alpha": 60.0, "a": 0.8, "b": 3.0}
SPEND = {"p": 6.0, "q": 4.0, "gamma": 15.0}

#: Seconds that each may take.
MOST_SECONDS_TO_FIT, MOST_SECONDS_TO_VALUE = 6, 30

#: How far parameters of the two fits may lie apart, relative to them.
TOLERANCE = 1e-3

BEGIN = """
import json, sys
import numpy as np
import pandas as pd
from perennial import btyd, clv
rows = pd.read_pickle({file!r})
x, t_x, T = clv._papers_history(rows)
mean = rows["mean_repeat_order_day_amount"].to_numpy(float)
"""

FIT = """
def fit():
    fits = btyd.fit_purchases("bg_nbd", x, t_x, T), btyd.fit_spend(x, mean)
    print(json.dumps([fit.parameters for fit in fits]))
"""

RAW = """
import warnings
warnings.simplefilter("ignore")
from lifetimes import BetaGeoFitter, GammaGammaFitter
is_back = (x > 0) & (np.nan_to_num(mean) > 0)
def fit():
    bought, spent = BetaGeoFitter(), GammaGammaFitter()
    bought.fit(x, t_x, T)
    spent.fit(x[is_back], mean[is_back])
    print(json.dumps([
        dict(zip(("r", "alpha", "a", "b"), map(float, bought.params_))),
        dict(zip(("p", "q", "gamma"), map(float, spent.params_))),
    ]))
"""

VALUE = """
fits = clv.fit_models(rows)
dates = pd.DataFrame({{"as_of_date": rows["as_of_date"][:1], "horizon_days": {days}}})
def value():
    scores = clv.score_customers(rows, fits, dates, 0.1, 1.0)
    told = scores[scores["model_name"] == "bg_nbd"]
    assert told["amount_high_90"].notna().all()
"""


def measure_value(folder: Path) -> None:
    """Draw customers, fit and value them, and write the table."""
    folder = folder / "value"
    folder.mkdir(parents=True, exist_ok=True)
    file = str(folder / "histories.pickle")
    told("drawing histories")
    draw().to_pickle(file)
    begin = BEGIN.format(file=file)
    told("fitting, grouped by history")
    ours = measured(f"{begin}{FIT}\nfit()")
    told("fitting row by row, lifetimes")
    theirs = measured(f"{begin}{RAW}\nfit()")
    same_parameters(ours, theirs)
    told("values with bounds")
    value = measured(f"{begin}{VALUE.format(days=HORIZON)}\nvalue()")
    write_part(
        "value",
        f"{CUSTOMERS:,} drawn customers, one thread",
        table_of_value(ours, theirs, value),
    )


def draw() -> pd.DataFrame:
    """Histories in the columns of feat_purchases."""
    random = np.random.default_rng(7)
    age = random.integers(30, 1000, CUSTOMERS)
    made = simulate_purchases("bg_nbd", TRUTH, age, seed=8)
    x = made["x"].to_numpy()
    mean = simulate_spend(SPEND, np.maximum(x + 1, 1), seed=9).round(2)
    return pd.DataFrame(
        {
            "customer_id": [f"C{i:07d}" for i in range(CUSTOMERS)],
            "as_of_date": pd.Timestamp("2025-12-31"),
            "order_days_count": x + 1,
            "repeat_order_days_count": x,
            "days_first_to_last_order": np.ceil(made["t_x"]).astype(int),
            "days_since_first_order": age,
            "mean_repeat_order_day_amount": np.where(x > 0, mean, np.nan),
            "mean_order_day_amount": mean,
            "total_order_amount": mean * (x + 1),
        }
    )


def same_parameters(ours: dict, theirs: dict) -> None:
    """Stop where grouping rows has changed what was learned."""
    told_of = [json.loads(one["output"].splitlines()[0]) for one in (ours, theirs)]
    for mine, other in zip(*told_of, strict=True):
        for name, number in mine.items():
            gap = abs(number - other[name]) / abs(number)
            assert gap < TOLERANCE, f"{name}: {number} and {other[name]}"


def table_of_value(ours: dict, theirs: dict, value: dict) -> list[str]:
    """Rows of the table."""
    ratio = theirs["seconds"] / ours["seconds"]
    steps = [
        (
            "BG/NBD and Gamma-Gamma fitted, grouping and own search included",
            ours,
            f"{MOST_SECONDS_TO_FIT} s",
        ),
        (
            f"the same by lifetimes, row by row ({ratio:.1f} x); equal parameters",
            theirs,
            "",
        ),
        (
            f"{HORIZON}-day values by three models, with bounds of one",
            value,
            f"{MOST_SECONDS_TO_VALUE} s",
        ),
    ]
    return [
        "| step | seconds | limit | processor seconds | peak memory, MB |",
        "| --- | ---: | ---: | ---: | ---: |",
        *(
            f"| {name} | {step['seconds']:.1f} | {limit} | {step['cpu_seconds']:.1f} "
            f"| {step['memory_mb']:,.0f} |"
            for name, step, limit in steps
        ),
    ]
