"""What the parsed project says of time, before any row is looked at."""

import re
from collections.abc import Iterable
from typing import Any

#: An equality joins two rows of one date; an inequality draws the line of time.
_COMPARISON = re.compile(r"as_of_date\s*(<|>)|(<|>)=?\s*\w*\.?as_of_date")

_WALL_CLOCK = re.compile(
    r"current_date|current_time|\bnow\(|today\(|getdate|datetime\.now|"
    r"run_started_at|time\.time",
    re.IGNORECASE,
)

_BACK_EDGE = re.compile(r"\bprevious\(")

#: Models that may read what the last run left, each with the reason.
BACK_EDGES = {
    "files_read": "the ledger of files, and what had been scored when one was read",
    "int_known_files": "files that are not read again",
    "int_careful_files": "files that are not cut again",
    "retrain_decision": "when a model was last fitted, and which one scores",
    "train_due_splits": "what was fitted, and stays",
    "train_value_splits": "what was learned of amounts, and stays",
    "fit_value_models": "versions that there are, and fits that are known",
    "fit_value_rivals": "models that were judged, and those that score",
    "fit_value_promotions": "how far the events are counted",
    "model_registry": "versions that there are, and fits that are known",
    "models_to_judge": "models that were judged",
    "promotion_log": "how far the events are counted",
    "predictions_log": "who was scored by the same model",
    "prediction_features": "customers and dates that are kept",
}

#: Layers that tell of the future of an as_of_date, or of what was made of it.
_AFTER_FEATURES = {
    *("outcomes", "training", "fits", "scores", "evaluations", "registry", "reasons"),
    "marts",
}

Node = dict[str, Any]


def models_of(manifest: dict[str, Any]) -> dict[str, Node]:
    """Models of a project that dbt has read, by their ids."""
    return {
        key: node
        for key, node in manifest["nodes"].items()
        if node["resource_type"] == "model"
    }


def code_of(node: Node) -> str:
    """Code of a model without comments, which may speak of anything."""
    return re.sub(r"(?s)--[^\n]*|\{#.*?#\}", "", node["raw_code"])


def wall_clocks(models: dict[str, Node]) -> list[str]:
    """Name models that ask what time it is."""
    return [
        f"{node['name']} reads the wall clock"
        for node in models.values()
        if _WALL_CLOCK.search(code_of(node))
    ]


def comparisons(models: dict[str, Node]) -> list[str]:
    """Name models that compare with an as_of_date without the macros of the clock."""
    return [
        f"{node['name']} compares with an as_of_date outside macros/clock.sql"
        for node in models.values()
        if _COMPARISON.search(code_of(node))
    ]


def back_edges(models: dict[str, Node]) -> list[str]:
    """Name models that read what the last run left, and have no reason to."""
    return [
        f"{node['name']} reads what the last run left"
        for node in models.values()
        if _BACK_EDGE.search(code_of(node)) and node["name"] not in BACK_EDGES
    ]


def mutable_columns(models: dict[str, Node]) -> list[str]:
    """Name features that read a column that is overwritten once it is known.

    Such a column carries ``meta: {mutable: true}`` in the input contract; features
    read the dates that the layer between made of it.
    """
    mutable = {
        name
        for node in models.values()
        for name, column in node["columns"].items()
        if _meta(column).get("mutable")
    }
    if not mutable:
        return ["no column is marked as mutable"]
    names = re.compile(rf"\b({'|'.join(sorted(mutable))})\b")
    return [
        f"{node['name']} reads {found[0]}, which is filled in later"
        for node in _features(models)
        if (found := names.search(code_of(node)))
    ]


def looks_ahead(models: dict[str, Node]) -> list[str]:
    """Name features that rest on a model that knows what came after a date."""
    found = []
    for node in _features(models):
        for key in _ancestors(models, node):
            above = models[key]
            is_ahead = above["config"]["schema"] in _AFTER_FEATURES or _meta(above).get(
                "looks_ahead"
            )
            if is_ahead:
                found.append(
                    f"{node['name']} rests on {above['name']}, which looks ahead"
                )
    return found


#: Every rule with what it is called.
RULES = {
    "wall clock": wall_clocks,
    "comparison with as_of_date": comparisons,
    "back edge": back_edges,
    "mutable column": mutable_columns,
    "looking ahead": looks_ahead,
}


def findings(manifest: dict[str, Any]) -> list[str]:
    """Apply all rules to a project that dbt has read."""
    models = models_of(manifest)
    return [found for rule in RULES.values() for found in rule(models)]


def _features(models: dict[str, Node]) -> Iterable[Node]:
    return [n for n in models.values() if n["config"]["schema"] == "features"]


def _ancestors(models: dict[str, Node], node: Node) -> set[str]:
    found: set[str] = set()
    waiting = list(node["depends_on"]["nodes"])
    while waiting:
        key = waiting.pop()
        if key in models and key not in found:
            found.add(key)
            waiting += models[key]["depends_on"]["nodes"]
    return found


def _meta(described: dict[str, Any]) -> dict[str, Any]:
    return {
        **(described.get("meta") or {}),
        **((described.get("config") or {}).get("meta") or {}),
    }
