"""Kills builds, fills disks and takes memory away, and looks at what readers have then.

Writes what it tried into docs/reliability.md. `make torture` runs it.
"""

import argparse
import datetime
import json
import os
import platform
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
from looking import look
from mutants import MUTANTS
from stage import PERENNIAL, ROOT, Ended, Stage, with_bad_rows

from perennial import __version__

#: So many seconds after a build was killed, a dbt that it started still works.
SECONDS_OF_A_DBT_ALONE = 2.0

#: What the engine may take, and how many models are built at once.
MEMORY_LIMITS = ("200MB", "500MB", "2GB")
THREADS = ("1", "2", "4")


@dataclass
class Tried:
    """What was tried of a promise, and what went wrong."""

    part: str
    promises: str
    what: str
    tries: int = 0
    wrong: list[str] = field(default_factory=list)

    def note(self, wrong: list[str], where: str) -> None:
        """Count a try, and say what was wrong with it."""
        self.tries += 1
        self.wrong += [f"{where}: {one}" for one in wrong]
        print(f"  {where}: {'; '.join(wrong) or 'ok'}", flush=True)

    def row(self) -> list[str]:
        """Cells of the table."""
        today = f"{datetime.date.today():%Y-%m-%d}"
        return [
            *(self.part, self.promises, self.what, str(self.tries)),
            *(str(len(self.wrong)), __version__, today),
        ]


HEADER = ("part", "promises", "what was tried", "tries", "failures", "version", "date")


def random_kills(stage: Stage, tries: int, seed: int, minutes: float) -> Tried:
    """Kill builds at random moments, every third time the first process alone."""
    tried = Tried(
        "moments",
        "R1 R2 R4 R5",
        "a build killed at a random moment while two processes read, and built again",
    )
    chance = random.Random(seed)
    until = time.monotonic() + 60 * minutes
    with stage.readers() as found:
        while tried.tries < tries and time.monotonic() < until:
            stage.reset()
            moment = chance.uniform(0, stage.seconds)
            process = stage.start(stage.command())
            time.sleep(moment)
            if process.poll() is not None:  # it was done before
                continue
            is_alone = tried.tries % 3 == 2
            if is_alone:
                os.kill(process.pid, signal.SIGKILL)
                time.sleep(SECONDS_OF_A_DBT_ALONE)
            else:
                os.killpg(process.pid, signal.SIGKILL)
            wrong = stage.wrong_with_published({stage.old.content, stage.new.content})
            # who waits gets the lock from a dbt that was left alone, too
            again = stage.build(stage.command("--wait"))
            process.communicate()
            wrong += stage.wrong_after_a_build(again)
            who = "the first process" if is_alone else "all processes"
            tried.note(wrong, f"{who} killed after {moment:.1f} s")
    tried.wrong += stage.wrong_with_readers(found)
    tried.what += f" ({found.looks_count:,} looks)"
    return tried


def step_kills(stage: Stage, tries: int | None, seed: int) -> Tried:
    """Kill a build of each model as soon as its SQL or Python is run."""
    tried = Tried(
        "steps",
        "R1 R2 R5",
        "{} of {} models killed while they are built, then all built again",
    )
    models = sorted(
        path
        for path in (stage.new_home / "target" / "run" / "perennial").rglob("*.*")
        if path.suffix in (".sql", ".py")
        and path.is_file()
        and path.parent.suffix != ".yml"
    )
    count = len(models)
    if tries:
        models = random.Random(seed).sample(models, min(tries, len(models)))
    tried.what = tried.what.format(len(models), count)
    stage.reset()
    with stage.readers() as found:
        for model in models:
            running = stage.home / model.relative_to(stage.new_home)
            running.unlink(missing_ok=True)
            process = stage.start(stage.part_command(model.stem))
            while process.poll() is None and not running.exists():
                time.sleep(0.002)
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
                wrong = stage.wrong_with_published({stage.old.content})
                tried.note(wrong, model.stem)
        wrong = stage.wrong_after_a_build(stage.build())
    tried.wrong += wrong + stage.wrong_with_readers(found)
    tried.what += f" ({found.looks_count:,} looks)"
    return tried


def line_kills(stage: Stage, tries: int | None, seed: int) -> Tried:
    """Kill what publishes before each of its lines."""
    tried = Tried(
        "lines",
        "R1 R2 R5",
        "publishing killed before {} of its {} lines, and published again",
    )
    stage.reset(stage.built_home)
    whole = stage.publish()
    wrong = stage.wrong_after_a_build(whole)
    if wrong:
        sys.exit(f"publishing fails by itself: {wrong}\n{whole.output}")
    count = int(whole.output.split()[-1])
    lines = list(range(1, count + 1))
    if tries:
        lines = sorted(random.Random(seed).sample(lines, min(tries, len(lines))))
    tried.what = tried.what.format(len(lines), count)
    with stage.readers() as found:
        for number in lines:
            stage.reset(stage.built_home)
            tried.note(_killed_at_a_line(stage, number), f"line {number}")
    tried.wrong += stage.wrong_with_readers(found)
    tried.what += f" ({found.looks_count:,} looks)"
    return tried


def _killed_at_a_line(stage: Stage, number: int, mutant: str | None = None) -> list:
    killed = stage.publish(kill_at=number, mutant=mutant)
    if killed.exit_code != -signal.SIGKILL:
        return [f"it was not killed: {killed.output}"]
    wrong = stage.wrong_with_published({stage.old.content, stage.new.content})
    return wrong + stage.wrong_after_a_build(stage.publish(mutant=mutant))


def full_disk(stage: Stage) -> Tried:
    """Fill the disk before a build, while it runs, and while it is published."""
    tried = Tried(
        "disk",
        "R6",
        "a disk of its own full before a build, during it, while it is published; "
        "then free again",
    )
    with _disk(stage) as small:
        if small is None:
            print("  no disk of its own here: mounting one needs root", flush=True)
            return tried
        for when in ("before", "during", "publishing"):
            small.reset(stage.built_home if when == "publishing" else None)
            with small.readers() as found:
                wrong = _filled(small, when)
                again = small.publish() if when == "publishing" else small.build()
                wrong += small.wrong_after_a_build(again)
            tried.note(wrong + small.wrong_with_readers(found), f"full {when}")
    return tried


@contextmanager
def _disk(stage: Stage):
    """Lend a stage whose home lies on a small disk, where that can be had."""
    place = stage.folder / "disk"
    place.mkdir(exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=400m", "tmpfs", place],
        capture_output=True,
    )
    if mounted.returncode:
        yield None
        return
    try:
        small = Stage(stage.folder, stage.customers, stage.connector)
        small.home = place / "home"
        yield small
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


def _filled(stage: Stage, when: str) -> list[str]:
    filler = stage.home.parent / "filler"

    def fill(left: int) -> None:
        with filler.open("wb", buffering=0) as file:
            while (free := shutil.disk_usage(filler.parent).free) > left:
                try:
                    file.write(bytes(min(free - left, 2**20)))
                except OSError:  # somebody else took the last block
                    return

    before = look(stage.published)
    try:
        if when == "before":
            fill(left=2**20)
            ended = stage.build()
            told = "free some space"
        elif when == "during":
            process = stage.start(stage.command())
            for line in process.stdout:
                if "intermediate." in line:
                    fill(left=0)
                    break
            rest, _ = process.communicate()
            ended = Ended(process.returncode, rest)
            told = "No space left on device"
        else:
            fill(left=2**20)
            # the check before a build would refuse: here the disk fills up after it
            ended = stage.publish(mutant="no space check")
            told = "is full"
        wrong = []
        if ended.exit_code != 1:
            wrong.append(f"exit code {ended.exit_code}")
        if told not in ended.output or "Traceback" in ended.output:
            wrong.append(f"no plain message: {ended.output[-300:]}")
        if look(stage.published) != before:
            wrong.append("what is published changed")
        return wrong
    finally:
        filler.unlink(missing_ok=True)


def little_memory(stage: Stage) -> Tried:
    """Build with less and more memory, and with fewer and more models at once."""
    tried = Tried(
        "memory",
        "R3 R6",
        f"memory of {', '.join(MEMORY_LIMITS)} and {', '.join(THREADS)} models at once "
        "give the same hashes",
    )
    for memory in MEMORY_LIMITS:
        stage.reset()
        ended = stage.build(PERENNIAL_MEMORY_LIMIT=memory)
        tried.note(stage.wrong_after_a_build(ended), memory)
    for threads in THREADS:
        stage.reset()
        ended = stage.build(PERENNIAL_THREADS=threads)
        tried.note(stage.wrong_after_a_build(ended), f"{threads} at once")
    return tried


def threshold(stage: Stage) -> Tried:
    """Deliver as many bad rows as may be refused, and one more."""
    tried = Tried(
        "threshold", "R8", "as many bad rows as may be refused pass, and one more stops"
    )
    file = max(stage.company.glob("raw/orders/*.csv"))
    good = file.read_bytes()
    few = 5
    try:
        stage.reset()
        file.write_text(with_bad_rows(good, few))
        refused, share = _refused_by(stage, file)
        for count, is_stopped in ((few, False), (few + 1, True)):
            stage.reset()
            before = look(stage.published)
            file.write_text(with_bad_rows(good, count))
            ended = stage.build(
                stage.command(settings={"refused_rows_threshold": share})
            )
            wrong = []
            if bool(ended.exit_code) != is_stopped:
                wrong.append(f"exit code {ended.exit_code}: {ended.output[-300:]}")
            is_same = look(stage.published) == before
            if is_same != is_stopped:
                wrong.append("published though it stopped, or not though it passed")
            tried.note(wrong, f"{count} bad rows, {refused + count - few} refused")
    finally:
        file.write_bytes(good)
    return tried


def _refused_by(stage: Stage, file: Path) -> tuple[int, float]:
    """Count the refused rows of a file, and their share of it."""
    ended = stage.build(stage.command(settings={"refused_rows_threshold": 1}))
    if ended.exit_code:
        sys.exit(ended.output[-2000:])
    working = stage.home / "warehouse" / "demo.duckdb"
    with duckdb.connect(str(working), read_only=True) as connection:
        refused, delivered = connection.execute(
            "select count(*) filter (where reject_reason is not null), count(*)"
            " from intermediate.int_checked_orders where source_file = ?",
            [file.name],
        ).fetchone()
    return refused, refused / delivered


def mutated(stage: Stage, names: list[str]) -> list[list[str]]:
    """Break one promise after the other, and see what is meant to notice it notice."""
    rows = []
    for name in names:
        mutant = MUTANTS[name]
        print(f"mutant: {name}", flush=True)
        told = mutant.caught(stage, name).replace(f"{stage.folder}/", "")
        rows.append([name, mutant.what, mutant.by, told or "NOT CAUGHT"])
        print(f"  {told or 'NOT CAUGHT'}", flush=True)
    return rows


#: Builds of the demo company, one after the other, and what they are called.
SELECTED = {
    "full": ["--selector", "full"],
    "inference_daily": ["--selector", "inference_daily"],
    "training": ["--selector", "training"],
}


def selectors(folder: Path) -> list[list[str]]:
    """Measure what each named selector costs after a full build of the demo company."""
    home = folder / "selected"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    rows = []

    def build(what: str, *options: str, selected: list[str] | None = None) -> None:
        began = time.monotonic()
        ended = subprocess.run(
            [
                *[PERENNIAL, "build", "--connector=demo", *options, "--"],
                *[f"--target-path={home / 'target'}", f"--log-path={home / 'logs'}"],
                *(selected or []),
            ],
            cwd=ROOT,
            env=os.environ | {"PERENNIAL_HOME": str(home)},
            capture_output=True,
            text=True,
        )
        if ended.returncode:
            sys.exit(ended.stdout[-2000:] + ended.stderr[-2000:])
        seconds = time.monotonic() - began
        results = json.loads((home / "target" / "run_results.json").read_text())
        kinds = Counter(one["unique_id"].split(".")[0] for one in results["results"])
        tests = kinds["test"] + kinds["unit_test"]
        cells = (what, str(kinds["model"]), str(tests), f"{seconds:.0f}")
        rows.append([*cells, f"{datetime.date.today():%Y-%m-%d}"])
        print(f"  {', '.join(rows[-1])}", flush=True)

    build("from nothing, everything fitted")
    for name, selected in SELECTED.items():
        build(f"`{name}`, no fit due", selected=selected)
    build("`training`, fitted anew", "--fit", selected=SELECTED["training"])
    return rows


def write_rows(part: str, header: tuple[str, ...], rows: list[list[str]]) -> None:
    """Put rows into a table of the page, in place of those of the same name."""
    page = ROOT / "docs" / "reliability.md"
    begin, end = f"<!-- {part}: begin -->\n", f"<!-- {part}: end -->"
    head, _, rest = page.read_text().partition(begin)
    table, _, tail = rest.partition(end)
    known = {
        line.split("|")[1].strip(): line
        for line in table.splitlines()[2:]
        if line.startswith("|")
    }
    for row in rows:
        cells = [cell.replace("|", "/") for cell in row]
        known[row[0]] = f"| {' | '.join(cells)} |"
    lines = [f"| {' | '.join(header)} |", f"|{' --- |' * len(header)}"]
    page.write_text(
        head + begin + "\n".join([*lines, *known.values()]) + "\n" + end + tail
    )


def main() -> None:
    """Try what was asked for, and render the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "torture")
    parser.add_argument("--again", action="store_true", help="use what lies there")
    parser.add_argument("--only", nargs="*", default=None, help="these parts alone")
    parser.add_argument("--tries", type=int, default=50, help="random moments")
    parser.add_argument(
        "--minutes", type=float, default=240, help="no more of them after so long"
    )
    parser.add_argument("--steps", type=int, help="so many models; all if not said")
    parser.add_argument("--lines", type=int, help="so many lines; all if not said")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--mutants", nargs="*", help="these mutants alone, or all")
    arguments = parser.parse_args()
    stage = Stage(arguments.folder.absolute())
    if arguments.only == ["selectors"]:
        header = ("after a full build", "models", "tests", "seconds", "date")
        write_rows("selectors", header, selectors(stage.folder))
        return
    if not (arguments.again and stage.is_made):
        print("building the old state and the new one", flush=True)
        stage.make()
    if arguments.mutants is not None:
        _end(stage, [], arguments.mutants or list(MUTANTS))
    parts: dict[str, Callable[[], Tried]] = {
        "moments": lambda: random_kills(
            stage, arguments.tries, arguments.seed, arguments.minutes
        ),
        "steps": lambda: step_kills(stage, arguments.steps, arguments.seed),
        "lines": lambda: line_kills(stage, arguments.lines, arguments.seed),
        "disk": lambda: full_disk(stage),
        "memory": lambda: little_memory(stage),
        "threshold": lambda: threshold(stage),
    }
    found = []
    for name in arguments.only or parts:
        print(name, flush=True)
        tried = parts[name]()
        if tried.tries:
            write_rows("torture", HEADER, [tried.row()])
        found.append(tried)
    _end(stage, found, [] if arguments.only else list(MUTANTS))


def _end(stage: Stage, found: list[Tried], mutants: list[str]) -> None:
    rows = mutated(stage, mutants)
    if rows:
        header = ("mutant", "what it breaks", "what must notice", "what it said")
        write_rows("mutants", header, rows)
    wrong = [f"{tried.part}: {one}" for tried in found for one in tried.wrong]
    wrong += [f"mutant {row[0]}: not caught" for row in rows if "NOT" in row[3]]
    print(f"DuckDB {duckdb.__version__}, Python {platform.python_version()}")
    print("\n".join(wrong) or "everything holds")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
