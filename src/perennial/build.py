"""``dbt build`` in a subprocess, with progress, and errors of a line or two.

What is built is published, if it is whole: see `perennial.publishing`.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.progress import TimeElapsedColumn as Elapsed

from perennial.faults import Fault, UsageFault
from perennial.project import Project, lock_message
from perennial.publishing import building, run_log
from perennial.publishing.lock import Lock

#: How many lines of one error are shown; the rest is in the log.
ERROR_LINES = 3

#: How the lines begin that a model prints while it works.
PROGRESS_OF_A_MODEL = ("fit_churn: ", "fit_value: ")

#: Events that tell how a node ended.
_ENDS = frozenset(
    {
        *("LogModelResult", "LogTestResult", "LogSeedResult", "LogSnapshotResult"),
        *("LogNodeResult", "LogNodeNoOpResult", "SkippingDetails"),
    }
)

#: What dbt says of a node that did not do what it should.
_FAILED = ("error", "fail", "runtime error")

_DBT_OPTIONS = ("--log-format", "json", "--no-use-colors")

#: How an event of dbt begins.
_EVENT = '{"data": '


def build(
    project: Project,
    lock: Lock,
    dbt_arguments: list[str],
    console: Console,
    replace_changed: bool = False,
    fit_now: bool = False,
) -> str:
    """Build a connector with dbt, and publish it, showing what is done.

    Parameters
    ----------
    project : Project
    lock : Lock
        That of the project, which is held.
    dbt_arguments : list of str
        Passed on to ``dbt build`` as they are.
    console : rich.console.Console
        Where progress and errors go.
    replace_changed : bool
        Whether raw files that changed since they were read are read again.
    fit_now : bool
        Whether models of yes-or-no tasks are fitted though no fit is due.

    Returns
    -------
    str
        What became of it, in a line.

    Raises
    ------
    Fault
        If a raw file cannot be used, a model failed, a test found something, or the
        gate did not let the build pass.
    UsageFault
        If a setting or an argument is wrong, or another process holds the file.
    """
    for line in building.prepare(project):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    journal = run_log.Journal(project)
    try:
        _run_dbt(
            project, lock, dbt_arguments, console, replace_changed, fit_now, journal
        )
    except Fault:
        building.count_rows(project, journal)
        failed = [s["step"] for s in journal.steps if s["status"] in _FAILED]
        told = f"at {', '.join(failed[:3])}" if failed else "before the first step"
        journal.keep(run_log.FAILED, told)
        raise
    target = target_folder(project, dbt_arguments)
    manifest_file = target / "manifest.json"
    results = _recorded(target / "run_results.json", journal.run_id)
    with console.status("publishing") if console.is_terminal else nullcontext():
        return building.finish(project, manifest_file, dbt_arguments, results, journal)


def _run_dbt(
    project: Project,
    lock: Lock,
    dbt_arguments: list[str],
    console: Console,
    replace_changed: bool,
    fit_now: bool,
    journal: run_log.Journal,
) -> None:
    environment = os.environ | {"PERENNIAL_CONNECTOR": project.connector}
    environment.setdefault("PERENNIAL_LOCK_DOWN", "true")
    if replace_changed:
        environment["PERENNIAL_REPLACE_CHANGED_FILES"] = "true"
    if fit_now:
        environment["PERENNIAL_FIT"] = "true"
    if "PERENNIAL_HOME" in environment:
        environment["PERENNIAL_HOME"] = str(project.home)
    if folder := environment.get("PERENNIAL_DEMO_FOLDER"):  # of here, not of the root
        environment["PERENNIAL_DEMO_FOLDER"] = str(Path(folder).expanduser().absolute())
    # the same interpreter, so that no other environment's dbt is found
    dbt = "import sys; from dbt.cli.main import cli; sys.exit(cli())"
    command = [sys.executable, "-c", dbt, *_DBT_OPTIONS]
    if _has_other_settings(project, dbt_arguments):
        command.append("--no-partial-parse")
    command.append("build")
    with subprocess.Popen(
        [*command, *dbt_arguments],
        cwd=project.root,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # a dbt that outlives us still writes, and so still holds the lock
        pass_fds=[lock.descriptor],
    ) as process:
        lock.name_dbt(process.pid)
        errors, unparsed = _follow_events(
            _noted(_events(process.stdout), journal), console
        )
    if process.returncode != 0:
        for error in errors[:-1]:
            console.print(
                error, style="red", markup=False, highlight=False, soft_wrap=True
            )
        last = errors[-1] if errors else _last_line(unparsed)
        raise _fault(last, process.returncode)


def _recorded(file: Path, run_id: str) -> dict[str, str]:
    """How each node of a run ended, as dbt itself wrote it down at the end."""
    try:
        told = json.loads(file.read_text())
    except (OSError, ValueError):
        return {}
    if told["metadata"]["invocation_id"] != run_id:
        return {}
    return {one["unique_id"]: one["status"] for one in told["results"]}


def target_folder(project: Project, dbt_arguments: list[str]) -> Path:
    """Find the folder in which dbt keeps what it parsed."""
    target = os.environ.get("DBT_TARGET_PATH", "target")
    for before, argument in zip(["", *dbt_arguments], dbt_arguments, strict=False):
        if before == "--target-path" or argument.startswith("--target-path="):
            target = argument.removeprefix("--target-path=")
    return project.root / target


def _has_other_settings(project: Project, dbt_arguments: list[str]) -> bool:
    """Whether a connector's settings changed since dbt parsed the project.

    It parses again what depends on a changed macro, and does not see who depends on one
    that is called by the connector's name.
    """
    parsed = target_folder(project, dbt_arguments) / "partial_parse.msgpack"
    settings = project.root / "macros" / "connectors"
    if not (parsed.exists() and settings.exists()):
        return False
    # the folder's own time tells of a file that is gone
    times = [path.stat().st_mtime for path in [settings, *settings.iterdir()]]
    return max(times) >= parsed.stat().st_mtime


def _events(lines: Iterable[str]) -> Iterator[dict[str, Any] | str]:
    """Events of dbt's JSON log; a line that is none comes as it is.

    What a model says of itself may not have ended its line yet when dbt, from another
    thread, writes an event behind it.
    """
    for line in lines:
        start = line.find(_EVENT)
        try:
            event = json.loads(line[start:]) if start >= 0 else None
        except json.JSONDecodeError:
            event = None
        if not (isinstance(event, dict) and "info" in event):
            yield line.rstrip()
            continue
        if start > 0:
            yield line[:start].rstrip()
        yield event


def _noted(
    events: Iterator[dict[str, Any] | str],
    journal: run_log.Journal,
) -> Iterator[dict[str, Any] | str]:
    """Hand events on, and note in the journal which nodes have ended, and how."""
    for event in events:
        yield event
        if isinstance(event, str):
            continue
        journal.name(event["info"]["invocation_id"])
        node = event["data"].get("node_info") or {}
        # of an exposure nothing is built
        if event["info"]["name"] in _ENDS and node["resource_type"] != "exposure":
            # of a unit test the node itself never hears how it ended
            is_test = event["info"]["name"] == "LogTestResult"
            status = event["data"]["status"] if is_test else node["node_status"]
            journal.add(
                node["node_name"],
                node["resource_type"],
                status,
                rows_count=event["data"].get("num_failures"),
                seconds=event["data"].get("execution_time"),
            )


def _follow_events(
    events: Iterator[dict[str, Any] | str], console: Console
) -> tuple[list[str], list[str]]:
    """Show progress until dbt ends; return its errors, and lines that are no events."""
    errors, unparsed = [], []
    progress = Progress(
        TextColumn("{task.description}", justify="left"),
        BarColumn(),
        MofNCompleteColumn(),
        Elapsed(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    with progress:
        task = progress.add_task("reading the project", total=None)
        for event in events:
            if isinstance(event, str):
                if event.startswith(PROGRESS_OF_A_MODEL):
                    _tell(event, console, progress, task)
                else:
                    unparsed.append(event)
                continue
            name, data = event["info"]["name"], event["data"]
            if name == "LogStartLine":
                step = data["node_info"]["node_name"][:40]
                progress.update(task, total=data["total"], description=f"{step:<40}")
            elif name in ("LogModelResult", "LogTestResult"):
                progress.advance(task)
                if name == "LogModelResult" and not console.is_terminal:
                    console.print(
                        _model_line(data), markup=False, highlight=False, soft_wrap=True
                    )
            elif name in ("MainEncounteredError", "RunResultError"):
                errors.append(_error(name, data))
            elif name == "RunResultWarningMessage":
                warning = _error(name, data)
                console.print(
                    warning,
                    style="yellow",
                    markup=False,
                    highlight=False,
                    soft_wrap=True,
                )
    return errors, unparsed


#: How errors begin that say more than the name of the dbt model.
_TOLD_IN_A_LINE = ("raw file ", "The key ", "The model ")

_FAULT = f"{Fault.__module__}.{Fault.__name__}: "


def _model_line(data: dict[str, Any]) -> str:
    place = f"{data['index']}/{data['total']}"
    seconds = f"{data['execution_time']:.1f} s"
    node = data["node_info"]["node_relation"]
    return (
        f"{place:>9}  {data['status']:<5} {node['schema']}.{node['alias']}  {seconds}"
    )


def _error(event_name: str, data: dict[str, Any]) -> str:
    """Take the first lines of an error, without dbt's frame around them."""
    lines = [line.strip() for line in (data.get("exc") or data["msg"]).splitlines()]
    lines = [line for line in lines if line and not line.startswith("> ")]
    # a fault that a Python model raised tells itself who it is
    lines = [line.removeprefix(_FAULT) for line in lines]
    # a file, key or model that cannot be used: its line says more than the node's name
    if told := [line for line in lines if line.startswith(_TOLD_IN_A_LINE)]:
        return "\n".join(told)
    if event_name == "MainEncounteredError":
        # the first line is "Runtime Error", or "Compilation Error in model x (path)"
        return " ".join(lines[1:] or lines)
    if "Python model failed:" in lines:
        lines = [lines[0], lines[-1]]
    node = data["node_info"]["node_name"]
    if node not in lines[0]:
        lines[0] = f"{node}: {lines[0]}"
    return "\n".join(lines[:ERROR_LINES])


def _fault(error: str, returncode: int) -> Fault:
    if error.startswith(("raw file ", "The model ")):
        return Fault(error)
    if error.startswith("The key "):
        return UsageFault(error)
    if "No space left on device" in error:  # of which dbt itself may die, too
        return Fault(
            f"{error}\nThe disk is full, and readers have what they had: free some "
            "space, then run perennial build again."
        )
    if returncode == 2:
        return UsageFault(lock_message(error) or error)
    return Fault(f"{error}\nThe build stopped there; logs/dbt.log has the details.")


def _last_line(lines: list[str]) -> str:
    return next((line for line in reversed(lines) if line.strip()), "")


def _tell(line: str, console: Console, progress: Progress, task: TaskID) -> None:
    """Show what a model that takes long says of itself."""
    if console.is_terminal:
        progress.update(task, description=f"{line[:60]:<60}")
    else:
        console.print(f"{'':>9}  {line}", markup=False, highlight=False, soft_wrap=True)
