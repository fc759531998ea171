"""README and walk-through say what the marts say, to the digit."""

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from conftest import PERENNIAL, ROOT


@pytest.fixture(scope="module")
def home(master, demo, tmp_path_factory) -> Path:
    """The files of both connectors in one home, as a person has them."""
    home = tmp_path_factory.mktemp("pages")
    for build in (master, demo):
        for file in (build.file, build.published):
            (home / file.parent.name).mkdir(exist_ok=True)
            (home / file.parent.name / file.name).symlink_to(file)
    return home


PAGES = ["README.md", "docs/methods.md", "docs/settings.md", "docs/walkthrough.md"]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_says_what_the_marts_say(home, page):
    checked = subprocess.run(
        [Path(sys.executable).parent / "cog", "--check", "-I", "docs", page],
        cwd=ROOT,
        env=os.environ | {"PERENNIAL_HOME": str(home)},
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr + "run: make render"


@pytest.mark.parametrize(
    ("page", "figure", "wrong"),
    [
        ("README.md", "-14.3%", "-14.2%"),
        ("README.md", "69,659", "69,658"),
        ("README.md", "| customers | 2,000", "| customers | 1,999"),
        ("docs/methods.md", "0.840", "0.841"),
        ("docs/methods.md", "7.4%", "7.5%"),
        ("docs/settings.md", "1 to 3650", "1 to 365"),
        ("docs/walkthrough.md", "29.33", "29.34"),
    ],
)
def test_a_changed_figure_would_be_noticed(home, page, figure, wrong, tmp_path):
    text = (ROOT / page).read_text()
    changed = tmp_path / "page.md"
    changed.write_text(text.replace(figure, wrong))
    assert changed.read_text() != text
    checked = subprocess.run(
        [Path(sys.executable).parent / "cog", "--check", "-I", "docs", changed],
        cwd=ROOT,
        env=os.environ | {"PERENNIAL_HOME": str(home)},
        capture_output=True,
    )
    assert checked.returncode == 5


def digest(svg: Path) -> str:
    """The digest of the data that a chart was drawn from, which it carries."""
    (found,) = re.findall(r"data sha256 ([0-9a-f]{64})", svg.read_text())
    return found


def test_the_charts_in_the_readme_are_of_these_marts(master, tmp_path):
    drawn = subprocess.run(
        [PERENNIAL, "charts", "--connector", "cdnow", "--folder", tmp_path],
        cwd=ROOT,
        env=os.environ | {"PERENNIAL_HOME": str(master.home)},
        capture_output=True,
        text=True,
    )
    assert drawn.returncode == 0, drawn.stderr
    shown = sorted((ROOT / "docs" / "charts").glob("*.svg"))
    assert [file.name for file in shown] == sorted(f.name for f in tmp_path.iterdir())
    assert [digest(f) for f in shown] == [digest(tmp_path / f.name) for f in shown]
    for file in shown:
        ElementTree.parse(file)
        assert f"docs/charts/{file.name}" in (ROOT / "README.md").read_text()


def test_the_charts_of_churn_are_of_these_marts(demo, tmp_path):
    drawn = subprocess.run(
        [PERENNIAL, "report", "churn", "--connector", "demo", "--folder", tmp_path],
        cwd=ROOT,
        env=os.environ | {"PERENNIAL_HOME": str(demo.home)},
        capture_output=True,
        text=True,
    )
    assert drawn.returncode == 0, drawn.stderr
    shown = sorted((ROOT / "docs" / "charts" / "churn").glob("*.svg"))
    assert [file.name for file in shown] == sorted(f.name for f in tmp_path.iterdir())
    assert [digest(f) for f in shown] == [digest(tmp_path / f.name) for f in shown]
    page = (ROOT / "docs" / "methods.md").read_text()
    for file in shown:
        ElementTree.parse(file)
        assert f"charts/churn/{file.name}" in page


def test_links_between_pages_lead_somewhere():
    for page in ROOT.glob("**/*.md"):
        if any(part.startswith((".venv", "target")) for part in page.parts):
            continue
        for link in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            if "://" not in link:
                assert (page.parent / link).exists(), (page.name, link)


def test_the_chart_of_reasons_in_the_readme_is_of_these_marts(home, tmp_path):
    drawn = subprocess.run(
        [sys.executable, "docs/figures.py", tmp_path],
        cwd=ROOT,
        env=os.environ | {"PERENNIAL_HOME": str(home)},
        capture_output=True,
        text=True,
    )
    assert drawn.returncode == 0, drawn.stderr
    (chart,) = tmp_path.iterdir()
    shown = ROOT / "docs" / "charts" / "reasons" / chart.name
    assert digest(shown) == digest(chart)
    assert f"docs/charts/reasons/{chart.name}" in (ROOT / "README.md").read_text()
