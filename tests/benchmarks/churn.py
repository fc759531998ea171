"""Fitting the candidates for churn at one origin, scoring and explaining customers.

Features are drawn, not built: as many, of the same kinds, as models see in the demo
company. What happens depends on a few of them.
"""

import csv
import pickle
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from measuring import ROOT, measured, told, write_part

#: Customers that are scored; and learned from, on each of six training dates.
SCORED, LEARNED, DATES = 500_000, 25_000, 6

#: Seconds, and MB, that each may take.
MOST_SECONDS_TO_SCORE, MOST_SECONDS_TO_FIT, MOST_MEMORY = 10, 1200, 8000

#: Customers that are explained, a tenth of those scored; and seconds that it may take.
EXPLAINED, MOST_SECONDS_TO_EXPLAIN = 50_000, 60

#: Customers of a training date that a sample of LEARNED is compared with.
MANY = 100_000

TRIALS = 20


def features() -> tuple[list[str], list[str]]:
    """Names of the features that models see: numbers, and categories."""
    with (ROOT / "seeds" / "features" / "feature_catalogue.csv").open() as file:
        listed = [
            row for row in csv.DictReader(file) if row["is_model_input"] == "true"
        ]
    categories = [row["feature_name"] for row in listed if row["kind"] == "category"]
    numeric = [row["feature_name"] for row in listed if row["kind"] != "category"]
    return sorted(numeric), sorted(categories)


def draw(customers: int, seed: int, dates: int = 1) -> pd.DataFrame:
    """Rows of drawn customers, the same ones on each date."""
    random = np.random.default_rng(seed)
    numeric, categories = features()
    habits = random.normal(size=(customers, 12))
    pieces = []
    for date in range(dates):
        columns = {}
        odds = np.full(customers, -2.6)
        for place, name in enumerate(numeric):
            habit = habits[:, place % 12] + random.normal(size=customers)
            values = np.round(np.exp(habit + 1), 2)
            values[random.random(customers) < 0.1] = np.nan
            if place % 8 == 0:
                odds += 0.35 * np.where(np.isnan(values), 0.5, np.tanh(habit))
            columns[name] = values
        for place, name in enumerate(categories):
            level = random.integers(0, 6, customers)
            odds += 0.1 * (level == place % 6)
            columns[name] = np.array([f"level {i}" for i in range(6)])[level]
        pieces.append(
            pd.DataFrame(
                {
                    "customer_id": [f"C{i:07d}" for i in range(customers)],
                    "as_of_date": pd.Timestamp("2025-01-31")
                    + pd.DateOffset(months=date),
                    "fold": np.arange(customers) % 5 + 1,
                    "label": random.random(customers) < 1 / (1 + np.exp(-odds)),
                    **columns,
                }
            )
        )
    return pd.concat(pieces, ignore_index=True)


class ChurnBench:
    """Drawn rows in a folder, and what is measured with them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "churn"
        self.folder.mkdir(parents=True, exist_ok=True)

    def measure(self, with_sample: bool = True) -> list[dict]:
        """Fit once, and score with each model that is dear to score with."""
        self.write("learned", LEARNED, 1, DATES)
        self.write("scored", SCORED, 2)
        rows = [self.fit()]
        rows += [self.score(name) for name in ("logistic", "lightgbm", "mean_of_two")]
        rows += [self.explain(name) for name in ("logistic", "lightgbm", "mean_of_two")]
        if with_sample:
            self.write("many", MANY, 1, DATES)
            rows += [self.sample(name) for name in ("learned", "many")]
        return rows

    def write(self, name: str, *drawn: int) -> None:
        told(f"drawing {name}")
        draw(*drawn).to_pickle(self.folder / f"{name}.pickle")

    def begin(self, name: str) -> str:
        """Code that reads drawn rows and makes settings."""
        numeric, categories = features()
        return (
            "import pickle, pandas\n"
            "from perennial import churn\n"
            f"folder = {str(self.folder)!r}\n"
            f"rows = pandas.read_pickle(folder + '/{name}.pickle')\n"
            f"settings = churn.Settings({tuple(numeric)!r}, {tuple(categories)!r}, "
            f"trials={TRIALS})\n"
        )

    def fit(self) -> dict:
        """Measure a fit of all candidates, with a search for each family."""
        told(f"fitting all candidates with {TRIALS} trials")
        keep = "pickle.dump(churn.fit_all(rows, settings, tell=tell), file)"
        figures = measured(
            self.begin("learned")
            + "def tell(line): print(line, flush=True)\n"
            + "file = open(folder + '/fitted.pickle', 'wb')\n"
            + keep
        )
        return {
            "step": f"all candidates at one origin, {TRIALS} trials for each of four "
            f"families; {DATES} dates of {LEARNED:,} customers",
            **figures,
            "limit": MOST_SECONDS_TO_FIT,
        }

    def score(self, name: str) -> dict:
        """Measure scores of one model, from its document as text to probabilities."""
        told(f"scoring {SCORED:,} customers with {name}")
        with (self.folder / "fitted.pickle").open("rb") as file:
            (fitted,) = [one for one in pickle.load(file) if one.model_name == name]
        if fitted.status != "ok":
            sys.exit(f"{name} was not fitted: {fitted.note}")
        of = f" of {fitted.note}" if name == "mean_of_two" else ""
        figures = measured(
            self.begin("scored")
            + "from perennial.churn import _fit_row\n"
            + "with open(folder + '/fitted.pickle', 'rb') as file:\n"
            + "    fitted = {one.model_name: one for one in pickle.load(file)}\n"
            + "date = rows['as_of_date'].iloc[0]\n"
            + f"fit = _fit_row(fitted[{name!r}], rows[:1])\n"
            + "row = ('churn', 90, date, *fit)\n"
            + "fits = pandas.DataFrame([row], columns=list(churn._FIT_COLUMNS))\n"
            + "asked = rows[['customer_id', 'as_of_date']].assign("
            + "task='churn', horizon_days=90)\n"
            + "features = rows.drop(columns=['fold', 'label'])\n"
            + "churn.score_customers(asked, features, fits)"
        )
        return {
            "step": f"{SCORED:,} customers scored by `{name}`{of}",
            **figures,
            "limit": MOST_SECONDS_TO_SCORE,
        }

    def explain(self, name: str) -> dict:
        """Measure reasons of one model, from its document as text to words."""
        told(f"explaining {EXPLAINED:,} customers with {name}")
        figures = measured(
            self.begin("scored")
            + "from perennial import reasons, registry\n"
            + f"rows = rows[:{EXPLAINED}].assign(features_sha256='seen')\n"
            + "with open(folder + '/fitted.pickle', 'rb') as file:\n"
            + "    fitted = {one.model_name: one for one in pickle.load(file)}\n"
            + f"fit = churn._fit_row(fitted[{name!r}], rows[:1])\n"
            + "text = dict(zip(list(churn._FIT_COLUMNS)[3:], fit))['model_document']\n"
            + "models = pandas.DataFrame([{'model_id': 'm', 'model_document': text, "
            + "'document_sha256': registry.document_hash(text)}])\n"
            + f"file = {str(ROOT / 'seeds' / 'features' / 'feature_catalogue.csv')!r}\n"
            + "catalogue = pandas.read_csv(file)\n"
            + "asked = rows[['customer_id', 'as_of_date', 'features_sha256']].assign("
            + "task='churn', horizon_days=90, model_id='m')\n"
            + "def explain():\n"
            + "    usual = reasons.importance(asked[:1000], rows, models)\n"
            + "    told = reasons.explain(asked, rows, models, catalogue, usual)\n"
            + "    assert told['customer_id'].nunique() == len(rows)\n"
            + "explain()"
        )
        return {
            "step": f"{EXPLAINED:,} customers explained by `{name}`",
            **figures,
            "limit": MOST_SECONDS_TO_EXPLAIN,
        }

    def sample(self, name: str) -> dict:
        """Measure what more rows than the sample would give."""
        told(f"learning from {name}")
        figures = measured(
            self.begin(name)
            + "from sklearn.metrics import roc_auc_score\n"
            + "asked = pandas.read_pickle(folder + '/scored.pickle')[-100_000:]\n"
            + "model = churn.CANDIDATES['lightgbm']\n"
            + "def learn():\n"
            + "    document = model.fit(rows, settings)\n"
            + "    said = churn.margins(document, asked)\n"
            + "    print('AUC', roc_auc_score(asked['label'], said))\n"
            + "learn()"
        )
        customers = LEARNED if name == "learned" else MANY
        return {
            "step": f"`lightgbm` alone, fixed parameters, once, from {DATES} dates of "
            f"{customers:,} customers",
            **figures,
            "auc": float(figures["output"].split("AUC")[1].split()[0]),
        }


def table_of_churn(rows: list[dict]) -> list[str]:
    """Render what was measured of the models of churn."""
    lines = [
        "| step | seconds | limit | processor seconds | peak memory, MB "
        "| AUC of others |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in rows:
        limit = f"{row['limit']:,} s" if "limit" in row else ""
        auc = f"{row['auc']:.4f}" if "auc" in row else ""
        lines.append(
            f"| {row['step']} | {row['seconds']:.1f} | {limit} "
            f"| {row['cpu_seconds']:.1f} | {row['memory_mb']:,.0f} | {auc} |"
        )
    return lines


def measure_churn(folder: Path) -> None:
    """Measure, and write the part of the page."""
    numeric, categories = features()
    rows = ChurnBench(folder).measure()
    told_of = f"{len(numeric)} numbers and {len(categories)} categories, one thread"
    write_part("churn", told_of, table_of_churn(rows))
