"""What a person types, and what comes back: exit codes, and errors of one line."""

import datetime
import json
import os
import re
import subprocess
import sys

import duckdb
import pytest
from conftest import PERENNIAL, ROOT, run_build, write_log

from perennial.build import _events


def run(*arguments, home=None, cwd=ROOT, connector="cdnow", **environment):
    environment["PERENNIAL_CONNECTOR"] = connector
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("PERENNIAL_")}
    if home is not None:
        environment["PERENNIAL_HOME"] = str(home)
    return subprocess.run(
        [PERENNIAL, *arguments],
        cwd=cwd,
        env={**inherited, **environment},
        capture_output=True,
        text=True,
    )


def refused(finished, exit_code, told):
    assert finished.returncode == exit_code, finished.stdout + finished.stderr
    assert told in finished.stderr
    assert "Traceback" not in finished.stdout + finished.stderr


def test_help_teaches():
    told = run("--help").stdout
    for word in ("build", "follow", "charts", "version", "Exit codes"):
        assert word in told


def test_version_names_what_scores_depend_on():
    told = run("version")
    assert told.returncode == 0
    for package in ("perennial 0.1.0", "duckdb 1.5.5", "lifetimes 0.11.3"):
        assert package in told.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nonsense"], "No such command"),
        (["build", "--nonsense"], "No such option"),
        (["build", "--connector", "nobody"], "choose from cdnow, demo"),
        (["build", "-c", "../../etc"], "choose from cdnow, demo"),
        (["follow"], "Missing argument"),
        (["build", "--", "--nonsense"], "--nonsense"),
    ],
)
def test_wrong_usage_is_exit_2(arguments, told, tmp_path):
    refused(run(*arguments, home=tmp_path), 2, told)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ("{horizons_days: abc}", "horizons_days is abc, and must be a list"),
        ("{horizons_days: []}", "horizons_days is [], and must be a list"),
        ("{horizons_days: [0]}", "must be a whole number from 1 to 3650"),
        ("{horizons_days: [true]}", "must be a whole number"),
        ("{horizons_days: [91, 91]}", "must be a list that names nothing twice"),
        ("{gross_margin: 1.5}", "must be a number from 0 to 1"),
        ("{origin_dates: ['1997-02-30']}", "must be a date"),
        ('{score_date: "1998-06-30\' or 1=1 --"}', "must be a date"),
        ("{purchase_model: pareto}", "must be bg_nbd or mbg_nbd"),
        ("{last_day_is_complete: maybe}", "must be true or false"),
        ('{cdnow_log: "x\' union select 1 --"}', "must be master or sample"),
    ],
)
def test_a_wrong_setting_is_told_in_one_line(settings, told, tmp_path):
    finished = run(
        "build", "--", "--vars", settings, "--target-path", str(tmp_path), home=tmp_path
    )
    refused(finished, 2, told)
    assert finished.stderr.count("\n") == 1


def test_outside_a_project_there_is_one_line(tmp_path):
    """Installed in site-packages, there is no project beside the code either."""
    code = (
        "import perennial.project as p, pathlib, sys\n"
        "p.__file__ = '/nowhere/a/b/c.py'\n"
        "sys.argv = ['perennial', 'build']\n"
        "from perennial.cli import main; main()"
    )
    finished = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    refused(finished, 2, "change into the folder that you cloned")


def test_follow_before_a_build_says_what_to_run(tmp_path):
    refused(run("follow", "00004", home=tmp_path), 1, "run perennial build")


@pytest.mark.parametrize("customer", ["99999", "' or 1=1 --", "", "\U0001f600"])
def test_an_unknown_customer_is_data_and_never_sql(sample, customer):
    refused(run("follow", customer, home=sample.home), 1, "There is no customer")


def test_follow_prints_the_path_from_raw_line_to_value(sample):
    told = run("follow", "00004", home=sample.home)
    assert told.returncode == 0
    steps = [line.split("  ")[0] for line in told.stdout.splitlines()[1:]]
    order = list(dict.fromkeys(steps))
    assert order == [
        "raw line",
        "order",
        "order day",
        "as of",
        "feature",
        "parameter",
        "candidate",
        "value",
    ]
    assert "00004 0001 19970101  2   29.33" in told.stdout
    assert "expected_value, 273 days" in told.stdout


def test_follow_works_from_any_folder(sample, tmp_path):
    assert run("follow", "00004", home=sample.home, cwd=tmp_path).returncode == 0


def test_a_file_in_use_names_the_process(tmp_path):
    (tmp_path / "warehouse").mkdir()
    file = tmp_path / "warehouse" / "cdnow.duckdb"
    with duckdb.connect(str(file)):
        build = run_build(tmp_path)
        follow = run("follow", "00004", home=tmp_path)
    assert build.exit_code == 2
    assert build.errors.count("\n") == 1
    assert f"in use by another process (PID {os.getpid()})" in build.errors
    refused(follow, 1, f"PID {os.getpid()}")


def test_a_failing_model_is_told_in_a_few_lines(tmp_path):
    """An amount too large for the exact sums: the database refuses the model."""
    lines = [f" 00001 1997010{day}  1 999999999999999.00" for day in (1, 2, 3)] * 9
    build = run_build(tmp_path / "home", write_log(tmp_path / "raw", lines))
    assert build.exit_code == 1
    assert "feat_purchases" in build.errors
    assert "logs/dbt.log has the details" in build.errors
    assert build.errors.count("\n") <= 5
    assert "Traceback" not in build.output + build.errors


def test_a_part_can_be_built_and_what_is_missing_is_told(tmp_path):
    built = run(
        "build",
        "--",
        "--select=int_settings",
        f"--target-path={tmp_path / 'target'}",
        home=tmp_path,
    )
    assert built.returncode == 0, built.stderr
    assert "Run perennial build without a selection" in built.stdout
    refused(run("follow", "00004", home=tmp_path), 1, "Run perennial build")
    refused(run("charts", home=tmp_path), 1, "run perennial build")


def test_the_folder_of_the_demo_company_is_meant_from_where_one_stands(tmp_path):
    built = run(
        "build",
        "--",
        "--select=int_demo_settings",
        f"--target-path={tmp_path / 'target'}",
        f"--log-path={tmp_path / 'logs'}",
        home=tmp_path,
        cwd=tmp_path,
        connector="demo",
        PERENNIAL_DEMO_FOLDER="mine",
    )
    assert built.returncode == 0, built.stderr
    with duckdb.connect(str(tmp_path / "warehouse" / "demo.duckdb")) as connection:
        row = connection.execute("select folder from reading.int_demo_settings")
        assert row.fetchall() == [(str(tmp_path / "mine"),)]


def test_a_score_date_after_the_data_stops_the_build(tmp_path):
    settings = {"cdnow_log": "sample", "score_date": "1998-07-01"}
    build = run_build(tmp_path, settings=settings)
    assert build.exit_code == 1
    assert "assert_the_score_date_lies_within_the_data" in build.errors
    assert build.rows("select 1 from duckdb_tables() where schema_name = 'fits'") == []


def test_settings_of_ones_own_build_green(tmp_path):
    """Unit tests hold whatever a person has set."""
    settings = {
        "cdnow_log": "sample",
        "horizons_days": [30, 182],
        "score_date": "1998-03-31",
        "last_day_is_complete": False,
        "origin_dates": [],
        "origins_count": 2,
        "training_dates_count": 2,
        "training_grid": "week",
        "purchase_model": "mbg_nbd",
        "annual_discount_rate": 0.25,
        "gross_margin": 0.4,
    }
    build = run_build(tmp_path, settings=settings)
    assert build.exit_code == 0, build.output + build.errors
    assert build.rows(
        "select horizon_days, origin_date from intermediate.model_splits "
        "where role = 'test' and task = 'purchases' order by all"
    ) == [
        (30, datetime.date(1998, 1, 25)),
        (30, datetime.date(1998, 3, 1)),
        (182, datetime.date(1997, 3, 30)),
        (182, datetime.date(1997, 9, 28)),
    ]
    assert build.rows(
        """
        select distinct scores.expected_orders_count = said.expected_orders_count
        from marts.clv_scores as scores
        inner join scores.score_clv as said
            using (customer_id, as_of_date, horizon_days)
        where said.model_name = 'mbg_nbd'
        """
    ) == [(True,)]


def test_the_summary_says_what_was_built_and_what_to_do_next(sample):
    for told in (
        "2,357 customers, 6,919 orders worth 244,091.94; 0 rows in quarantine",
        "In the 273 days after 1998-06-30, expect customers to bring ",
        "% less was expected than customers then brought",
        "marts.clv_scores",
        str(sample.file),
        "make follow CUSTOMER=00004 CONNECTOR=cdnow",
        "make charts CONNECTOR=cdnow",
    ):
        assert told in sample.output


def test_the_summary_of_the_demo_company_names_a_customer_of_it(demo):
    (customer,) = re.findall(r"make follow CUSTOMER=(\S+) ", demo.output)
    assert "make charts " in demo.output  # the default: no connector is named
    assert "CONNECTOR" not in demo.output
    told = run("follow", customer, home=demo.home, connector="demo")
    assert told.returncode == 0
    steps = {line.split("  ")[0] for line in told.stdout.splitlines()}
    assert {"raw line", "order day", "feature", "value"} <= steps


def test_a_customer_who_cannot_be_drawn_is_told(sample, tmp_path):
    drawn = run("charts", "--customer=99999", f"--folder={tmp_path}", home=sample.home)
    refused(drawn, 1, "There is no score of a customer '99999'")
    assert list(tmp_path.iterdir()) == []


def test_charts_are_drawn_from_the_marts(sample):
    drawn = run("charts", home=sample.home)
    assert drawn.returncode == 0, drawn.stderr
    files = sorted((sample.home / "build" / "charts").glob("*.svg"))
    assert [file.stem for file in files] == [
        "amount_by_decile",
        "one_customer",
        "orders_by_frequency",
    ]
    before = [file.read_bytes() for file in files]
    assert run("charts", home=sample.home).returncode == 0
    assert [file.read_bytes() for file in files] == before


def test_the_demo_company_is_drawn_too(demo, tmp_path):
    drawn = run("charts", f"--folder={tmp_path}", home=demo.home, connector="demo")
    assert drawn.returncode == 0, drawn.stderr
    assert (tmp_path / "one_customer.svg").exists()


def test_an_event_behind_what_a_model_says_is_no_less_heard():
    """One was lost so, and a build that was whole was taken for a part."""
    event = {"data": {"msg": "done"}, "info": {"name": "LogModelResult"}}
    lines = [
        f"fit_value: learning from 3 rows{json.dumps(event)}\n",
        "\n",
        f"{json.dumps(event)}\n",
        'fit_value: {"C": 1}\n',
        'fit_value: {"data": 1\n',
    ]
    assert list(_events(lines)) == [
        *("fit_value: learning from 3 rows", event, "", event),
        *('fit_value: {"C": 1}', 'fit_value: {"data": 1'),
    ]
