"""Whether the disk has room for a build, before it begins."""

import os
import shutil
from pathlib import Path

import duckdb

from perennial.faults import Fault
from perennial.project import Project
from perennial.publishing import files
from perennial.publishing.tables import connect

#: How often the database must fit: what a build rewrites, the candidate and a snapshot.
TIMES = 2

_INPUT = """
select coalesce(sum(bytes_count), 0)
from (select distinct on (file_sha256) bytes_count from reading.files_read)
"""


def check_space(project: Project) -> None:
    """Refuse to begin what would fill the disk.

    Raises
    ------
    Fault
        If less is free than twice the database and the input.
    """
    file = project.working_file
    if not file.exists():
        return
    wal = files.beside(file, files.WAL)
    size = file.stat().st_size + (wal.stat().st_size if wal.exists() else 0)
    needed = TIMES * size + _input_bytes(file)
    _check(file.parent, needed, "twice the database and its input")
    published = project.published_file
    if published.exists() and _device(published.parent) != _device(file.parent):
        needed = TIMES * published.stat().st_size
        _check(published.parent, needed, "twice the published file")


def _check(folder: Path, needed: int, what: str) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise Fault(
            f"{folder} has {_megabytes(free)} free, and a build needs "
            f"{_megabytes(needed)} ({what}): free some space, then build again. "
            "Readers have what they had."
        )


def _input_bytes(file: Path) -> int:
    try:
        with connect(file, read_only=True) as connection:
            return int(connection.execute(_INPUT).fetchone()[0])
    except duckdb.CatalogException:  # no file was read
        return 0


def _device(folder: Path) -> int:
    return os.stat(folder).st_dev


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.0f} MB"
