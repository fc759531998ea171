"""What a run did, step by step: on disk as it happens, then a file of the history."""

import datetime
import json
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import duckdb

from perennial.project import Project
from perennial.publishing import files
from perennial.publishing.tables import ADDED, LOG, connect, literal, utc_now

#: How a run can end that did not fail by itself.
PUBLISHED, NOT_PUBLISHED, STOPPED, FAILED, KILLED = (
    *("published", "not_published", "stopped", "failed", "killed"),
)

#: The step that stands for the run as a whole.
RUN_STEP = "build"


class Journal:
    """The steps of one run.

    They are written as they end, so that a run that is killed has told what it did.

    Attributes
    ----------
    run_id : str
        What dbt calls the run, once it has said so.
    started_at : datetime
        In UTC.
    steps : list of dict
        Rows of ``run_log``, without the run as a whole.
    """

    def __init__(self, project: Project) -> None:
        self._file = _file(project)
        self._folder = folder(project)
        self.run_id = str(uuid.uuid4())
        self.started_at = utc_now()
        self._began = time.monotonic()
        self.steps: list[dict[str, Any]] = []
        self._write()

    def name(self, run_id: str) -> None:
        """Take the id that dbt gives the run."""
        if run_id != self.run_id:
            self.run_id = run_id
            self._write()

    def add(
        self,
        step: str,
        kind: str,
        status: str,
        rows_count: int | None = None,
        seconds: float | None = None,
        message: str | None = None,
    ) -> None:
        """Note a step that has ended now."""
        row = {
            "started_at": utc_now() - datetime.timedelta(seconds=seconds or 0),
            "step": step,
            "kind": kind,
            "status": status,
            "rows_count": rows_count,
            "seconds": None if seconds is None else round(seconds, 3),
            "message": message,
        }
        self.steps.append(row)
        # a disk that is full ends the build elsewhere, and in better words
        with suppress(OSError), self._file.open("a") as file:
            file.write(_json(row))

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Note a step of publishing, whether it fails or not."""
        began = time.monotonic()
        try:
            yield
        except BaseException:
            self.add(name, "publishing", "error", seconds=time.monotonic() - began)
            raise
        self.add(name, "publishing", "success", seconds=time.monotonic() - began)

    def count_rows(self, counts: dict[str, int]) -> None:
        """Say how many rows the tables hold that the run made, by their names."""
        for row in self.steps:
            if row["kind"] in ("model", "seed"):
                row["rows_count"] = counts.get(row["step"], row["rows_count"])
        self._write()

    def rows(self, status: str, message: str | None = None) -> list[dict[str, Any]]:
        """Give all rows of the run, the first one of the run as a whole."""
        whole = {
            "started_at": self.started_at,
            "step": RUN_STEP,
            "kind": "run",
            "status": status,
            "rows_count": None,
            "seconds": round(time.monotonic() - self._began, 3),
            "message": message,
        }
        return [{"run_id": self.run_id, **row} for row in [whole, *self.steps]]

    def keep(self, status: str, message: str | None = None) -> None:
        """End the run: its rows become a file of the history.

        Where they cannot be written, the next run keeps what was written as it went.
        """
        with suppress(OSError, duckdb.Error):
            _keep(self._folder, self.run_id, self.rows(status, message))
            self._file.unlink(missing_ok=True)

    def _write(self) -> None:
        first = {"run_id": self.run_id, "started_at": self.started_at}
        part = files.beside(self._file, files.PART)
        with suppress(OSError):
            part.write_text("".join(map(_json, [first, *self.steps])))
            os.replace(part, self._file)


def keep_killed(project: Project, published_run: str | None) -> str | None:
    """Keep the steps of a run that was killed, and say in a line what it was.

    Parameters
    ----------
    project : Project
        One whose lock is held.
    published_run : str or None
        Which run is published: it may have been killed after that.
    """
    file = _file(project)
    if not file.exists():
        return None
    found = []
    for line in file.read_text().splitlines():
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError:  # the last line may be cut
            continue
    if not found or "run_id" not in found[0]:
        files.set_aside(file, "unreadable")
        return None
    first, *steps = found
    last = steps[-1]["step"] if steps else "the first step"
    whole = {
        "step": RUN_STEP,
        "kind": "run",
        "status": PUBLISHED if first["run_id"] == published_run else KILLED,
        "message": f"killed after {last}",
    }
    rows = [{"started_at": first["started_at"], **whole}, *steps]
    _keep(
        folder(project),
        first["run_id"],
        [{"run_id": first["run_id"], **row} for row in rows],
    )
    file.unlink()
    return (
        f"the run that began at {first['started_at'][:19]} UTC was killed after {last}"
    )


def folder(project: Project) -> Path:
    """Where the log of every run lies."""
    return project.history_folder / LOG


def log_query(project: Project) -> str:
    """Give every row of the log so far, as SQL."""
    kept = sorted(folder(project).glob("*.parquet"))
    names = ", ".join(
        f"cast({name} as {kind}) as {name}" for name, kind in ADDED[LOG].items()
    )
    if not kept:
        return (
            f"select {names} from (select "
            + ", ".join(f"null as {name}" for name in ADDED[LOG])
            + ") where false"
        )
    listed = ", ".join(literal(path) for path in kept)
    return f"select {names} from read_parquet([{listed}], union_by_name = true)"


def add_rows(
    connection: duckdb.DuckDBPyConnection, table: str, rows: list[dict[str, Any]]
) -> None:
    """Append rows of the log to a table that has its columns."""
    shape = json.dumps([ADDED[LOG]])
    connection.execute(
        f"insert into {table} by name select unnest(row, recursive := true)"
        " from (select unnest(from_json(?, ?)) as row)",
        [json.dumps(rows, default=str), shape],
    )


def _keep(kept: Path, run_id: str, rows: list[dict[str, Any]]) -> None:
    kept.mkdir(parents=True, exist_ok=True)
    file = kept / f"{run_id}.parquet"
    part = files.beside(file, files.PART)
    with connect() as connection:
        columns = ", ".join(f"{name} {kind}" for name, kind in ADDED[LOG].items())
        connection.execute(f"create table kept ({columns})")
        add_rows(connection, "kept", rows)
        connection.execute(f"copy kept to {literal(part)} (format parquet)")
    files.put_in_place(part, file)


def _file(project: Project) -> Path:
    return project.working_file.with_suffix(".running.jsonl")


def _json(row: dict[str, Any]) -> str:
    return json.dumps(row, default=str) + "\n"
