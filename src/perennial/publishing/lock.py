"""One writer at a time for a connector, and who that is."""

import datetime
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from perennial.faults import LockFault
from perennial.project import Project

#: A look at who holds the lock takes it for a moment: who writes tries for so long.
SECONDS_OF_A_LOOK = 0.1

#: How long who waits sleeps between two tries.
SECONDS_BETWEEN_TRIES = 0.5


@dataclass(frozen=True)
class Holder:
    """Who holds a lock.

    Attributes
    ----------
    pid : int or None
        The process; None where the file does not tell.
    started_at : str
        Since when, in UTC.
    command : str
    dbt_pid : int or None
        The dbt that it started. It holds the lock as well, and outlives it.
    """

    pid: int | None = None
    started_at: str = "an unknown time"
    command: str = "another command"
    dbt_pid: int | None = None

    def __str__(self) -> str:
        """Name the holder in half a line."""
        told = f"{self.command} (PID {self.pid or 'unknown'}, since {self.started_at})"
        if self.pid and not _is_alive(self.pid):
            who = f"PID {self.dbt_pid}" if self.dbt_pid else "a process"
            told += f", which is gone, but {who} that it started is still at work"
        return told


class Lock:
    """A lock that is held.

    Attributes
    ----------
    descriptor : int
        To be passed on to processes that write on behalf of the holder.
    """

    def __init__(self, descriptor: int, command: str) -> None:
        self.descriptor = descriptor
        self._holder = {
            "pid": os.getpid(),
            "started_at": _now(),
            "command": command,
        }
        self._write()

    def name_dbt(self, pid: int) -> None:
        """Say which dbt works under the lock."""
        self._holder["dbt_pid"] = pid
        self._write()

    def _write(self) -> None:
        text = json.dumps(self._holder).encode()
        os.ftruncate(self.descriptor, 0)
        os.pwrite(self.descriptor, text, 0)


@contextmanager
def held(
    project: Project,
    command: str,
    wait: bool = False,
    tell: Callable[[str], None] = lambda line: None,
) -> Iterator[Lock]:
    """Hold the lock of a connector.

    Parameters
    ----------
    project : Project
    command : str
        What others are told is at work.
    wait : bool
        Whether to wait for whom holds it.
    tell : callable
        Is told for whom one waits.

    Raises
    ------
    LockFault
        If another one holds it, and one does not wait.
    """
    project.lock_file.parent.mkdir(parents=True, exist_ok=True)
    # it is not inherited unless it is passed on
    descriptor = os.open(project.lock_file, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _take(descriptor, project, wait, tell)
        yield Lock(descriptor, command)
    finally:
        # no unlock: a dbt that was started may hold it longer
        os.close(descriptor)


def _take(
    descriptor: int, project: Project, wait: bool, tell: Callable[[str], None]
) -> None:
    until = time.monotonic() + SECONDS_OF_A_LOOK
    told = ""
    while not _is_taken(descriptor, fcntl.LOCK_EX):
        if time.monotonic() < until:
            time.sleep(SECONDS_OF_A_LOOK / 10)
            continue
        who = str(_read(descriptor))
        if not wait:
            raise LockFault(
                f"{project.connector} is being written by {who}: wait for it, or say "
                "--wait where the command has it."
            )
        if who != told:
            tell(f"waiting for {who}")
            told = who
        time.sleep(SECONDS_BETWEEN_TRIES)


def holder(project: Project) -> Holder | None:
    """Tell who holds the lock of a connector; None if nobody does."""
    try:
        descriptor = os.open(project.lock_file, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        if _is_taken(descriptor, fcntl.LOCK_SH):
            return None
        return _read(descriptor)
    finally:
        os.close(descriptor)


def _is_taken(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(descriptor: int) -> Holder:
    try:
        told = json.loads(os.pread(descriptor, 4096, 0))
        return Holder(
            **{name: told[name] for name in Holder.__match_args__ if name in told}
        )
    except (ValueError, TypeError):  # it is just being written
        return Holder()


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    return True


def _now() -> str:
    return f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M:%S} UTC"
