"""Every message that a night can bring has its entry in the runbook."""

import ast
from pathlib import Path

import pytest
from conftest import ROOT

pytestmark = pytest.mark.publish

SOURCE = ROOT / "src" / "perennial"

#: Where messages come from that are read when nobody is at the keyboard; `init`,
#: `generate`, `prove` and what draws charts are called by a person who reads the line.
MODULES = (
    *("build.py", "project.py", "reading.py", "demo.py", "erase.py", "registry.py"),
    *("model_registry.py", "explaining.py", "follow.py"),
    *("publishing/*.py", "delivering/*.py"),
)


def messages(file: Path) -> dict[str, str]:
    """The longest words in each message of a fault, by where it is raised."""
    found = {}
    for node in ast.walk(ast.parse(file.read_text())):
        if not (isinstance(node, ast.Call) and node.args):
            continue
        name = getattr(node.func, "id", "")
        if not name.endswith("Fault"):
            continue
        parts = [
            " ".join(part.value.split()).strip(" ().:,")
            for part in ast.walk(node.args[0])
            if isinstance(part, ast.Constant) and isinstance(part.value, str)
        ]
        if parts:
            place = f"{file.relative_to(SOURCE)}:{node.lineno}"
            found[place] = max(parts, key=len)
    return found


def test_every_message_is_in_the_runbook():
    page = " ".join((ROOT / "docs" / "runbook.md").read_text().split())
    files = [file for pattern in MODULES for file in SOURCE.glob(pattern)]
    found = {k: v for file in files for k, v in messages(file).items()}
    assert len(found) > 50
    missing = {place: told for place, told in found.items() if told not in page}
    assert missing == {}


def test_messages_are_found_however_they_are_put_together():
    """Else the test above could not fail."""
    file = SOURCE / "publishing" / "space.py"
    assert [told for told in messages(file).values() if "free some space" in told]
