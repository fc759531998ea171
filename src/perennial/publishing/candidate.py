"""The file that is to be published, while it is being made."""

import datetime
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from perennial.faults import Fault
from perennial.project import Project
from perennial.publishing import files, gate, run_log
from perennial.publishing.tables import (
    ADDED,
    LOG,
    RUN,
    SCHEMA,
    TABLES,
    Digest,
    Manifest,
    Table,
    columns_of,
    connect,
    digest,
    literal,
    quoted,
    utc_now,
    versions,
)

#: Names under which files are attached.
CANDIDATE, PUBLISHED = "perennial_candidate", "perennial_published"

#: What DuckDB says where a disk is full.
_FULL = ("No space left on device", "Disk quota exceeded")


@dataclass(frozen=True)
class Copied:
    """A table as it was copied.

    Attributes
    ----------
    table : Table
    columns : dict of str
        Type of each column.
    digest : Digest
        Of the table that it was copied from.
    source : str
        That table's name as SQL.
    """

    table: Table
    source: str
    columns: dict[str, str]
    digest: Digest


def make(
    project: Project,
    manifest: Manifest,
    results: dict[str, str],
    journal: run_log.Journal,
) -> dict[str, Any]:
    """Judge a run, and copy its marts into a candidate.

    Parameters
    ----------
    project : Project
    manifest : Manifest
    results : dict of str
        What dbt said of each node that it ran, by its id.
    journal : Journal
        Of the run. Its steps become rows of the candidate.

    Returns
    -------
    dict
        The row of ``published_run``.

    Raises
    ------
    GateFault
        If the run may not be published.
    Fault
        If the disk is full.
    """
    files.remove(project.candidate_file)
    project.candidate_file.parent.mkdir(parents=True, exist_ok=True)
    try:
        with connect() as connection:
            spilled = files.beside(project.candidate_file, ".tmp")
            connection.execute(f"set temp_directory = {literal(spilled)}")
            connection.execute(
                f"attach {literal(project.candidate_file)} as {CANDIDATE}"
            )
            connection.execute(f"use {CANDIDATE}")
            # under the name that it has at dbt: views say of which database they read
            working = project.working_file.stem
            _attach(connection, project.working_file, working)
            with journal.step("gate"):
                verdict = gate.judge(
                    connection, quoted(working), manifest, results, journal.run_id
                )
                copied = _read(connection, working, manifest)
                kept_runs = _kept_runs(connection, project, verdict, copied)
            with journal.step("copy"):
                connection.execute(f"create schema {SCHEMA}")
                for one in copied:
                    _copy(connection, one)
            row = _run_row(connection, project, manifest, journal, verdict, copied)
            _add(connection, manifest, RUN, [row])
            _add(
                connection,
                manifest,
                TABLES,
                [
                    {
                        "table_name": one.table.name,
                        "rows_count": one.digest.rows_count,
                        "content_hash": one.digest.content_hash,
                        "run_columns": ",".join(one.table.run_columns),
                        "run_id": kept_runs.get(one.table.name, journal.run_id),
                    }
                    for one in copied
                ],
            )
            journal.count_rows(
                {one.table.name: one.digest.rows_count for one in copied}
            )
            _create(connection, LOG, ADDED[LOG], manifest.added.get(LOG))
            connection.execute(
                f"insert into {SCHEMA}.{LOG} {run_log.log_query(project)}"
                " order by started_at, step"
            )
            # who reads this row reads it because the run was published
            rows = journal.rows(run_log.PUBLISHED)
            run_log.add_rows(connection, f"{SCHEMA}.{LOG}", rows)
            connection.execute(f"detach {quoted(working)}")
            connection.execute("checkpoint")
            connection.execute("use memory")
            connection.execute(f"detach {CANDIDATE}")
    except (duckdb.Error, OSError) as error:
        files.remove(project.candidate_file)
        raise _fault(project, error) from None
    except BaseException:
        files.remove(project.candidate_file)
        raise
    return row


def _fault(project: Project, error: Exception) -> Fault:
    told = str(error).splitlines()[0][:200]
    if any(sign in str(error) for sign in _FULL):
        return Fault(
            f"The disk of {project.published_file.parent} is full, so nothing was "
            f"published ({told}).\nReaders have what they had: free some space, then "
            "run perennial build again."
        )
    return Fault(f"Nothing was published: {told}")


def _attach(connection: duckdb.DuckDBPyConnection, file: Path, name: str) -> None:
    connection.execute(f"attach {literal(file)} as {quoted(name)} (read_only)")


def _read(
    connection: duckdb.DuckDBPyConnection, working: str, manifest: Manifest
) -> list[Copied]:
    """Read every mart once, and tell what it holds."""
    found = []
    for table in manifest.marts.values():
        columns = columns_of(connection, working, SCHEMA, table.name)
        if not columns:
            raise gate.GateFault(
                f"Nothing was published: the mart {table.name} was never built. Build "
                "without a selection."
            )
        source = f"{quoted(working)}.{SCHEMA}.{quoted(table.name)}"
        told = digest(connection, source, columns, table.run_columns)
        found.append(Copied(table, source, columns, told))
    return found


def _kept_runs(
    connection: duckdb.DuckDBPyConnection,
    project: Project,
    verdict: gate.Verdict,
    copied: list[Copied],
) -> dict[str, str]:
    """Tell which runs built the marts that this one left as they were.

    Raises
    ------
    GateFault
        If one of them is not what is published now: a run that failed may have left
        it; or if a setting has changed that it may depend on.
    """
    if not verdict.kept:
        return {}
    contents = {
        one.table.name: one.digest.content_hash
        for one in copied
        if one.table.name in verdict.kept
    }
    is_there = project.published_file.exists()
    if is_there:
        _attach(connection, project.published_file, PUBLISHED)
    name = PUBLISHED if is_there else None
    if others := gate.unpublished(connection, name, contents):
        raise gate.GateFault(
            "Nothing was published: this selection leaves "
            f"{others[0]}{f' and {len(others) - 1} more' if others[1:] else ''} as it "
            "is, and that is not what is published. Build without a selection once."
        )
    (settings_hash,) = connection.execute(
        f"select settings_hash from {PUBLISHED}.{SCHEMA}.{RUN}"
    ).fetchone()
    if settings_hash != verdict.settings_hash:
        raise gate.GateFault(
            "Nothing was published: a setting is another than that of the marts that "
            "this selection leaves as they are. Build without a selection once."
        )
    rows = connection.execute(
        f"select table_name, run_id from {PUBLISHED}.{SCHEMA}.{TABLES}"
    ).fetchall()
    connection.execute(f"detach {PUBLISHED}")
    return {name: run_id for name, run_id in rows if name in verdict.kept}


def _copy(connection: duckdb.DuckDBPyConnection, one: Copied) -> None:
    # a table that is made of a query has neither comments nor `not null`
    _create(connection, one.table.name, one.columns, one.table)
    connection.execute(
        f"insert into {SCHEMA}.{quoted(one.table.name)} select * from {one.source}"
    )


def _create(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    columns: dict[str, str],
    told: Table | None,
) -> None:
    table = f"{SCHEMA}.{quoted(name)}"
    listed = ", ".join(f"{quoted(column)} {kind}" for column, kind in columns.items())
    connection.execute(f"create table {table} ({listed})")
    if told is None:
        return
    comment(connection, f"table {table}", told.description)
    for column, description in told.columns.items():
        if column in columns:
            comment(connection, f"column {table}.{quoted(column)}", description)


def comment(connection: duckdb.DuckDBPyConnection, what: str, text: str | None) -> None:
    """Comment a table or column, if there is something to say."""
    if text:
        connection.execute(f"comment on {what} is {literal(text)}")


def _add(
    connection: duckdb.DuckDBPyConnection,
    manifest: Manifest,
    name: str,
    rows: list[dict[str, Any]],
) -> None:
    columns = ADDED[name]
    _create(connection, name, columns, manifest.added.get(name))
    marks = ", ".join("?" for _ in columns)
    connection.executemany(
        f"insert into {SCHEMA}.{name} values ({marks})",
        [[row[column] for column in columns] for row in rows],
    )


def _run_row(
    connection: duckdb.DuckDBPyConnection,
    project: Project,
    manifest: Manifest,
    journal: run_log.Journal,
    verdict: gate.Verdict,
    copied: list[Copied],
) -> dict[str, Any]:
    (score_date,) = connection.execute(
        f"select max(score_date) from {quoted(project.working_file.stem)}"
        ".intermediate.int_score_date"
    ).fetchone()
    counts = {one.table.name: one.digest.rows_count for one in copied}
    return {
        "run_id": journal.run_id,
        "connector": project.connector,
        "score_date": score_date,
        "started_at": journal.started_at,
        "published_at": _later_than_published(project),
        **versions(manifest),
        "tables_count": len(copied),
        "rows_count": sum(one.digest.rows_count for one in copied),
        "customers_count": counts.get("dim_customers"),
        "refused_share": verdict.refused_share,
        "completeness": verdict.completeness,
        "settings_hash": verdict.settings_hash,
    }


def _later_than_published(project: Project) -> datetime.datetime:
    """Give the time, in whole seconds and after all snapshots: it names them."""
    now = utc_now().replace(microsecond=0)
    stamps = [path.name[:16] for path in project.snapshots_folder.glob("*.duckdb")]
    last = max(stamps, default="")
    if last >= f"{now:%Y%m%dT%H%M%SZ}":
        now = datetime.datetime.strptime(last, "%Y%m%dT%H%M%SZ")
        now += datetime.timedelta(seconds=1)
    return now
