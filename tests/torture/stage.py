"""A small company: what was published of it, and what its new files make of that."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from looking import Look, look

ROOT = Path(__file__).parents[2]
PERENNIAL = Path(sys.executable).parent / "perennial"

#: Short fits of few models; the customers are too few for more.
SETTINGS = {
    "origin_dates": None,
    "horizons_days": [90],
    "search_trials": 0,
    "value_search_trials": 0,
    "bootstrap_draws": 0,
}

#: In place of the project's own: all models, and of the tests those that stop what is
#: too dirty, for dbt takes longer for the others than for all models.
SELECTORS = """
selectors:
  - name: full
    description: All models and seeds, and the tests on what was refused.
    definition:
      union:
        - {method: resource_type, value: model, indirect_selection: empty}
        - {method: resource_type, value: seed, indirect_selection: empty}
        - "test_name:few_refused_rows"
        - "test_name:few_refused_lines"
"""

#: The month whose files come after the first build.
LAST_MONTH = "2025-12"


@dataclass(frozen=True)
class Ended:
    """A build that ended by itself."""

    exit_code: int
    output: str


@dataclass
class Readers:
    """What processes found that read while something else was done."""

    looks_count: int = 0
    errors: list[str] = field(default_factory=list)
    contents: set[str] = field(default_factory=set)
    empty: set[str] = field(default_factory=set)


class Stage:
    """A project of its own, a company, and the home that builds are killed in.

    Builds always take place in one folder, for dbt parses all anew where the database
    lies elsewhere. Readers follow a link, which leads away while that folder is reset.

    Parameters
    ----------
    folder : Path
        Where all of it lies; what is there is used again.
    customers : int
    connector : str
    """

    def __init__(
        self, folder: Path, customers: int = 200, connector: str = "demo"
    ) -> None:
        self.folder = folder
        self.customers = customers
        self.connector = connector
        self.project = folder / "project"
        self.company = folder / "company"
        self.home = folder / "home"
        self.old_home, self.new_home = folder / "old", folder / "new"
        self.built_home = folder / "built"
        self.link = folder / "readers"
        # what dbt said of each node of `built_home`
        self.results = folder / "results.json"

    def make(self) -> None:
        """Build the old state, and from it the new one."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self._make_project()
        self._make_company()
        self.home.mkdir()
        newest = self.folder / "newest"
        for file in sorted(self.company.glob(f"raw/*/*{LAST_MONTH}*")):
            aside = newest / file.relative_to(self.company)
            aside.parent.mkdir(parents=True, exist_ok=True)
            file.rename(aside)
        self.must_build()
        shutil.copytree(self.home, self.old_home)
        for file in newest.rglob("*.*"):
            file.rename(self.company / file.relative_to(newest))
        self.must_build(command=self.dbt_command())
        self.keep_results(self.home)
        shutil.copytree(self.home, self.built_home)
        self.reset()
        began = time.monotonic()
        self.must_build()
        seconds = time.monotonic() - began
        shutil.copytree(self.home, self.new_home)
        (self.folder / "made.json").write_text(json.dumps({"seconds": seconds}))
        if self.old.content == self.new.content:
            raise RuntimeError("the new files changed nothing")

    @property
    def is_made(self) -> bool:
        """Whether an earlier run left all of it."""
        return (self.folder / "made.json").exists()

    @property
    def seconds(self) -> float:
        """How long a build takes that nothing disturbs."""
        return json.loads((self.folder / "made.json").read_text())["seconds"]

    @property
    def published(self) -> Path:
        """What readers open, in the home that builds are killed in."""
        return self.published_file(self.home)

    def published_file(self, home: Path) -> Path:
        """The published file in a home."""
        return home / "published" / f"{self.connector}.duckdb"

    @property
    def old(self) -> Look:
        """What was published before the new files came."""
        return look(self.published_file(self.old_home))

    @property
    def new(self) -> Look:
        """What a clean build publishes of all files."""
        return look(self.published_file(self.new_home))

    def _make_project(self) -> None:
        ignored = shutil.ignore_patterns("__pycache__", "python", "torture")
        for part in ("models", "python_models", "macros", "seeds", "tests"):
            shutil.copytree(ROOT / part, self.project / part, ignore=ignored)
        for name in ("dbt_project.yml", "profiles.yml", ".dbtignore"):
            if (ROOT / name).exists():
                shutil.copy(ROOT / name, self.project / name)
        (self.project / "selectors.yml").write_text(SELECTORS)

    def _make_company(self) -> None:
        subprocess.run(
            [
                *[PERENNIAL, "generate", "--months=14", f"--out={self.company}"],
                f"--customers={self.customers}",
            ],
            check=True,
            capture_output=True,
        )

    def environment(self, **more: str) -> dict[str, str]:
        """Environment of a build, with nothing of the user's."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith("PERENNIAL_")}
        return {
            **kept,
            "PERENNIAL_HOME": str(self.home),
            "PERENNIAL_DEMO_FOLDER": str(self.company),
            "DBT_LOG_LEVEL_FILE": "none",
            **more,
        }

    def _options(self, settings: dict | None = None) -> list[str]:
        return [
            f"--target-path={self.home / 'target'}",
            f"--log-path={self.home / 'logs'}",
            f"--vars={json.dumps(SETTINGS | (settings or {}))}",
        ]

    def command(self, *options: str, settings: dict | None = None) -> list[str]:
        """Command of a build that publishes."""
        return [
            *[str(PERENNIAL), "build", "--connector=demo", *options, "--"],
            *self._options(settings),
            *["--selector", "full"],
        ]

    def part_command(self, models: str, settings: dict | None = None) -> list[str]:
        """Command of a build of some models, which publishes nothing."""
        return [
            *[str(PERENNIAL), "build", "--connector=demo", "--"],
            *self._options(settings),
            *["--select", *models.split(), "--exclude", "resource_type:unit_test"],
            # a law that looks at a mart would find it behind its parts
            "--indirect-selection=cautious",
        ]

    def dbt_command(self) -> list[str]:
        """Command of dbt alone, which publishes nothing."""
        dbt = "import sys; from dbt.cli.main import cli; sys.exit(cli())"
        return [
            *[sys.executable, "-c", dbt, "build"],
            *self._options(),
            *["--selector", "full"],
        ]

    def start(self, command: list[str], **environment: str) -> subprocess.Popen:
        """Start a build in a process group of its own."""
        return subprocess.Popen(
            command,
            cwd=self.project,
            env=self.environment(**environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def build(self, command: list[str] | None = None, **environment: str) -> Ended:
        """Run a build to its end."""
        process = self.start(command or self.command(), **environment)
        output, _ = process.communicate()
        return Ended(process.returncode, output)

    def must_build(self, command: list[str] | None = None, **environment: str) -> Ended:
        """Run a build that has to succeed."""
        ended = self.build(command, **environment)
        if ended.exit_code:
            sys.exit(f"a build failed that nothing disturbed:\n{ended.output[-3000:]}")
        return ended

    def keep_results(self, home: Path) -> None:
        """Keep what dbt said of each node that it built in a home."""
        told = json.loads((home / "target" / "run_results.json").read_text())
        results = {one["unique_id"]: one["status"] for one in told["results"]}
        kept = {k: v for k, v in results.items() if k.split(".")[0] != "operation"}
        self.results.write_text(json.dumps(kept))

    def reset(self, home: Path | None = None) -> None:
        """Begin again with what was published before the new files came."""
        self.lead_readers(self.published_file(self.old_home))
        shutil.rmtree(self.home, ignore_errors=True)
        shutil.copytree(home or self.old_home, self.home)
        self.lead_readers(self.published)

    def lead_readers(self, file: Path) -> None:
        """Have readers open that file from now on."""
        unfinished = self.link.with_suffix(".new")
        unfinished.unlink(missing_ok=True)
        unfinished.symlink_to(file)
        os.replace(unfinished, self.link)

    @contextmanager
    def readers(self, count: int = 2) -> Iterator[Readers]:
        """Have processes read what is published, and tell what they found."""
        found = Readers()
        outs = [self.folder / f"reader_{number}.json" for number in range(count)]
        for out in outs:
            for path in (out, out.with_suffix(".begun")):
                path.unlink(missing_ok=True)
        script = str(Path(__file__).with_name("reader.py"))
        processes = [
            subprocess.Popen([sys.executable, script, str(self.link), str(out)])
            for out in outs
        ]
        try:
            while not all(out.with_suffix(".begun").exists() for out in outs):
                time.sleep(0.05)
            yield found
        finally:
            for process in processes:
                process.send_signal(signal.SIGTERM)
            for process in processes:
                process.wait()
            for out in outs:
                told = json.loads(out.read_text())
                found.looks_count += told["looks_count"]
                found.errors += told["errors"]
                found.contents |= set(told["contents"])
                found.empty |= set(told["empty"])

    def wrong_with_readers(self, found: Readers) -> list[str]:
        """Say what no reader may see."""
        wrong = list(found.errors)
        others = found.contents - {self.old.content, self.new.content}
        if others:
            wrong.append(f"readers saw {len(others)} contents that no build published")
        if empty := found.empty - set(self.old.empty) - set(self.new.empty):
            wrong.append(f"readers saw empty marts: {', '.join(sorted(empty))}")
        if not found.looks_count:
            wrong.append("readers saw nothing")
        return wrong

    def wrong_with_published(self, may_be: set[str]) -> list[str]:
        """Say what is wrong with what is published now."""
        from perennial.publishing.verifying import damages

        try:
            found = look(self.published)
        except Exception as error:
            return [f"{type(error).__name__}: {error}"[:300]]
        wrong = damages(self.published)
        if found.content not in may_be:
            wrong.append("what is published is neither the old nor the new")
        return wrong

    def wrong_with_leftovers(self) -> list[str]:
        """Say what a build should have cleaned up."""
        return [
            f"{path.relative_to(self.home)} was left behind"
            for pattern in ("published/.*", "**/*.part", "published/*.wal")
            for path in self.home.glob(pattern)
        ]

    def wrong_after_a_build(self, ended: Ended) -> list[str]:
        """Say in what a build after a failure differs from a clean one."""
        if ended.exit_code:
            return [f"the next build failed: {ended.output[-300:]}"]
        return self.wrong_with_published({self.new.content}) + (
            self.wrong_with_leftovers()
        )

    def publish(self, kill_at: int | str = 0, mutant: str | None = None) -> Ended:
        """Publish what dbt has built as a run of its own, killed at a line or not."""
        run_id = str(uuid.uuid4())
        manifest = self.folder / "manifest.json"
        text = (self.built_home / "target" / "manifest.json").read_text()
        before = json.loads(
            (self.built_home / "target" / "run_results.json").read_text()
        )["metadata"]["invocation_id"]
        manifest.write_text(text.replace(before, run_id))
        ended = subprocess.run(
            [
                *[sys.executable, Path(__file__).with_name("publishing.py")],
                *[self.connector, self.home, manifest, self.results],
                *[run_id, str(kill_at), *([mutant] if mutant else [])],
            ],
            env=self.environment(),
            capture_output=True,
            text=True,
        )
        return Ended(ended.returncode, ended.stdout + ended.stderr)


def with_bad_rows(orders: bytes, count: int) -> str:
    """Give a file of orders in which the last amounts are no numbers."""
    header, *lines = orders.decode().splitlines()
    place = header.split(",").index("amount")
    rows = [line.split(",") for line in lines]
    for row in rows[-count:]:
        row[place] = "much"
    return "\n".join([header, *(",".join(row) for row in rows), ""])
