"""Named parts of a build: none leaves a mart behind what it was made of."""

import os
import shutil
import subprocess
import sys

import duckdb
import pytest
from conftest import ROOT, RUN_COLUMN, Build, run_build
from dbt.cli.main import dbtRunner

pytestmark = pytest.mark.publish

NAMES = ("full", "inference_daily", "training")


class Graph:
    """Which models each selector takes, and which of them reads which."""

    def __init__(self, folder) -> None:
        self.options = [
            f"--target-path={folder}",
            f"--log-path={folder}",
            "--log-level=none",
            "--log-level-file=none",
            f"--project-dir={ROOT}",
            f"--profiles-dir={ROOT}",
        ]
        parsed = dbtRunner().invoke(["parse", *self.options])
        assert parsed.success, parsed.exception
        self.manifest = parsed.result
        self.models = {
            key: node
            for key, node in self.manifest.nodes.items()
            if node.resource_type == "model"
        }
        self.selected = {name: self.models_of(name) for name in NAMES}

    def models_of(self, selector: str) -> set[str]:
        listed = dbtRunner(manifest=self.manifest).invoke(
            [
                *["ls", "--resource-type=model", "--output=json"],
                *["--output-keys=unique_id", f"--selector={selector}", *self.options],
            ]
        )
        assert listed.success, listed.exception
        return {line.split('"')[3] for line in listed.result}

    def parents(self, key: str) -> set[str]:
        return {one for one in self.models[key].depends_on.nodes if one in self.models}

    def marts(self) -> set[str]:
        return {key for key, node in self.models.items() if node.schema == "marts"}


@pytest.fixture(scope="module")
def graph(tmp_path_factory) -> Graph:
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("selectors")
        patch.setenv("PERENNIAL_HOME", str(home))
        return Graph(home / "target")


def test_every_selector_says_what_it_is_for(graph):
    for name in NAMES:
        assert len(graph.manifest.selectors[name]["description"].split()) > 15


def test_full_is_everything(graph):
    assert graph.selected["full"] == graph.models.keys()


def test_a_day_and_a_training_make_every_model(graph):
    both = graph.selected["inference_daily"] | graph.selected["training"]
    assert both == graph.models.keys()


def test_no_mart_stays_behind_what_a_day_makes(graph):
    daily = graph.selected["inference_daily"]
    behind = {
        (key, parent)
        for key in graph.marts() - daily
        for parent in graph.parents(key) & daily
    }
    assert behind == set()


def test_a_training_makes_everything_that_hangs_on_it(graph):
    training = graph.selected["training"]
    behind = {
        key
        for key in graph.models
        if key not in training and graph.parents(key) & training
    }
    assert behind == set()


def test_a_day_fits_nothing_that_learns_from_outcomes(graph):
    daily = {graph.models[key].name for key in graph.selected["inference_daily"]}
    fits = {"fit_churn", "fit_value", "fit_challenger", "fit_value_challengers"}
    assert fits <= {node.name for node in graph.models.values()}
    assert fits & daily == set()


def published(file) -> dict[str, tuple]:
    """Every row of what readers see, apart from the columns that tell of the run."""
    with duckdb.connect(str(file), read_only=True) as connection:
        names = connection.execute(
            "select table_name from duckdb_tables() where table_name not in"
            " ('published_run', 'published_tables', 'run_log')"
        ).fetchall()
        return {
            name: connection.execute(
                "select count(*), bit_xor(hash(t)), sum(cast(hash(t) as hugeint)) from"
                f" (select columns(c -> c <> '{RUN_COLUMN}')"
                f' from marts."{name}") as t'
            ).fetchone()
            for (name,) in names
        }


def without_network() -> list[str]:
    """What a command is begun with that it may reach nothing at all, nor itself."""
    prefix = ["unshare", "--net"]
    if os.geteuid():
        prefix.append("--map-root-user")
    if shutil.which("unshare") is None:
        return []
    may = subprocess.run([*prefix, "true"], capture_output=True).returncode == 0
    return prefix if may else []


@pytest.fixture(scope="module")
def day(demo, tmp_path_factory) -> tuple[Build, dict[str, tuple]]:
    """A day without anything new, made without a network, and what was before it."""
    home = shutil.copytree(demo.home, tmp_path_factory.mktemp("day") / "home")
    before = published(home / "published" / "demo.duckdb")
    built = run_build(
        home,
        connector="demo",
        everything=True,
        unit_tests=True,  # the selector leaves them out
        selection=["--selector", "inference_daily"],
        prefix=without_network(),
    )
    return built, before


def test_a_day_without_anything_new_changes_nothing(day):
    built, before = day
    assert len(before) > 40
    assert built.exit_code == 0, built.output + built.errors
    assert "Published in " in built.output
    assert published(built.published) == before
    with duckdb.connect(str(built.published), read_only=True) as connection:
        (runs,) = connection.execute(
            "select count(distinct run_id) from marts.published_tables"
        ).fetchone()
    assert runs == 2  # what a day leaves is of the run that made it


CONNECT = "import socket; socket.create_connection(('127.0.0.1', 9), timeout=3)"


@pytest.mark.hostile
def test_nothing_is_fetched(day):
    """Read, scored, tested and published where there is no network at all."""
    prefix = without_network()
    if not prefix:
        pytest.skip("no right to take the network away from a process (unshare --net)")
    tried = subprocess.run(
        [*prefix, sys.executable, "-c", CONNECT], capture_output=True, text=True
    )
    assert "Network is unreachable" in tried.stderr
    built, _ = day
    assert built.exit_code == 0, built.output + built.errors


@pytest.mark.slow
@pytest.mark.hostile
def test_nothing_is_fetched_by_a_build_from_nothing(tmp_path):
    """The demo company made, read, fitted, scored, tested and published."""
    prefix = without_network()
    if not prefix:
        pytest.skip("no right to take the network away from a process (unshare --net)")
    built = run_build(tmp_path, connector="demo", unit_tests=True, prefix=prefix)
    assert built.exit_code == 0, built.output + built.errors
    assert "Published in " in built.output
