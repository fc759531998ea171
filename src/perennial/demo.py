"""Raw files of the demo company: taken as they lie, and made where there are none."""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from perennial.company import SIZES, generate
from perennial.faults import Fault, FileFault
from perennial.project import DEFAULT_SEED, DEFAULT_SIZE

#: Written last, so that a folder that holds it is whole.
PARAMETERS = "company.json"

_WAY_OUT = (
    "Set PERENNIAL_DEMO_FOLDER to another folder, or remove this one and "
    "warehouse/demo.duckdb"
)


@dataclass(frozen=True)
class Wish:
    """Which company the settings ask for; None asks for none in particular.

    Attributes
    ----------
    size : str or None
        A key of ``SIZES``.
    seed : int or None
    shocks : tuple of str or None
        Names of ``SHOCKS``; an empty one asks for a company without any.
    """

    size: str | None = None
    seed: int | None = None
    shocks: tuple[str, ...] | None = None

    def refusals(self, made: dict[str, Any]) -> list[str]:
        """In what a company is another one than that which is asked for.

        Parameters
        ----------
        made : dict
            Its parameters: ``customers``, ``months``, ``seed`` and ``shocks``.
        """
        told = []
        if self.size is not None:
            size = SIZES[self.size]
            if (made["customers"], made["months"]) != (size.customers, size.months):
                told.append(
                    f"it has {made['customers']:,} customers over {made['months']} "
                    f"months, and demo_size asks for {self.size}"
                )
        if self.seed not in (None, made["seed"]):
            told.append(
                f"its seed is {made['seed']}, and demo_seed asks for {self.seed}"
            )
        if self.shocks is not None and set(self.shocks) != set(made["shocks"]):
            there = ", ".join(made["shocks"]) or "none"
            asked = ", ".join(self.shocks) or "none"
            told.append(f"its shocks are {there}, and demo_shocks asks for {asked}")
        return told


def demo_files(asked: pd.DataFrame) -> pd.DataFrame:
    """Make the files of the demo company, unless they are there.

    Parameters
    ----------
    asked : DataFrame
        The row of ``int_demo_settings``.

    Returns
    -------
    DataFrame
        One row: ``folder``, the parameters of the company in it, ``was_made`` (whether
        just now) and ``file_fault``: one line that says why the build has to stop, or
        None.
    """
    row = asked.iloc[0]
    folder = Path(row["folder"]).expanduser().resolve()
    wish = Wish(
        None if pd.isna(row["demo_size"]) else row["demo_size"],
        None if pd.isna(row["demo_seed"]) else int(row["demo_seed"]),
        None if pd.isna(row["demo_shocks"]) else tuple(row["demo_shocks"].split()),
    )
    found: dict[str, Any] = {"folder": str(folder), "was_made": False}
    try:
        found["was_made"] = make_if_absent(folder, wish)
        made = parameters(folder)
        if told := wish.refusals(made):
            raise FileFault(
                f"raw file {folder / PARAMETERS}: this is another company: "
                f"{'; '.join(told)}. {_WAY_OUT}, or change the setting."
            )
        found |= made | {"shocks": " ".join(made["shocks"]), "file_fault": None}
    except OSError as error:
        found["file_fault"] = str(
            FileFault(
                f"raw file {folder}: the demo company cannot be made there "
                f"({error.strerror}). Set PERENNIAL_DEMO_FOLDER to another folder."
            )
        )
    except Fault as fault:
        found["file_fault"] = str(fault)
    columns = ("folder", "customers", "months", "seed", "shocks", "was_made")
    return pd.DataFrame([found], columns=[*columns, "file_fault"])


def make_if_absent(folder: Path, wish: Wish) -> bool:
    """Make a company, unless there is one; say whether one was made.

    It is made beside the folder and moved there once it is whole, so that nobody ever
    reads a part of it. Of several processes one makes it, and the others wait.

    Raises
    ------
    FileFault
        If the folder holds something else.
    """
    if (folder / PARAMETERS).exists():
        return False
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _alone_in(folder.parent):
        if (folder / PARAMETERS).exists():
            return False
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise FileFault(
                f"raw file {folder / PARAMETERS}: it is missing, and {folder.name} is "
                f"not empty: it holds something else, or a part of a company. "
                f"{_WAY_OUT}."
            )
        size = SIZES[wish.size or DEFAULT_SIZE]
        making = folder.with_name(f"{folder.name}.making")
        if making.exists():  # left by a process that was killed
            shutil.rmtree(making)
        generate(
            making,
            customers=size.customers,
            months=size.months,
            seed=DEFAULT_SEED if wish.seed is None else wish.seed,
            shocks=wish.shocks or (),
        )
        os.replace(making, folder)
    return True


def parameters(folder: Path) -> dict[str, Any]:
    """Tell what the company in a folder was made with.

    Returns
    -------
    dict
        ``customers``, ``months``, ``seed`` and ``shocks``.

    Raises
    ------
    FileFault
        If the folder does not say so.
    """
    file = folder / PARAMETERS
    try:
        told = json.loads(file.read_text())
        return {
            **{name: int(told[name]) for name in ("customers", "months", "seed")},
            "shocks": [str(name) for name in told["shocks"]],
        }
    except (ValueError, KeyError, TypeError):
        raise FileFault(
            f"raw file {file}: it does not say which company this is. {_WAY_OUT}."
        ) from None


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Wait for other processes that make something here; who dies leaves no lock."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
