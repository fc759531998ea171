"""A setting is data: whatever a person passes, it is checked before anything runs."""

import json

import pytest
from conftest import ROOT, run_build
from dbt.cli.main import dbtRunner

from perennial.macros import settings_catalogue

#: What each would do where a setting was pasted into SQL, or run as a template.
PAYLOADS = {
    "another_query": "x' union all select content, 1 from read_text('/etc/hosts') --",
    "another_statement": "x'; drop table marts.clv_scores; --",
    "always_true": "' or 1=1 --",
    "double_quotes": '" or ""="',
    "comment": "x/**/union/**/select/**/1",
    "copy_out": "x'); copy (select 42) to 'stolen.csv'; --",
    "attach": "'; attach 'other.duckdb' as other; --",
    "install": "'; install httpfs; load httpfs; --",
    "template": "{{ run_query('create table main.stolen as select 1') }}",
    "template_block": "{% do run_query('drop schema marts cascade') %}",
    "environment": "{{ env_var('PATH') }}",
    "formula": "=cmd()|'/c calc'!A1",
    "path": "../../etc/passwd",
    "two_lines": "bg_nbd\nunion select 1",
    "terminal": "\x1b[2J\u202e\u0007x",
    "nul": "a\x00b",
    "backslash": "x\\' union select 1 --",
    "wide_quote": "\uff07 or 1=1 --",
    "long": "'" * 100_000,
}

#: Values that are no text at all.
SHAPES = [{"a": "' or 1=1 --"}, [["' or 1=1 --"]], [None], float("nan"), 10**400]


CATALOGUE = settings_catalogue(ROOT)

#: Types of settings that are given as text.
TEXTS = ("choice", "date", "time_zone", "currency", "choices", "dates")


class Settings:
    """dbt in this process, asked for one setting at a time."""

    def __init__(self, folder, monkeypatch):
        monkeypatch.chdir(ROOT)
        self.folder = folder
        self.options = [
            f"--target-path={folder}",
            f"--log-path={folder}",
            "--log-level=none",
            "--log-level-file=none",
        ]
        self.events = []
        parsed = self._invoke(dbtRunner(), "parse")
        assert parsed.success
        self.dbt = dbtRunner(manifest=parsed.result, callbacks=[self.events.append])

    def _invoke(self, dbt: dbtRunner, *arguments: str):
        # set anew each time, for every test takes the user's variables away
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("PERENNIAL_HOME", str(self.folder))
            return dbt.invoke([*arguments, *self.options])

    def refusal(self, setting: str, variables: dict) -> str | None:
        """What dbt says of a setting; None where it takes the value."""
        self.events.clear()
        answer = self._invoke(
            self.dbt,
            "run-operation",
            "setting",
            f"--args={json.dumps({'name': setting})}",
            f"--vars={json.dumps(variables)}",
        )
        statements = {
            event.data.sql.split()[-1]
            for event in self.events
            if event.info.name == "SQLQuery"
        }
        # the operation's own transaction, and nothing in it
        assert statements <= {"BEGIN", "COMMIT", "ROLLBACK"}
        if answer.success:
            return None
        (told,) = [
            event.data.exc
            for event in self.events
            if event.info.name == "RunningOperationCaughtError"
        ]
        return told


@pytest.fixture(scope="module")
def settings(tmp_path_factory, worker_id):
    with pytest.MonkeyPatch.context() as monkeypatch:
        yield Settings(tmp_path_factory.mktemp("settings"), monkeypatch)


def is_one_line(told: str | None, name: str) -> bool:
    """An error of dbt stands in a frame the macro above, the way to it below."""
    if told is None:
        return False
    lines = told.splitlines()
    return (
        lines[0].startswith("Compilation Error in macro")
        and lines[1].startswith(f"  Setting {name} is ")
        and "must " in lines[1]
        and lines[1].isprintable()
        and len(lines[1]) < 300
        and lines[2].strip() == ""
    )


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_hostile_value_is_refused_in_one_line(name, settings):
    is_list = CATALOGUE[name]["type"] in ("integers", "dates", "choices")
    # a number can only be one, and texts of one type go the same way
    of_type = [n for n in CATALOGUE if CATALOGUE[n]["type"] == CATALOGUE[name]["type"]]
    is_text = CATALOGUE[name]["type"] in TEXTS
    payloads = PAYLOADS if is_text and name == of_type[0] else ["always_true"]
    values = [PAYLOADS[payload] for payload in payloads] + SHAPES
    if is_list:
        values += [[PAYLOADS[payload]] for payload in payloads]
    wrong = [
        (value, told)
        for value in values
        if not is_one_line(told := settings.refusal(name, {name: value}), name)
    ]
    assert wrong == []


@pytest.mark.parametrize("payload", PAYLOADS)
def test_what_a_connector_sets_is_checked_too(payload, settings):
    """The connector's own settings go the same way as a person's."""
    variables = {"connector_settings": {"demo": {"score_date": PAYLOADS[payload]}}}
    assert is_one_line(settings.refusal("score_date", variables), "score_date")


@pytest.mark.parametrize("value", ["x", ["x"], {"demo": "x"}, {"demo": ["x"]}, 1])
def test_connector_settings_of_another_shape_are_refused(value, settings):
    told = settings.refusal("score_date", {"connector_settings": value})
    assert is_one_line(told, "connector_settings")


@pytest.mark.parametrize("name", ["connector", "no_setting_of_ours"])
def test_a_template_is_refused_in_every_var(name, settings):
    """It is rendered before a macro sees the value, and what it calls has then run."""
    told = settings.refusal("score_date", {name: PAYLOADS["template"]})
    assert is_one_line(told, name)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("score_date", "2000-02-29"),
        ("score_date", None),
        ("purchase_model", "mbg_nbd"),
        ("horizons_days", [1, 3650]),
        ("gross_margin", 1),
        ("currency", "EUR"),
        ("business_time_zone", "America/New_York"),
        ("entities", ["orders", "touches"]),
        ("demo_size", "large"),
        ("demo_seed", 0),
        ("demo_shocks", []),
        ("demo_shocks", ["outage", "price_rise"]),
    ],
)
def test_a_good_value_is_taken(name, value, settings):
    assert settings.refusal(name, {name: value}) is None


@pytest.mark.parametrize(
    "value",
    [
        "1999-02-29",
        "1900-02-29",
        "1998-06-31",
        "0000-01-01",
        "1998-6-30",
        "1998-06-30\n",
    ],
)
def test_a_day_that_no_calendar_has_is_refused(value, settings):
    assert is_one_line(
        settings.refusal("score_date", {"score_date": value}), "score_date"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        # harmless while dbt reads the project, a statement once it runs
        (
            "currency",
            "{% if execute %}{% do run_query('create schema s') %}{% endif %}EUR",
        ),
        (
            "connector",
            "{% if execute %}{% do run_query('create schema s') %}{% endif %}cdnow",
        ),
        ("connector", "x' union select 1 --"),
        ("cdnow_log", PAYLOADS["another_query"]),
    ],
)
def test_the_build_stops_before_anything_runs(name, value, tmp_path):
    build = run_build(tmp_path, settings={name: value})
    assert build.exit_code == 2
    assert build.errors.count("\n") == 1
    assert "Traceback" not in build.output + build.errors
    if build.file.exists():
        assert build.rows("select 1 from duckdb_tables()") == []
        assert (
            build.rows("select 1 from duckdb_schemas() where schema_name = 's'") == []
        )
