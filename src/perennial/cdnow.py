"""The CDNOW purchase logs, read where the installed lifetimes package keeps them."""

import importlib.util
import os
import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from perennial.faults import FileFault


@dataclass(frozen=True)
class Log:
    """What is known of one of the two logs before it is opened.

    Attributes
    ----------
    file_name : str
    header : str or None
        The first line, its words one space apart; the sample log has none.
    columns : str
        What a line holds, for people.
    """

    file_name: str
    header: str | None
    columns: str


LOGS = {
    "master": Log(
        "CDNOW_master.txt",
        "customer_id date number_of_cds dollar_value",
        "customer_id date number_of_cds dollar_value",
    ),
    "sample": Log(
        "CDNOW_sample.txt",
        None,
        "customer_id sample_id date number_of_cds dollar_value",
    ),
}

_SAMPLE_LINE = re.compile(r" *\S+ +\S+ +\d{8} +\S+ +\S+ *")


def log_path(log: str) -> Path:
    """Where a log lies.

    Parameters
    ----------
    log : {"master", "sample"}

    Returns
    -------
    Path
        In the folder that PERENNIAL_CDNOW_FOLDER names, or else in the installed
        lifetimes package; nothing says yet that it exists.

    Raises
    ------
    FileFault
        If the log is neither of the two, or lifetimes is not installed.
    """
    if log not in LOGS:
        raise FileFault(f"There is no CDNOW log called {log}: choose master or sample.")
    folder = os.environ.get("PERENNIAL_CDNOW_FOLDER") or _shipped_folder()
    return Path(folder) / LOGS[log].file_name


def read_log(log: str) -> pd.DataFrame:
    """Every physical line of a log after its header, as text.

    Parameters
    ----------
    log : {"master", "sample"}

    Returns
    -------
    DataFrame
        ``source_file`` (str), ``source_line`` (int, 1 is the first line of the file),
        ``source_text`` (str, without the line's end; bytes that are not UTF-8 stand as
        backslash escapes) and ``is_utf8`` (bool).

    Raises
    ------
    FileFault
        If the file is missing, cannot be read, is empty, is not UTF-8 text, or does not
        begin as this log does.
    """
    path = log_path(log)
    lines = _physical_lines(path)
    text = [line.decode("utf-8", errors="backslashreplace") for line in lines]
    _check_first_line(path, LOGS[log], text[0])
    is_utf8 = [_is_utf8(line) for line in lines]
    frame = pd.DataFrame(
        {
            "source_file": path.name,
            "source_line": range(1, len(lines) + 1),
            "source_text": text,
            "is_utf8": is_utf8,
        }
    )
    return frame if LOGS[log].header is None else frame[1:]


def _shipped_folder() -> Path:
    # found, not imported: the module of that name does not import any more
    package = importlib.util.find_spec("lifetimes")
    if package is None:
        raise FileFault(
            "The CDNOW logs come with the lifetimes package, which is not installed: "
            "run make build, or name their folder in PERENNIAL_CDNOW_FOLDER."
        )
    return Path(package.submodule_search_locations[0]) / "datasets"


def _physical_lines(path: Path) -> list[bytes]:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise FileFault(
            f"raw file {path}: it is missing. Put the CDNOW log there, or unset "
            "PERENNIAL_CDNOW_FOLDER to read the one that comes with lifetimes."
        ) from None
    except OSError as error:
        raise FileFault(
            f"raw file {path}: it cannot be read ({error.strerror})."
        ) from None
    if not content:
        raise FileFault(f"raw file {path}, line 1: the file is empty (zero bytes).")
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise FileFault(
            f"raw file {path}, line 1: the encoding is UTF-16, and must be UTF-8. "
            "Convert the file, for instance with iconv -f UTF-16 -t UTF-8."
        )
    lines = content.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").split(b"\n")
    return lines[:-1] if lines[-1] == b"" else lines


def _check_first_line(path: Path, log: Log, line: str) -> None:
    is_right = (
        bool(_SAMPLE_LINE.fullmatch(line))
        if log.header is None
        else " ".join(line.split()) == log.header
    )
    if not is_right:
        expected = "the header" if log.header else "a line of"
        raise FileFault(
            f"raw file {path}, line 1: expected {expected} {log.columns}, "
            f"found {' '.join(line.split())[:80]!r}."
        )


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
