"""Models that were registered: which there are, what each is, and a person's word."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

import duckdb

from perennial.faults import Fault, UsageFault
from perennial.project import Project, lock_message

_LIST = """
select
    stages.model_id,
    stages.model_name,
    stages.stage,
    cast(stages.as_of_date as varchar),
    models.training_rows_count,
    {judged},
    stages.last_event || case when stages.last_note <> '' then ': ' else '' end
        || stages.last_note
from {stages} as stages
inner join {models} as models
    on stages.model_id = models.model_id
order by stages.task, stages.horizon_days, stages.version
"""

#: Columns of the list.
HEADER = (
    *("model", "candidate", "stage", "fitted", "rows"),
    *("AUC", "skill", "choice", "last decision"),
)


@dataclass(frozen=True)
class Shelf:
    """Where models of a kind stand.

    Attributes
    ----------
    models, log, stages : str
        The tables of models, of events, and of stages.
    judged : str
        AUC, skill and choice of a model, as SQL.
    """

    models: str
    log: str
    stages: str
    judged: str


#: Of yes-or-no tasks, and of amounts: which of these is published is told by
#: clv_leaderboard, for each route.
SHELVES = (
    Shelf(
        *("registry.model_registry", "registry.promotion_log", "registry.model_stages"),
        judged="coalesce(printf('%.3f', models.mean_roc_auc), ''),"
        " coalesce(printf('%.1f%%', 100 * models.mean_brier_skill), ''),"
        " models.choice_status",
    ),
    Shelf(
        *("fits.fit_value_models", "fits.fit_value_promotions"),
        *("fits.fit_value_stages", "'', '', ''"),
    ),
)

_GATES = """
select gate, value, threshold, verdict, note
from {log}
where model_id = ? and event = 'gate'
order by event_number
"""

_DECISIONS = """
select cast(as_of_date as varchar), event, decided_by, note
from {log}
where model_id = ? and event <> 'gate'
order by event_number
"""


def listed(project: Project) -> list[tuple]:
    """Every registered model: a row with the columns of :data:`HEADER`."""
    with project.reading() as connection:
        return [
            row
            for shelf in SHELVES
            for row in connection.execute(_LIST.format(**asdict(shelf))).fetchall()
        ]


def card(project: Project, model_id: str) -> list[str]:
    """Say what one model is, from the rows about it.

    Parameters
    ----------
    project : Project
    model_id : str

    Returns
    -------
    list of str
        Lines for a terminal, which are Markdown as well.

    Raises
    ------
    UsageFault
        If there is no such model.
    """
    with project.reading() as connection:
        known, shelf = _known(connection, model_id)
        found = connection.execute(
            "select * exclude (model_document, model_id), stages.stage,"
            " length(models.model_document) as document_characters_count"
            f" from {shelf.models} as models"
            f" inner join (select model_id, stage from {shelf.stages}) as stages"
            " using (model_id) where model_id = ?",
            [known],
        )
        names = [column[0] for column in found.description]
        row = dict(zip(names, found.fetchone(), strict=True))
        gates = connection.execute(_GATES.format(log=shelf.log), [known]).fetchall()
        decisions = connection.execute(
            _DECISIONS.format(log=shelf.log), [known]
        ).fetchall()
    lines = [f"# {known}", "", "| | |", "| --- | --- |"]
    lines += [f"| {name} | {_told(value)} |" for name, value in row.items()]
    lines += ["", "## Gates", "", "| gate | value | threshold | verdict | note |"]
    lines += ["| --- | ---: | ---: | --- | --- |"]
    lines += [f"| {' | '.join(map(_told, gate))} |" for gate in gates]
    lines += ["", "## Decisions", "", "| as of | event | by | note |"]
    lines += ["| --- | --- | --- | --- |"]
    lines += [f"| {' | '.join(map(_told, one))} |" for one in decisions]
    return lines


def approve(project: Project, model_id: str) -> str:
    """Let a model that waits for a person score from the next build on.

    Raises
    ------
    UsageFault
        If there is no such model, or it does not wait.
    """
    with _writing(project) as connection:
        known, shelf = _known(connection, model_id)
        last = connection.execute(
            f"select last_event from {shelf.stages} where model_id = ?", [known]
        ).fetchone()
        if last is None or last[0] != "waiting":
            told = "it is of a later date" if last is None else last[0]
            raise UsageFault(f"{known} does not wait for approval: {told}.")
        _append(connection, shelf, known, "approved", "approved by a person")
    return f"{known} scores from the next build on: run perennial build."


def rollback(project: Project, model_id: str) -> str:
    """Return to a model that scored before, from the next build on.

    Raises
    ------
    UsageFault
        If there is no such model, it never scored, or it scores now.
    """
    with _writing(project) as connection:
        known, shelf = _known(connection, model_id)
        stage = connection.execute(
            f"select stage from {shelf.stages} where model_id = ?", [known]
        ).fetchone()
        if stage is None or stage[0] != "retired":
            told = "of a later date" if stage is None else stage[0]
            raise UsageFault(
                f"{known} is no model that scored before: it is {told}. "
                "perennial models list shows which are retired."
            )
        _append(connection, shelf, known, "rolled_back", "returned to by a person")
    return f"{known} scores from the next build on: run perennial build."


def _append(
    connection: duckdb.DuckDBPyConnection,
    shelf: Shelf,
    model_id: str,
    event: str,
    note: str,
) -> None:
    connection.execute(
        f"insert into {shelf.log} by name"
        f" select (select max(event_number) + 1 from {shelf.log})"
        " as event_number, task, horizon_days, model_id,"
        " (select score_date from intermediate.int_score_date) as as_of_date,"
        " ? as event, 'decision' as gate, 'met' as verdict, ? as note,"
        " 'person' as decided_by"
        f" from {shelf.models} where model_id = ?",
        [event, note, model_id],
    )


def _known(connection: duckdb.DuckDBPyConnection, model_id: str) -> tuple[str, Shelf]:
    for shelf in SHELVES:
        found = connection.execute(
            f"select model_id from {shelf.models} where model_id = ?", [model_id]
        ).fetchone()
        if found is not None:
            return found[0], shelf
    raise UsageFault(
        f"There is no model called {model_id[:60]!r}: perennial models list shows them."
    )


def _told(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


@contextmanager
def _writing(project: Project) -> Iterator[duckdb.DuckDBPyConnection]:
    if not project.working_file.exists():
        raise Fault(f"{project.working_file} is not there yet: run perennial build.")
    try:
        connection = duckdb.connect(
            str(project.working_file), config={"autoload_known_extensions": False}
        )
    except duckdb.IOException as error:
        raise UsageFault(lock_message(str(error)) or str(error)) from None
    with connection:
        try:
            yield connection
        except duckdb.CatalogException:
            raise Fault(
                f"{project.working_file} has no registry: run perennial build."
            ) from None
