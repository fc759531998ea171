"""Promises broken on purpose: what is meant to notice each of them has to notice it.

A check says what is wrong. Of the code as it is that must be nothing, and of the mutant
something.
"""

import json
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from looking import look
from stage import ROOT, Stage, with_bad_rows

from perennial.project import Project
from perennial.publishing import building, candidate, files, gate, lock
from perennial.publishing.tables import quoted

Check = Callable[[Stage, str | None], list[str]]


@dataclass(frozen=True)
class Mutant:
    """Code that breaks a promise.

    Attributes
    ----------
    what : str
        What it breaks.
    by : str
        What has to notice.
    mutate : callable
        Breaks it, in the process that publishes.
    check : callable
        Says what is wrong, with a mutant or without one.
    """

    what: str
    by: str
    mutate: Callable[[], None]
    check: Check | None = None

    def caught(self, stage: Stage, name: str) -> str:
        """Say what was noticed; nothing where it was not, or is always."""
        if wrong := self.check(stage, None):
            return f"NOT CAUGHT, for it is wrong without the mutant: {wrong[0]}"
        wrong = self.check(stage, name)
        return wrong[0] if wrong else ""


# --- publish by copy ------------------------------------------------------------------


def copy_in_place(whole: Path, file: Path) -> None:
    """Write over what readers have open, a half after the other."""
    content = whole.read_bytes()
    with file.open("wb") as written:
        written.write(content[: len(content) // 2])
        written.flush()
        written.write(content[len(content) // 2 :])
    whole.unlink()


def publish_by_copy() -> None:
    """Put files in place by writing over them."""
    files.put_in_place = copy_in_place


def check_kills(stage: Stage, mutant: str | None) -> list[str]:
    """Kill where a file is put in place, before each line of it."""
    function = copy_in_place if mutant else files.put_in_place
    first = function.__code__.co_firstlineno
    lines = {line for *_, line in function.__code__.co_lines() if line} - {first}
    for line in sorted(lines):
        stage.reset(stage.built_home)
        place = f"{function.__code__.co_filename}:{line}"
        killed = stage.publish(kill_at=place, mutant=mutant)
        if killed.exit_code == -signal.SIGKILL and (
            wrong := stage.wrong_with_published({stage.old.content, stage.new.content})
        ):
            return wrong
    return []


# --- no lock --------------------------------------------------------------------------


def no_lock() -> None:
    """Let everybody write."""
    lock._is_taken = lambda descriptor, kind: True


def check_second_writer(stage: Stage, mutant: str | None) -> list[str]:
    """Publish while the lock is held."""
    stage.reset(stage.built_home)
    with lock.held(Project(ROOT, stage.home, stage.connector), "another build"):
        ended = stage.publish(mutant=mutant)
    if ended.exit_code != 75 or "another build" not in ended.output:
        return [f"a second writer ended with {ended.exit_code}, not with 75"]
    return []


# --- no hash check --------------------------------------------------------------------

_copy = candidate._copy


def lose_a_row() -> None:
    """Copy all rows but one of the customers."""

    def copy(connection, one) -> None:
        _copy(connection, one)
        if one.table.name == "dim_customers":
            table = f"marts.{quoted(one.table.name)}"
            connection.execute(
                f"delete from {table} where customer_id ="
                f" (select min(customer_id) from {table})"
            )

    candidate._copy = copy


def no_hash_check() -> None:
    """Lose a row, and believe the copy."""
    lose_a_row()
    building.damages = lambda file: []


def check_copy(stage: Stage, mutant: str | None) -> list[str]:
    """Publish a copy that lost a row."""
    stage.reset(stage.built_home)
    before = look(stage.published)
    ended = stage.publish(mutant=mutant or "a row lost")
    try:
        is_same = look(stage.published) == before
    except ValueError as error:
        return [str(error)]
    return [] if is_same and ended.exit_code == 1 else ["it was published"]


# --- no gate --------------------------------------------------------------------------


def no_gate() -> None:
    """Let every run pass, whatever its tests said."""
    gate.PASSED = gate.PASSED | {"fail"}


def check_gate(stage: Stage, mutant: str | None) -> list[str]:
    """Publish a run of which a test failed."""
    stage.reset(stage.built_home)
    before = look(stage.published)
    told = stage.results.read_text()
    failed = json.loads(told)
    failed[max(one for one in failed if one.startswith("test."))] = "fail"
    stage.results.write_text(json.dumps(failed))
    try:
        ended = stage.publish(mutant=mutant)
    finally:
        stage.results.write_text(told)
    if ended.exit_code != 1 or look(stage.published) != before:
        return ["a run was published of which a test had failed"]
    return []


# --- lenient reading ------------------------------------------------------------------


def check_lines(stage: Stage, mutant: str | None) -> list[str]:
    """Deliver a bad row, and build to the laws about lines; the mutant drops it."""
    model = stage.project / "models" / "intermediate" / "int_checked_orders.sql"
    code = model.read_text()
    file = max(stage.company.glob("raw/orders/*.csv"))
    orders = file.read_bytes()
    stage.reset()
    if mutant:
        model.write_text(f"{code.rstrip()} where reject_reason is null\n")
    file.write_text(with_bad_rows(orders, 1))
    try:
        ended = stage.build(
            stage.part_command(
                "+quarantine +input_files", {"refused_rows_threshold": 1}
            )
        )
    finally:
        model.write_text(code)
        file.write_bytes(orders)
    if not ended.exit_code:
        return []
    laws = [line for line in ended.output.splitlines() if "assert_" in line]
    return laws or [f"it failed in another way: {ended.output[-300:]}"]


# --- what is no mutant of a promise, but needed to try one ----------------------------


def no_space_check() -> None:
    """Begin whatever the disk has left."""
    building.check_space = lambda project: None


MUTANTS = {
    "publish by copy": Mutant(
        "the published file is written over in place of being replaced",
        "readers after a kill at each line that puts a file in place",
        publish_by_copy,
        check_kills,
    ),
    "no lock": Mutant(
        "a second writer is let in",
        "exit code and message of a second writer",
        no_lock,
        check_second_writer,
    ),
    "no hash check": Mutant(
        "a copy that lost a row is believed",
        "a reader that counts the rows and compares",
        no_hash_check,
        check_copy,
    ),
    "no gate": Mutant(
        "a run is published of which a test failed",
        "what is published after a red test",
        no_gate,
        check_gate,
    ),
    "lenient reading": Mutant(
        "rows that cannot be used are dropped and not refused",
        "the laws that count lines",
        lambda: None,
        check_lines,
    ),
}

#: What breaks nothing that is promised.
SABOTEURS = {"a row lost": lose_a_row, "no space check": no_space_check}


def mutate(name: str) -> None:
    """Break what a name says."""
    (SABOTEURS[name] if name in SABOTEURS else MUTANTS[name].mutate)()
