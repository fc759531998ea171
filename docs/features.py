"""The catalogue of features as a page, and as columns in the models' own descriptions.

What is said about a feature is said once, in seeds/features/feature_catalogue.csv.
"""

import csv
import textwrap
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

CATALOGUE = Path(__file__).parents[1] / "seeds" / "features" / "feature_catalogue.csv"

KEYS = ("customer_id", "as_of_date", "feature_set_version")


def catalogue() -> list[dict[str, str]]:
    """Every feature, in the order of its model."""
    with CATALOGUE.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def columns(*themes: str) -> str:
    """Columns of these themes, or of all, as YAML: the keys, then the features."""
    told = [(key, f"\"{{{{ doc('{key}') }}}}\"") for key in KEYS]
    told += [
        (feature["feature_name"], _folded(_told(feature)))
        for feature in catalogue()
        if not themes or feature["theme"] in themes
    ]
    return "\n".join(f"- name: {name}\n  description: {text}" for name, text in told)


def _told(feature: dict[str, str]) -> str:
    """Tell what a feature is, and what it means that there is none."""
    null_means = feature["null_means"]
    return feature["description"] + (f" NULL: {null_means}" if null_means else "")


def _folded(text: str) -> str:
    lines = textwrap.wrap(text, 80, break_long_words=False, break_on_hyphens=False)
    return "\n".join([">", *(f"    {line}" for line in lines)])


def tables() -> str:
    """Every feature, a table for each theme."""
    return "\n".join(_tables()).rstrip()


def _tables() -> Iterator[str]:
    for theme, features in groupby(catalogue(), key=lambda feature: feature["theme"]):
        yield f"## {theme.replace('_', ' ').capitalize()}\n"
        yield "| feature | needs | kind | unit | used | what it says | NULL where |"
        yield "| --- | --- | --- | --- | --- | --- | --- |"
        for feature in features:
            told = [
                f"`{feature['feature_name']}`",
                feature["entity"],
                feature["kind"],
                feature["unit"],
                _use(feature),
                feature["description"],
                feature["null_means"],
            ]
            yield f"| {' | '.join(told)} |"
        yield ""


def _use(feature: dict[str, str]) -> str:
    if feature["is_model_input"] != "true":
        return "describes"
    return "clock" if feature["is_clock_feature"] == "true" else "model"


def counts() -> str:
    """Tell how many there are."""
    features = catalogue()
    themes = {feature["theme"] for feature in features}
    inputs = sum(feature["is_model_input"] == "true" for feature in features)
    return f"{len(features)} features in {len(themes)} themes; models read {inputs}."
