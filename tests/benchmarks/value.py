"""Purchase models of half a million customers: fits, and values with their bounds.

Histories are drawn by the models' own assumptions, in whole days and cents. lifetimes
and pymc-marketing fit the same customers row by row; the parameters must be the same.
"""

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
from measuring import installed, last_line, measured, told, watched, write_part

from perennial import clv
from perennial.simulate import simulate_purchases, simulate_spend

CUSTOMERS, HORIZON = 500_000, 365
TRUTH = {"r": 0.4, "alpha": 60.0, "a": 0.8, "b": 3.0}
SPEND = {"p": 6.0, "q": 4.0, "gamma": 15.0}

#: Seconds that each may take.
MOST_SECONDS_TO_FIT, MOST_SECONDS_TO_VALUE = 6, 30

#: How far parameters of the two fits may lie apart, relative to them.
TOLERANCE = 1e-3

#: The same where priors have a say.
PRIORS_TOLERANCE = 2e-2
MOST_SECONDS_OF_PYMC = 600

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

#: MAP fits with the priors of the tool, which half a million customers outvote.
PYMC = """
import json, logging, sys, time, warnings
import numpy as np
import pandas as pd
warnings.simplefilter("ignore")
logging.disable(logging.WARNING)
from pymc_marketing.clv import BetaGeoModel, GammaGammaModel
held = np.load(sys.argv[1])
x, t_x, T, mean = (held[name] for name in ("x", "t_x", "T", "mean"))
who = np.arange(len(x))
rows = pd.DataFrame({"customer_id": who, "frequency": x, "recency": t_x, "T": T})
is_back = (x > 0) & (np.nan_to_num(mean) > 0)
spent = rows[is_back].assign(monetary_value=mean[is_back])
begun = time.perf_counter()
models = BetaGeoModel(data=rows), GammaGammaModel(data=spent)
for model in models:
    model.fit(method="map", progressbar=False)
seconds = time.perf_counter() - begun
names = (("r", "alpha", "a", "b"), ("p", "q", "v"))
found = [
    {name: float(np.ravel(model.fit_result[name])[0]) for name in each}
    for each, model in zip(names, models)
]
found[1]["gamma"] = found[1].pop("v")
print(json.dumps(found))
print(seconds)
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
    bayes = by_pymc(folder, file, ours)
    told("values with bounds")
    value = measured(f"{begin}{VALUE.format(days=HORIZON)}\nvalue()")
    write_part(
        "value",
        f"{CUSTOMERS:,} drawn customers, one thread",
        table_of_value(ours, theirs, bayes, value),
    )


def by_pymc(folder: Path, file: str, ours: dict) -> dict:
    """Fit by pymc-marketing in an environment of its own, or say why it does not."""
    environment = folder / "environment-pymc"
    if fault := installed(environment, "pymc-marketing"):
        return {"fault": f"not installed: {fault}"}
    told("fitting row by row, pymc-marketing")
    held = folder / "histories.npz"
    rows = pd.read_pickle(file)
    x, t_x, T = clv._papers_history(rows)
    mean = rows["mean_repeat_order_day_amount"].to_numpy(float)
    np.savez(held, x=x, t_x=t_x, T=T, mean=mean)
    ended = watched(
        [str(environment / "bin" / "python"), "-c", PYMC, str(held)],
        {name: text for name, text in os.environ.items() if name != "PYTHONPATH"},
        MOST_SECONDS_OF_PYMC,
    )
    if ended.stopped_for:
        return {**ended.figures, "fault": f"stopped: {ended.stopped_for}"}
    if ended.exit_code:
        return {"fault": last_line(ended.output)}
    *_, parameters, seconds = ended.output.splitlines()
    same_parameters(ours, {"output": parameters}, PRIORS_TOLERANCE)
    return {**ended.figures, "seconds": float(seconds)}


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


def same_parameters(ours: dict, theirs: dict, tolerance: float = TOLERANCE) -> None:
    """Stop where another way has led to other parameters."""
    told_of = [json.loads(one["output"].splitlines()[0]) for one in (ours, theirs)]
    for mine, other in zip(*told_of, strict=True):
        for name, number in mine.items():
            gap = abs(number - other[name]) / abs(number)
            assert gap < tolerance, f"{name}: {number} and {other[name]}"


def table_of_value(ours: dict, theirs: dict, bayes: dict, value: dict) -> list[str]:
    """Rows of the table."""
    ratio = theirs["seconds"] / ours["seconds"]
    told_of_pymc = bayes.get("fault") or (
        f"{bayes['seconds'] / ours['seconds']:.1f} x; equal parameters"
    )
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
        (f"the same by pymc-marketing, MAP ({told_of_pymc})", bayes, ""),
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
            f"| {name} | {figure(step, 'seconds', '.1f')} | {limit} "
            f"| {figure(step, 'cpu_seconds', '.1f')} "
            f"| {figure(step, 'memory_mb', ',.0f')} |"
            for name, step, limit in steps
        ),
    ]


def figure(step: dict, name: str, form: str) -> str:
    """A figure of a step, or nothing where it came to none."""
    return f"{step[name]:{form}}" if name in step else ""
