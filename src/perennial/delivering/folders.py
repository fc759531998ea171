"""Folders that are put in place whole, in one step."""

import ctypes
import errno
import fcntl
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from perennial.faults import LockFault
from perennial.publishing import files

#: The flag that lets two names change places; Linux and macOS have the same.
_EXCHANGE = 2

#: What a file system says that cannot do it.
_CANNOT = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP}


@contextmanager
def put_in_place(folder: Path) -> Iterator[Path]:
    """Give an empty folder to fill, which then takes the place of another one.

    Who lists the other one sees all old files, or all new ones. If filling it fails,
    all is as before.

    Parameters
    ----------
    folder : Path
        Need not be there. What it holds is gone afterwards.

    Raises
    ------
    LockFault
        If another process fills the same one.
    OSError
        If the disk is full or refuses.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = _beside(folder, files.PART)
    with _only_writer(folder):
        _clean_up(folder, part)
        part.mkdir()
        try:
            yield part
            for path in part.iterdir():
                files.sync(path)
            files.sync(part)
            _swap(part, folder)
            files.sync(folder.parent)
        finally:
            shutil.rmtree(part, ignore_errors=True)


@contextmanager
def _only_writer(folder: Path) -> Iterator[None]:
    descriptor = os.open(_beside(folder, ".lock"), os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LockFault(f"Another process fills {folder}: wait for it.") from None
        yield
    finally:
        os.close(descriptor)


def _clean_up(folder: Path, part: Path) -> None:
    """Bring to an end what a killed run left."""
    before = _beside(folder, ".before")
    if before.exists() and not folder.exists():
        os.rename(before, folder)
    for left in (part, before):
        shutil.rmtree(left, ignore_errors=True)


def _swap(part: Path, folder: Path) -> None:
    if not folder.exists():
        os.rename(part, folder)
    elif not _exchange(part, folder):
        # two steps, between which there is none: as well as this file system can
        before = _beside(folder, ".before")
        os.rename(folder, before)
        os.rename(part, folder)
        shutil.rmtree(before)


def _exchange(one: Path, other: Path) -> bool:
    """Let two folders change places in one step; say whether that can be done here."""
    library = ctypes.CDLL(None, use_errno=True)
    names = os.fsencode(one), os.fsencode(other)
    try:
        if sys.platform == "darwin":
            failed = library.renamex_np(*names, _EXCHANGE)
        else:
            here = -100  # names are told from the root on, so it does not matter
            failed = library.renameat2(here, names[0], here, names[1], _EXCHANGE)
    except AttributeError:  # an old C library
        return False
    if failed and (number := ctypes.get_errno()) not in _CANNOT:
        raise OSError(number, os.strerror(number), str(other))
    return not failed


def _beside(folder: Path, ending: str) -> Path:
    return folder.with_name(f".{folder.name}{ending}")
