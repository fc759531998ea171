"""What is typed behind a command is data: it is found or not, and never runs."""

import hashlib
import shutil

import pytest
from conftest import ROOT
from test_settings import PAYLOADS
from typer.testing import CliRunner

from perennial import keyed_hash
from perennial.cli import app
from perennial.faults import Fault

pytestmark = pytest.mark.hostile

#: Of the payloads for settings those that differ for what is typed.
TYPED = {
    name: PAYLOADS[name]
    for name in (
        *("another_query", "another_statement", "always_true", "double_quotes"),
        *("copy_out", "attach", "template", "path", "two_lines", "terminal", "long"),
    )
}

#: Commands that look something up by what is typed.
COMMANDS = {
    "follow": ["follow", "--", "PAYLOAD"],
    "explain": ["explain", "--", "PAYLOAD"],
    "charts": ["charts", "--folder=FOLDER", "--customer=PAYLOAD"],
    "erase": ["erase", "--", "PAYLOAD"],
    "models show": ["models", "show", "--", "PAYLOAD"],
    "models approve": ["models", "approve", "--", "PAYLOAD"],
    "models rollback": ["models", "rollback", "--", "PAYLOAD"],
    "connector": ["status", "--connector=PAYLOAD"],
    "size": ["generate", "--out=FOLDER/company", "--size=PAYLOAD"],
    "shock": ["generate", "--out=FOLDER/company", "--shock=PAYLOAD"],
    "init": ["init", "--yes", "--orders=FOLDER/orders.csv", "--", "PAYLOAD"],
    "role": [
        *["init", "--dry-run", "--orders=FOLDER/orders.csv"],
        *["--role=orders.amount=PAYLOAD", "hostile"],
    ],
    "time zone": [
        *["init", "--dry-run", "--orders=FOLDER/orders.csv"],
        *["--time-zone=PAYLOAD", "hostile"],
    ],
}


def contents(folder) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def home(sample, tmp_path_factory):
    home = tmp_path_factory.mktemp("ids") / "home"
    for part in ("warehouse", "published", "history"):
        shutil.copytree(sample.home / part, home / part)
    return home


@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_typed_is_never_run(command, home, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("PERENNIAL_HOME", str(home))
    monkeypatch.setenv("PERENNIAL_CONNECTOR", "cdnow")
    monkeypatch.setenv(keyed_hash.KEY_VARIABLE, "a key that is long enough")
    (tmp_path / "orders.csv").write_text(
        "order_id,customer_id,ordered_at,amount\n1,2,2024-01-01,3.00\n"
    )
    before, staging = contents(home), contents(ROOT / "models" / "staging")
    for name, payload in TYPED.items():
        arguments = [
            argument.replace("FOLDER", str(tmp_path)).replace("PAYLOAD", payload)
            for argument in COMMANDS[command]
        ]
        result = CliRunner().invoke(app, arguments)
        fault = result.exception
        assert isinstance(fault, Fault), (name, fault, result.output)
        assert len(str(fault).splitlines()) <= 2, (name, str(fault))
        assert len(str(fault)) < 600, name
        assert str(fault).replace("\n", " ").isprintable(), (name, str(fault))
    after = contents(home)
    lock = "warehouse/cdnow.lock"
    assert {k: v for k, v in after.items() if k != lock} == {
        k: v for k, v in before.items() if k != lock
    }
    assert contents(ROOT / "models" / "staging") == staging
    assert [path.name for path in tmp_path.iterdir()] == ["orders.csv"]
