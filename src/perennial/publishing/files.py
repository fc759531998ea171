"""Files that are put in place whole, or set aside, and never half-written."""

import datetime
import os
import shutil
from pathlib import Path

#: How the name of a file ends that is not whole yet.
PART = ".part"

#: Files that DuckDB writes beside another one.
WAL = ".wal"


def sync(path: Path) -> None:
    """Have the disk hold what was written to a file, or the names in a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def put_in_place(whole: Path, file: Path) -> None:
    """Give a whole file the name of another one, in one step.

    Who has the other one open keeps reading it.

    Raises
    ------
    RuntimeError
        If what was written stands partly in another file.
    """
    wal = beside(whole, WAL)
    if wal.exists():
        raise RuntimeError(f"{wal} is there: {whole} was not closed")
    sync(whole)
    stray = beside(file, WAL)
    if stray.exists():  # of another file: DuckDB would read it as if of this one
        set_aside(stray, "stray")
    os.replace(whole, file)
    sync(file.parent)


def copy_whole(file: Path, copy: Path) -> None:
    """Copy a file; its name is there once all of it is."""
    part = beside(copy, PART)
    shutil.copyfile(file, part)
    put_in_place(part, copy)


def set_aside(path: Path, why: str) -> Path:
    """Rename what is not to be used, to look at it later; return its new name."""
    aside = _name_aside(path, why)
    os.rename(path, aside)
    return aside


def set_aside_folders(folders: list[Path], parent: Path, why: str) -> Path:
    """Move folders that are not to be used into one beside them; return that."""
    aside = _name_aside(parent / "set_aside", why)
    aside.mkdir()
    for folder in folders:
        if folder.exists():
            os.rename(folder, aside / folder.name)
    return aside


def link_aside(path: Path, why: str) -> Path:
    """Give a file a second name, so that another one can be put in its place."""
    aside = _name_aside(path, why)
    os.link(path, aside)
    return aside


def beside(path: Path, ending: str) -> Path:
    """Name a file that lies beside another one."""
    return path.with_name(path.name + ending)


def remove(database: Path) -> None:
    """Delete a database that is of no use, with what DuckDB leaves beside it."""
    for path in (database, beside(database, WAL), beside(database, PART)):
        path.unlink(missing_ok=True)
    shutil.rmtree(beside(database, ".tmp"), ignore_errors=True)


def _name_aside(path: Path, why: str) -> Path:
    now = datetime.datetime.now(datetime.UTC)
    return beside(path, f".{why}_{now:%Y%m%dT%H%M%S%fZ}")
