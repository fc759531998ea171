"""The order of a build: lock, dbt, gate, candidate, published file, history."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from perennial.faults import Fault, UsageFault
from perennial.project import Project, damage_message, lock_message
from perennial.publishing import candidate, files, gate, history, run_log, snapshots
from perennial.publishing.space import check_space
from perennial.publishing.tables import Manifest, connect, quoted
from perennial.publishing.verifying import damages

#: The steps after dbt, as `publish` tells them.
STEPS = ("candidate", "verify", "replace", "snapshot", "history")


def prepare(project: Project) -> list[str]:
    """Clean up what killed runs left, restore history, and look for space.

    Parameters
    ----------
    project : Project
        One whose lock is held.

    Returns
    -------
    list of str
        What was done, a line each.

    Raises
    ------
    Fault
        If there is too little space, or the working file cannot be opened.
    """
    told = clean_up(project)
    with _opening(project):
        # before anything is written, and again for what was restored
        check_space(project)
        told += history.restore(project)
        check_space(project)
    return told


def clean_up(project: Project) -> list[str]:
    """Remove what killed runs left half-made, and bring what they published to its end.

    Returns
    -------
    list of str
        What there is to say of it, a line each.
    """
    files.remove(project.candidate_file)
    for folder in (project.snapshots_folder, project.history_folder):
        for part in folder.rglob(f"*{files.PART}"):
            part.unlink()
    told, run_id = [], None
    if project.published_file.exists():
        try:  # it may have been killed between the published file and its snapshot
            run_id = snapshots.take(project).stem.split("_", 1)[1]
        except Fault as fault:
            told.append(str(fault))
    return [*told, *filter(None, [run_log.keep_killed(project, run_id)])]


@contextmanager
def _opening(project: Project) -> Iterator[None]:
    """Tell in a line or two why a working file cannot be opened."""
    file = project.working_file
    try:
        yield
    except duckdb.Error as error:
        if told := lock_message(str(error)):
            raise UsageFault(told) from None
        raise Fault(damage_message(file, error)) from None


def finish(
    project: Project,
    manifest_file: Path,
    dbt_arguments: list[str],
    results: dict[str, str],
    journal: run_log.Journal,
    tell: Callable[[str], None] = lambda step: None,
) -> str:
    """Publish what dbt has built, if it is a whole and good, and end the journal.

    Parameters
    ----------
    project : Project
        One whose lock is held.
    manifest_file : Path
        The manifest.json of the run.
    dbt_arguments : list of str
        What was handed to ``dbt build``.
    results : dict of str
        What dbt said of each node that it ran, by its id.
    journal : Journal
    tell : callable
        Is told each of `STEPS` as it begins.

    Returns
    -------
    str
        What became of it, in a line.

    Raises
    ------
    Fault
        If the gate did not let it pass, or it could not be published. What is published
        stays as it is.
    """
    try:
        manifest = Manifest.read(manifest_file)
        selector = selector_of(dbt_arguments)
        if told := gate.left_out(manifest, results, selector):
            count_rows(project, journal)
            journal.keep(run_log.NOT_PUBLISHED, "a part was built")
            return told
        publish(project, manifest, results, journal, tell)
    except gate.GateFault as fault:
        count_rows(project, journal)
        journal.keep(run_log.STOPPED, str(fault).splitlines()[0])
        raise
    except Fault:
        journal.keep(run_log.FAILED, "while it was published")
        raise
    except (OSError, duckdb.Error) as error:
        journal.keep(run_log.FAILED, "snapshot and history were not written")
        told = str(error).splitlines()[0][:200]
        raise Fault(
            f"{project.published_file} is whole, but its snapshot and history could "
            f"not be written ({told}): the next build makes that good."
        ) from None
    _, run = snapshots.name_of(project.published_file)
    return f"Published in {project.published_file}: {run}"


def publish(
    project: Project,
    manifest: Manifest,
    results: dict[str, str],
    journal: run_log.Journal,
    tell: Callable[[str], None] = lambda step: None,
) -> None:
    """Put the marts of a run where readers open them, in one step.

    Whatever fails before that step leaves what is published as it is; what fails after
    it is made good by the next run.

    Parameters
    ----------
    project : Project
        One whose lock is held.
    manifest : Manifest
    results : dict of str
        What dbt said of each node that it ran, by its id.
    journal : Journal
    tell : callable
        Is told each of `STEPS` as it begins.
    """
    tell("candidate")
    count_rows(project, journal)
    candidate.make(project, manifest, results, journal)
    tell("verify")
    with journal.step("verify"):
        if found := damages(project.candidate_file):
            files.remove(project.candidate_file)
            raise Fault(f"Nothing was published, for the copy differs: {found[0]}.")
    tell("replace")
    with journal.step("replace"):
        files.put_in_place(project.candidate_file, project.published_file)
    tell("snapshot")
    with journal.step("snapshot"):
        snapshots.take(project)
    tell("history")
    with journal.step("history"):
        history.save(project, journal.run_id)
    journal.keep(run_log.PUBLISHED)


def count_rows(project: Project, journal: run_log.Journal) -> None:
    """Say in the journal how many rows the tables hold that the run made."""
    made = {
        step["step"]
        for step in journal.steps
        if step["kind"] in ("model", "seed") and step["status"] in gate.PASSED
    }
    counts = {}
    try:
        with connect(project.working_file, read_only=True) as connection:
            for schema, name in connection.execute(
                "select schema_name, table_name from duckdb_tables() where not internal"
            ).fetchall():
                if name in made:
                    counts[name] = connection.execute(
                        f"select count(*) from {quoted(schema)}.{quoted(name)}"
                    ).fetchone()[0]
    except duckdb.Error:  # a run that failed may have left nothing that can be read
        return
    journal.count_rows(counts)


def selector_of(dbt_arguments: list[str]) -> str | None:
    """Find the named selection among what is handed to dbt."""
    for before, argument in zip(["", *dbt_arguments], dbt_arguments, strict=False):
        if before == "--selector":
            return argument
        if argument.startswith("--selector="):
            return argument.removeprefix("--selector=")
    return None
