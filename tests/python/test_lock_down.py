"""SQL of a build stays in the folders of the raw files, and cannot leave them again."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import PERENNIAL, ROOT

from perennial import reading

pytestmark = pytest.mark.hostile

#: What a model may try. OUT is a folder beside the raw files, RAW the declared one.
ATTEMPTS = {
    "read_text": "select content from read_text('/etc/hosts')",
    "read_blob": "select content from read_blob('OUT/secret.csv')",
    "read_csv": "select * from read_csv('OUT/secret.csv')",
    "look_around": "select * from glob('OUT/*')",
    "climb_out": "select * from read_csv('RAW/customers/../../../secret.csv')",
    "copy_out": "copy (select 42) to 'OUT/stolen.csv'",
    "export": "export database 'OUT/exported'",
    "attach": "attach 'OUT/other.duckdb' as other",
    "install": "install httpfs",
    "load": "load 'OUT/own.duckdb_extension'",
    "network": "select * from read_csv('http://127.0.0.1:9/x.csv')",
    "turn_on": "set global enable_external_access = true",
    "unlock": "set global lock_configuration = false",
    "widen": "set global allowed_directories = ['/']",
    "home": "set global home_directory = '/'",
}

#: What goes on where nothing is locked: it tells that the refusals come of the lock.
WITHOUT_LOCK = {"read_text", "read_blob", "read_csv", "look_around", "climb_out"} | {
    *("copy_out", "export", "attach", "unlock", "home"),
}

#: What a model has to be able to do.
NEEDED = {
    "raw_file": "select * from read_csv('RAW/customers/2024.csv')",
    "raw_files": "select * from read_csv('RAW/customers/*.csv')",
}


class Copy:
    """The project with hostile models, and a folder that it has no business in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "project"
        self.out = folder / "out"
        self.raw = self.out / "demo" / "raw"
        ignored = shutil.ignore_patterns("__pycache__")
        for part in ("models", "python_models", "macros", "seeds"):
            shutil.copytree(ROOT / part, self.root / part, ignore=ignored)
        shutil.copytree(ROOT / "tests" / "generic", self.root / "tests" / "generic")
        for name in ("dbt_project.yml", "profiles.yml"):
            shutil.copy(ROOT / name, self.root / name)
        (self.raw / "customers").mkdir(parents=True)
        (self.raw / "customers" / "2024.csv").write_text("customer_id\n17\n")
        (self.out / "secret.csv").write_text("secret\n42\n")
        hostile = self.root / "models" / "hostile"
        hostile.mkdir()
        for name, statement in (ATTEMPTS | NEEDED).items():
            (hostile / f"hostile_{name}.sql").write_text(self.model(statement))

    def model(self, statement: str) -> str:
        text = statement.replace("OUT", str(self.out)).replace("RAW", str(self.raw))
        if text.startswith("select"):
            return text
        return f'{{{{ config(pre_hook="{text}") }}}} select 1 as one'

    def build(self, home: Path, **environment: str) -> tuple[dict[str, str], str]:
        """What became of each model, by name, and all that was printed."""
        finished = subprocess.run(
            [
                *[str(PERENNIAL), "build", "--connector=demo", "--"],
                *[
                    "--select",
                    "path:models/hostile",
                    f"--target-path={home / 'target'}",
                ],
                f"--log-path={home / 'logs'}",
            ],
            cwd=self.root,
            env={
                **os.environ,
                "PERENNIAL_HOME": str(home),
                "PERENNIAL_DEMO_FOLDER": str(self.out / "demo"),
                **environment,
            },
            capture_output=True,
            text=True,
        )
        told = finished.stdout + finished.stderr
        results = home / "target" / "run_results.json"
        assert results.exists(), told
        return {
            result["unique_id"].split(".hostile_")[1]: result["message"]
            if result["status"] == "error"
            else result["status"]
            for result in json.loads(results.read_text())["results"]
            if ".hostile_" in result["unique_id"]
        }, told


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Copy:
    return Copy(tmp_path_factory.mktemp("hostile"))


def test_sql_stays_in_the_folders_of_the_raw_files(copy):
    became, told = copy.build(copy.folder / "home")
    assert became.keys() == (ATTEMPTS | NEEDED).keys()
    assert {name: became[name] for name in NEEDED} == dict.fromkeys(NEEDED, "success")
    refusals = ("Permission Error: ", "Cannot change configuration option")
    went_on = {
        name: became[name]
        for name in ATTEMPTS
        if not any(refusal in became[name] for refusal in refusals)
    }
    assert went_on == {}
    assert "Traceback" not in told
    assert sorted(path.name for path in copy.out.iterdir()) == ["demo", "secret.csv"]


def test_what_is_refused_went_on_without_the_lock(copy):
    became, _ = copy.build(copy.folder / "open", PERENNIAL_LOCK_DOWN="false")
    went_on = {name for name in ATTEMPTS if became[name] == "success"}
    assert went_on >= WITHOUT_LOCK
    assert (copy.out / "stolen.csv").exists()
    assert (copy.out / "other.duckdb").exists()


def test_a_switch_that_is_neither_on_nor_off_is_refused(copy):
    finished = subprocess.run(
        [PERENNIAL, "build", "--", "--select", "path:models/hostile"],
        cwd=copy.root,
        env={
            **os.environ,
            "PERENNIAL_HOME": str(copy.folder / "neither"),
            "PERENNIAL_LOCK_DOWN": "yes",
        },
        capture_output=True,
        text=True,
    )
    assert finished.returncode != 0
    assert "PERENNIAL_LOCK_DOWN is yes, and must be true or false." in finished.stderr
    assert "Traceback" not in finished.stdout + finished.stderr


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ("/raw/orders/*.csv", "/raw/orders/"),
        ("/raw/**/orders_?.csv", "/raw/"),
        ("/raw/orders.csv", "/raw/orders.csv"),
        ("/raw/../other/[ab].csv", "/other/"),
        ("~/orders.csv", str(Path("~/orders.csv").expanduser())),
        ("orders/*.csv", f"{Path.cwd()}/orders/"),
        ("/*.csv", "/"),
        ("package:no_such_package/orders.csv", None),
        ("", None),
    ],
)
def test_a_declaration_opens_its_folder_and_no_more(files, expected):
    assert reading.place(files) == expected


def test_a_file_of_a_package_is_found():
    place = reading.place("package:lifetimes/datasets/CDNOW_sample.txt")
    assert Path(place).is_file()
