"""Files that were published last, to go back to."""

from pathlib import Path

import duckdb

from perennial.faults import Fault
from perennial.project import Project, damage_message
from perennial.publishing import files
from perennial.publishing.tables import RUN, SCHEMA, connect
from perennial.publishing.verifying import damages

#: As many are kept, that of the published file among them.
KEPT = 3


def name_of(file: Path) -> tuple[str, str]:
    """Name the snapshot of a published file, and say which run it is of.

    Returns
    -------
    (name, run) : tuple of str
        The name of the snapshot's file, and a few words.

    Raises
    ------
    Fault
        If the file cannot be read.
    """
    try:
        with connect(file, read_only=True) as connection:
            run_id, published_at, score_date = connection.execute(
                f"select run_id, published_at, score_date from {SCHEMA}.{RUN}"
            ).fetchone()
    except (duckdb.Error, TypeError) as error:
        raise Fault(damage_message(file, error)) from None
    return (
        f"{published_at:%Y%m%dT%H%M%SZ}_{run_id}.duckdb",
        f"run {run_id}, published {published_at:%Y-%m-%d %H:%M:%S} UTC, scores of "
        f"{score_date}",
    )


def newest_first(project: Project) -> list[Path]:
    """List the snapshots of a connector."""
    return sorted(project.snapshots_folder.glob("*.duckdb"), reverse=True)


def take(project: Project) -> Path:
    """Keep a copy of what is published, and let go of the oldest ones.

    Returns
    -------
    Path
        The copy.
    """
    name, _ = name_of(project.published_file)
    project.snapshots_folder.mkdir(parents=True, exist_ok=True)
    snapshot = project.snapshots_folder / name
    if not snapshot.exists():
        # no second name of one file: what damages one would damage the other
        files.copy_whole(project.published_file, snapshot)
    for old in newest_first(project)[KEPT:]:
        old.unlink()
    return snapshot


def put_back(project: Project, snapshot: Path) -> None:
    """Publish a snapshot again."""
    files.remove(project.candidate_file)
    files.copy_whole(snapshot, project.candidate_file)
    files.put_in_place(project.candidate_file, project.published_file)


def whole(
    snapshots: list[Path],
) -> tuple[Path | None, list[str]]:
    """Find the first snapshot that verifies, and say what is wrong with those before.

    Parameters
    ----------
    snapshots : list of Path
    """
    told = []
    for snapshot in snapshots:
        found = damages(snapshot)
        if not found:
            return snapshot, told
        told.append(f"passed over {snapshot}: {found[0]}")
    return None, told


def rollback(project: Project) -> list[str]:
    """Publish the snapshot before the one that is published now.

    Parameters
    ----------
    project : Project
        One whose lock is held.

    Returns
    -------
    list of str
        What was done, and which run is published now.

    Raises
    ------
    Fault
        If nothing is published, or there is nothing to go back to. What is published
        stays.
    """
    if not project.published_file.exists():
        raise Fault(
            f"Nothing is published in {project.published_file} yet: "
            "run perennial build."
        )
    now, run = name_of(project.published_file)
    before = [one for one in newest_first(project) if one.name < now]
    snapshot, told = whole(before)
    if snapshot is None:
        why = f" ({'; '.join(told)})" if told else ""
        raise Fault(
            f"There is nothing to go back to{why}: no snapshot is older than what is "
            f"published, {run}."
        )
    put_back(project, snapshot)
    _, run = name_of(project.published_file)
    return [*told, f"published now: {run}, in {project.published_file}"]
