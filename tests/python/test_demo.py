"""The demo company: its files are made once, and what was planted in them is found."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from conftest import ROOT, Build, run_build
from shop import ENTITIES
from test_files_over_time import spoil

from perennial import company, demo
from perennial.macros import settings_catalogue

DBT = Path(sys.executable).parent / "dbt"

#: A company that is made in a moment.
SMALL = {"customers": 100, "months": 12, "seed": 5}

#: Of a build, what looks at the files alone.
FILES = ("--select", "+files_read", "--indirect-selection", "cautious")


def stamps(folder: Path) -> dict[str, int]:
    return {
        str(file.relative_to(folder)): file.stat().st_mtime_ns
        for file in sorted(folder.rglob("*"))
    }


# --- in the graph ---------------------------------------------------------------------


def dbt_build(home: Path) -> Build:
    """Plain `dbt build`, as one types it on a fresh clone, up to the orders."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("PERENNIAL_")}
    finished = subprocess.run(
        [
            *(DBT, "--no-use-colors", "build"),
            *("--select", "+fct_orders", "+input_events"),
            *("--indirect-selection", "cautious"),
            *("--exclude", "resource_type:unit_test"),
            *(f"--target-path={home / 'target'}", f"--log-path={home / 'logs'}"),
        ],
        cwd=ROOT,
        env={**inherited, "PERENNIAL_HOME": str(home)},
        capture_output=True,
        text=True,
    )
    assert finished.returncode == 0, finished.stdout[-3000:] + finished.stderr
    return Build(home, 0, finished.stdout, finished.stderr, "demo")


def test_plain_dbt_build_makes_the_files_once_and_reads_them_once(tmp_path):
    """Old files hold question marks the second time, and nobody notices."""
    first = dbt_build(tmp_path)
    folder = tmp_path / "demo"
    assert first.row("select was_made, folder from reading.demo_files") == (
        True,
        str(folder),
    )
    before = first.digests()
    assert before["marts.fct_orders"][0] > 1000
    for entity in set(ENTITIES) - {"events"}:  # a view looks at those
        spoil(sorted((folder / "raw" / entity).iterdir())[3])
    made = stamps(folder)
    second = dbt_build(tmp_path)
    assert second.row("select was_made from reading.demo_files") == (False,)
    assert stamps(folder) == made
    assert second.digests() == before


def test_all_six_domains_are_read(demo):
    for entity in ENTITIES:
        (rows,) = demo.row(f"select count(*) from input.input_{entity}")
        assert rows > 1000, entity
    assert demo.rows(
        "select entity, empty_columns from input.input_coverage "
        "where not is_delivered or empty_columns is not null"
    ) == [("orders", "currency")]


def test_the_backtest_stands_on_the_dates_of_the_connector(demo):
    """Whose year is not over is judged on its quarter alone."""
    rows = demo.rows(
        "select horizon_days, count(distinct as_of_date) "
        "from marts.clv_backtest_metrics group by all order by all"
    )
    assert rows == [(90, 6), (365, 3)]


def test_what_was_planted_is_found_again_by_file_and_reason(demo):
    compare_with_what_was_planted(demo)


@pytest.mark.slow
def test_faults_of_every_domain_are_found_in_the_small_company(tmp_path):
    """Files of tiny are too short for faults of customers, for one."""
    folder = tmp_path / "demo"
    size = company.SIZES["small"]
    company.generate(folder, size.customers, size.months, seed=7)
    built = run_build(tmp_path, connector="demo")
    assert built.exit_code == 0, built.output + built.errors
    compare_with_what_was_planted(built)
    domains = built.rows("select distinct entity from input.quarantine")
    assert {domain for (domain,) in domains} == set(ENTITIES)


def compare_with_what_was_planted(demo: Build) -> None:
    planted = f"'{demo.home}/demo/truth/planted_dirt.parquet'"
    for table, verdict, reason in (
        ("quarantine", "refused", "reject_reason"),
        ("excluded_rows", "excluded", "exclude_reason"),
    ):
        wanted = demo.rows(
            f"select domain, file, reason, cast(sum(lines_count) as bigint) "
            f"from {planted} where verdict = ? group by all order by all",
            verdict,
        )
        found = demo.rows(
            f"select entity, source_file, {reason}, "
            "cast(sum(source_lines_count) as bigint) "
            f"from input.{table} group by all order by all"
        )
        assert found == wanted, table
        assert wanted != []


def test_orders_of_nobody_that_is_known_are_found_by_file(demo):
    wanted = demo.rows(
        "select domain, file, cast(sum(lines_count) as bigint) "
        f"from '{demo.home}/demo/truth/planted_dirt.parquet' "
        "where verdict = 'orphan' group by all order by all"
    )
    orphans = "select customer_id from input.input_customers where is_orphan"
    found = demo.rows(
        "select 'orders', source_file, count(*) from input.input_orders "
        f"where customer_id in ({orphans}) group by all order by all"
    )
    assert found == wanted != []


def test_unusual_files_are_read_right(demo):
    """A byte order mark, carriage returns, other columns: no line of them is lost."""
    rows = demo.rows(
        "select planted.kind, planted.lines_count = files.lines_count, "
        "files.accepted_lines_count > 0 "
        f"from '{demo.home}/demo/truth/planted_dirt.parquet' as planted "
        "left join input.input_files as files on planted.file = files.source_file "
        "where planted.verdict = 'read_right' order by all"
    )
    assert rows == [
        ("byte_order_mark", True, True),
        ("carriage_returns", True, True),
        ("other_column_order", True, True),
    ]


def test_the_planted_dirt_is_in_all_of_these_tests(demo):
    verdicts = demo.rows(
        "select distinct verdict "
        f"from '{demo.home}/demo/truth/planted_dirt.parquet' order by all"
    )
    assert verdicts == [("excluded",), ("orphan",), ("read_right",), ("refused",)]


def test_a_column_that_came_later_is_told(demo):
    (first,) = demo.row(
        "select min(source_file) from reading.schema_changes "
        "where source_table = 'demo.touches' and column_name = 'subject' "
        "and change = 'new_column'"
    )
    assert first == "touches_2025-01.csv"


# --- nothing knows the truth ----------------------------------------------------------


def readers_of_the_truth(manifest: dict) -> list[str]:
    sources = [
        source["name"]
        for source in manifest["sources"].values()
        if "truth" in json.dumps([source["config"], source["loaded_at_query"]])
    ]
    nodes = [
        node["name"]
        for node in manifest["nodes"].values()
        if re.search(
            r"\btruth\b", (node.get("compiled_code") or "") + (node["raw_code"] or "")
        )
    ]
    return sources + nodes


def test_no_source_and_no_model_reads_the_truth(demo):
    assert readers_of_the_truth(demo.manifest) == []
    # nor does what the Python models call; the command line says where it lies
    called = set((ROOT / "src" / "perennial").glob("*.py"))
    for file in called - {ROOT / "src" / "perennial" / "cli.py"}:
        assert not re.search(r"""["'/]truth\b|\btruth/""", file.read_text()), file


@pytest.mark.parametrize("kind", ["sources", "nodes"])
def test_a_reader_of_the_truth_would_be_found(demo, kind):
    manifest = demo.manifest
    key, found = next(iter(manifest[kind].items()))
    told = "../truth/churn.parquet"
    if kind == "sources":
        found["config"]["meta"]["files"] = told
    else:
        found["compiled_code"] = f"select * from '{told}'"
    assert readers_of_the_truth(manifest) == [manifest[kind][key]["name"]]


# --- another company than the settings ask for ----------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("another") / "company"
    company.generate(folder, **SMALL)
    return folder


def asked(folder: Path, size=None, seed=None, shocks=None) -> pd.DataFrame:
    """What `int_demo_settings` holds."""
    row = (str(folder), size, seed, shocks)
    return pd.DataFrame(
        [row], columns=["folder", "demo_size", "demo_seed", "demo_shocks"]
    )


def look_at_files(home: Path, folder: Path, **settings) -> Build:
    return run_build(
        home,
        settings=settings,
        environment={"PERENNIAL_DEMO_FOLDER": str(folder)},
        connector="demo",
        selection=FILES,
    )


def test_a_company_that_somebody_made_is_taken_as_it_is(folder, tmp_path):
    made = stamps(folder)
    built = look_at_files(tmp_path, folder)
    assert built.exit_code == 0, built.errors
    assert built.row(
        "select customers, months, seed, shocks, was_made, file_fault "
        "from reading.demo_files"
    ) == (*SMALL.values(), "", False, None)
    assert stamps(folder) == made


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        ({"seed": SMALL["seed"], "shocks": ""}, None),
        ({"size": "tiny"}, "it has 100 customers over 12 months, and demo_size asks"),
        ({"seed": 8}, "its seed is 5, and demo_seed asks for 8. "),
        ({"shocks": "outage holiday"}, "its shocks are none, and demo_shocks asks for"),
    ],
)
def test_each_setting_is_compared_with_the_company(folder, wish, told):
    made = stamps(folder)
    found = demo.demo_files(asked(folder, **wish)).iloc[0]
    assert not found["was_made"]
    if told is None:
        assert found["file_fault"] is None
    else:
        assert told in found["file_fault"]
        assert found["file_fault"].count("asks for") == 1
    assert stamps(folder) == made


def test_another_company_than_asked_for_is_refused_in_one_line(folder, tmp_path):
    made = stamps(folder)
    wish = {"demo_size": "tiny", "demo_seed": 8, "demo_shocks": ["outage"]}
    built = look_at_files(tmp_path, folder, **wish)
    assert built.exit_code == 1
    assert built.errors.splitlines() == [
        f"perennial: raw file {folder}/company.json: this is another company: it has "
        "100 customers over 12 months, and demo_size asks for tiny; its seed is 5, and "
        "demo_seed asks for 8; its shocks are none, and demo_shocks asks for outage. "
        "Set PERENNIAL_DEMO_FOLDER to another folder, or remove this one and "
        "warehouse/demo.duckdb, or change the setting."
    ]
    # nothing was looked at, and nothing made
    assert (
        built.rows("select 1 from duckdb_tables() where table_name = 'files_read'")
        == []
    )
    assert stamps(folder) == made


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "it is missing, and held is not empty"),
        ("", "it does not say which company this is"),
        ("[1]", "it does not say which company this is"),
        ('{"customers": 40}', "it does not say which company this is"),
    ],
)
def test_a_folder_that_holds_something_else_is_left_alone(text, told, tmp_path):
    folder = tmp_path / "held"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    if text is not None:
        (folder / "company.json").write_text(text)
    fault = demo.demo_files(asked(folder))["file_fault"].item()
    assert fault.startswith(f"raw file {folder}/company.json: {told}")
    assert fault.isprintable()
    assert (folder / "notes.txt").read_text() == "mine"
    assert list(tmp_path.iterdir()) == [folder]


# --- made whole, or not at all --------------------------------------------------------


@pytest.fixture
def quick(monkeypatch) -> None:
    """What is called tiny is made in a moment."""
    size = company.Size(SMALL["customers"], SMALL["months"])
    monkeypatch.setitem(company.SIZES, "tiny", size)


def test_a_generation_that_was_broken_off_is_made_again(quick, tmp_path, monkeypatch):
    folder = tmp_path / "deep" / "company"

    def broken_off(folder, **parameters):
        company.generate(folder, **parameters)
        (folder / "company.json").unlink()
        (folder / "raw" / "left.csv").write_text("half a line")
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(demo, "generate", broken_off)
        with pytest.raises(KeyboardInterrupt):
            demo.make_if_absent(folder, demo.Wish())
    assert not folder.exists()
    assert demo.make_if_absent(folder, demo.Wish(seed=3, shocks=("outage",)))
    assert not (folder / "raw" / "left.csv").exists()
    assert [file.name for file in folder.parent.iterdir()] == ["company"]
    told = {"customers": 100, "months": 12, "seed": 3, "shocks": ["outage"]}
    assert demo.parameters(folder) == told
    assert not demo.make_if_absent(folder, demo.Wish())


def test_of_two_processes_one_makes_the_files(tmp_path):
    code = (
        "import sys, pathlib\n"
        "from perennial import company, demo\n"
        f"company.SIZES['tiny'] = company.Size({SMALL['customers']}, 12)\n"
        "print(demo.make_if_absent(pathlib.Path(sys.argv[1]), demo.Wish()))"
    )
    folder = tmp_path / "company"
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code, folder], stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    told = sorted(process.communicate()[0] for process in started)
    assert [process.returncode for process in started] == [0] * 4
    assert told == ["False\n"] * 3 + ["True\n"]
    assert [file.name for file in tmp_path.iterdir()] == ["company"]
    assert demo.parameters(folder)["seed"] == demo.DEFAULT_SEED


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    found = demo.demo_files(asked(tmp_path / "file" / "company"))
    fault = found["file_fault"].item()
    assert "the demo company cannot be made there (" in fault
    assert fault.isprintable()


def test_the_settings_offer_what_the_generator_can():
    settings = settings_catalogue(ROOT)
    assert settings["demo_size"]["choices"] == list(company.SIZES)
    assert settings["demo_shocks"]["choices"] == list(company.SHOCKS)
    assert demo.DEFAULT_SIZE in company.SIZES
    told = f"{company.SIZES[demo.DEFAULT_SIZE].customers:,} customers of a subscription"
    assert told in (ROOT / "README.md").read_text()
