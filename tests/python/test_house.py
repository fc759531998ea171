"""The house: arrows between layers, names, descriptions, and where the clock stands."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

from perennial.btyd import FIT_STATUSES
from perennial.project import DEFAULT_CONNECTOR
from perennial.proofs import static
from perennial.proofs.static import code_of

#: For each layer, its prefix and the layers it may read.
LAYERS = {
    "reading": ("", {"source", "reading"}),
    "staging": ("stg_", {"source", "reading", "staging"}),
    "input": ("input_", {"intermediate", "input"}),
    "intermediate": (
        "int_",
        {"seeds", "reading", "staging", "input", "intermediate"},
    ),
    "features": ("feat_", {"seeds", "input", "intermediate", "features"}),
    "outcomes": ("outcome_", {"intermediate", "features"}),
    "training": (
        "train_",
        {"seeds", "intermediate", "features", "outcomes", "training"},
    ),
    "fits": ("fit_", {"intermediate", "features", "training", "fits"}),
    "scores": ("score_", {"intermediate", "features", "training", "fits", "scores"}),
    "evaluations": (
        "eval_",
        {
            *("seeds", "intermediate", "features", "outcomes", "training", "scores"),
            "evaluations",
        },
    ),
    "registry": (
        "",
        {
            *("intermediate", "features", "outcomes", "training", "evaluations"),
            "registry",
        },
    ),
    "reasons": (
        "reason_",
        {"seeds", "intermediate", "registry", "reasons"},
    ),
    "marts": (
        "",
        {
            *("seeds", "input", "intermediate", "features", "outcomes"),
            *("fits", "scores", "evaluations", "registry", "reasons", "marts"),
        },
    ),
}

#: Nouns that need no prefix, each with the reason.
PLAIN_NOUNS = {
    "quarantine": "what people look for when a row is missing",
    "excluded_rows": "the other half of what people look for then",
    "model_splits": "the dates of every model, which the docs call by this name",
    "feature_store": "the features of all themes, under the name that the field has",
    "retrain_decision": "what people look for when they ask why a model was fitted",
    "feature_statistics": "what the features were like, which no row of one is about",
}


@pytest.fixture(scope="module", params=["master", "demo"])
def built(request):
    """Of each connector: its staging models are in no other manifest."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def nodes(built):
    return {
        key: node
        for key, node in built.manifest["nodes"].items()
        if node["resource_type"] == "model"
    }


def layer(node) -> str:
    if node["resource_type"] == "source":
        return "source"
    return node["config"]["schema"]


def test_arrows_run_down_the_layers(built, nodes):
    everything = {**built.manifest["nodes"], **built.manifest["sources"]}
    wrong = [
        (node["name"], everything[parent]["name"])
        for node in nodes.values()
        for parent in node["depends_on"]["nodes"]
        if layer(everything[parent]) not in LAYERS[layer(node)][1]
    ]
    assert wrong == []
    assert len(nodes) > 25


def test_names_tell_the_layer(nodes):
    wrong = [
        node["name"]
        for node in nodes.values()
        if not node["name"].startswith(LAYERS[layer(node)][0])
        and node["name"] not in PLAIN_NOUNS
    ]
    assert wrong == []


def test_every_model_stands_beside_its_own_yaml(nodes):
    for node in nodes.values():
        file = ROOT / node["original_file_path"]
        assert file.with_suffix(".yml").exists(), file
        assert node["patch_path"].endswith(f"{node['name']}.yml")


def test_every_model_and_every_column_is_described(built, nodes):
    for node in nodes.values():
        assert node["description"].strip(), node["name"]
        described = {name: col["description"] for name, col in node["columns"].items()}
        actual = {
            column
            for (column,) in built.rows(
                "select column_name from information_schema.columns "
                "where table_schema = ? and table_name = ?",
                layer(node),
                node["name"],
            )
        }
        assert set(described) == actual, node["name"]
        assert all(text.strip() for text in described.values()), node["name"]
    for source in built.manifest["sources"].values():
        assert source["description"]
        assert all(col["description"] for col in source["columns"].values())


def test_every_macro_of_ours_is_described(master):
    ours = [
        macro
        for macro in master.manifest["macros"].values()
        if macro["package_name"] == "perennial"
        and not macro["name"].startswith("test_")
    ]
    assert len(ours) > 10
    assert [macro["name"] for macro in ours if not macro["description"].strip()] == []


#: Models whose grain a cheaper law holds, for there can be many events: no group over
#: all of them, but counts that have to agree.
HELD_BY_A_LAW = {
    "int_delivered_events": "assert_every_line_of_a_file_is_delivered",
    "int_checked_events": "assert_every_line_of_a_file_is_delivered",
    "input_events": "assert_every_accepted_event_is_seen",
    "stg_demo__events": "assert_every_line_of_a_file_is_delivered",
}

#: One row, by their shape.
SINGLE_ROWS = {"int_settings"}


def test_every_model_has_its_grain_tested_and_told(built, nodes):
    laws = {node["name"] for node in built.manifest["nodes"].values()}
    assert set(HELD_BY_A_LAW.values()) <= laws
    tested = {
        parent
        for test in built.manifest["nodes"].values()
        if test["resource_type"] == "test"
        and (test.get("test_metadata") or {}).get("name") == "one_row_per"
        for parent in test["depends_on"]["nodes"]
    }
    for key, node in nodes.items():
        if node["name"] not in SINGLE_ROWS | set(HELD_BY_A_LAW):
            assert key in tested, node["name"]
        if node["language"] == "sql":
            assert node["raw_code"].startswith("-- Grain: "), node["name"]
        else:
            assert "Grain: " in node["raw_code"].split("\n")[0], node["name"]


def test_marts_have_contracts_and_input_too(nodes):
    for node in nodes.values():
        if layer(node) in ("marts", "input"):
            assert node["contract"]["enforced"], node["name"]


def test_python_models_are_doorways(nodes):
    python = [node for node in nodes.values() if node["language"] == "python"]
    assert {"files_found", "fit_clv", "score_clv"} <= {node["name"] for node in python}
    for node in python:
        assert len(node["raw_code"].splitlines()) <= 30, node["name"]


def test_no_model_sees_the_future_by_what_is_written_in_it(nodes):
    """Wall clock, comparisons with as_of_date, what is overwritten, the last run."""
    for rule in static.RULES.values():
        assert rule(nodes) == []


def test_p_alive_is_published_nowhere(nodes):
    for node in nodes.values():
        if layer(node) == "marts":
            assert not [name for name in node["columns"] if "alive" in name]


def test_sums_are_exact(nodes):
    """avg() of doubles changes its last bits with the order of rows."""
    inexact = re.compile(r"\b(avg|stddev|var_pop|var_samp|fsum)\(", re.IGNORECASE)
    assert [n["name"] for n in nodes.values() if inexact.search(code_of(n))] == []


def test_no_setting_is_pasted_as_text(nodes):
    """Settings come through the macro that checks them; the connector names a ref."""
    pasted = re.compile(r"(?<!env_)var\(")
    for node in nodes.values():
        for line in code_of(node).splitlines():
            if pasted.search(line):
                assert "var('connector')" in line, (node["name"], line)


def test_the_default_connector_is_the_same_everywhere():
    named = [
        name
        for file in (
            "dbt_project.yml",
            "profiles.yml",
            "python_models/reading/demo_files.yml",
        )
        for name in re.findall(
            r"env_var\('PERENNIAL_CONNECTOR', '(\w+)'\)", (ROOT / file).read_text()
        )
    ]
    assert len(named) == 5
    assert set(named) == {DEFAULT_CONNECTOR}
    make = (ROOT / "Makefile").read_text()
    assert f"CONNECTOR ?= $(or $(PERENNIAL_CONNECTOR),{DEFAULT_CONNECTOR})" in make


def tracked_text() -> list[tuple[Path, str]]:
    skip = {
        ".git",
        ".hypothesis",
        "target",
        "logs",
        "build",
        "warehouse",
        "published",
        "history",
        "dbt_packages",
    }
    # connectors that a person wrote with `perennial init` are theirs
    theirs = [
        path
        for path in (ROOT / "models" / "staging").iterdir()
        if path.name not in ("cdnow", "demo")
    ] + [ROOT / "macros" / "connectors"]
    files = [
        path
        for path in ROOT.rglob("*")
        if path.is_file()
        and path.relative_to(ROOT).parts[0] not in ("demo", "demo.making")
        and not any(path.is_relative_to(folder) for folder in theirs)
        and not any(
            part in skip or part.startswith(".venv") or part.endswith("cache__")
            for part in path.relative_to(ROOT).parts
        )
    ]
    texts = []
    for path in files:
        try:
            texts.append((path, path.read_text()))
        except UnicodeDecodeError:
            continue
    return texts


def test_no_file_names_a_registry_or_a_folder_of_somebodys_machine():
    registry = re.compile(
        "index"
        + r"-url [^-]|https?://[^\s\"]*/(simple|packages)/|files\.python"
        + "hosted"
    )
    home = re.compile(r"(?<![\w.])/(home|Users|root|work|opt)/\w")
    wrong = [
        path.name
        for path, text in tracked_text()
        if registry.search(text) or home.search(text)
    ]
    assert wrong == []


def test_no_model_is_ever_pickled():
    words = re.compile(r"\b(pickle|joblib|cloudpickle|dill)\b")
    for folder in ("src", "python_models"):
        for path in (ROOT / folder).rglob("*.py"):
            assert not words.search(path.read_text()), path


def test_one_module_knows_lifetimes():
    importing = re.compile(r"^\s*(from|import) lifetimes", re.MULTILINE)
    known = [
        path.name
        for path in (ROOT / "src").rglob("*.py")
        if importing.search(path.read_text())
    ]
    assert known == ["btyd.py"]


def test_every_fit_status_is_accepted_and_explained(master):
    (accepted,) = [
        test["test_metadata"]["kwargs"]["values"]
        for test in master.manifest["nodes"].values()
        if test["resource_type"] == "test"
        and (test.get("test_metadata") or {}).get("name") == "accepted_values"
        and test["column_name"] == "fit_status"
    ]
    assert accepted == list(FIT_STATUSES)
    code = (ROOT / "src/perennial/btyd.py").read_text()
    assert [s for s in FIT_STATUSES if code.count(f'"{s}"') < 2] == [], "never given"
    for page in ("models/vocabulary.md", "docs/methods.md"):
        text = (ROOT / page).read_text()
        assert [s for s in FIT_STATUSES[1:] if f"`{s}`" not in text] == []


def test_a_marker_that_is_not_there_is_told_in_one_line():
    """Told by the workers, xdist took it for a crash of theirs."""
    finished = subprocess.run(
        [sys.executable, "-m", "pytest", "-n", "2", "-m", "loader and not quick"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert finished.returncode == pytest.ExitCode.USAGE_ERROR
    assert "there is no marker called quick" in finished.stderr
    assert "INTERNALERROR" not in finished.stdout + finished.stderr
