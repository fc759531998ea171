"""The commands that hand on what is published."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from perennial.options import Connector
from perennial.project import DEFAULT_CONNECTOR, Project

publish_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help=(
        "Hand the published marts on: as Parquet, as CSV, to PostgreSQL.\n\n"
        "All of them or none, of one run, which `published_run` names. docs/bi.md says "
        "how other tools open them."
    ),
)

Folder = Annotated[
    Path | None,
    typer.Option(help="Replaced in one step; published/CONNECTOR/FORMAT if not said."),
]


@publish_app.command()
def parquet(folder: Folder = None, connector: Connector = DEFAULT_CONNECTOR) -> None:
    """Write a Parquet file for each published table, with its types.

    Example: `perennial publish parquet`
    """
    from perennial.delivering.exports import PARQUET

    _export(PARQUET, folder, connector)


@publish_app.command()
def csv(folder: Folder = None, connector: Connector = DEFAULT_CONNECTOR) -> None:
    """Write a CSV file for each published table, safe to open in a spreadsheet.

    Texts that would be formulas there have an apostrophe in front; docs/bi.md says how
    to read everything back as it was. Example: `perennial publish csv --folder shared`
    """
    from perennial.delivering.exports import CSV

    _export(CSV, folder, connector)


def _export(form, folder: Path | None, connector: str) -> None:
    from perennial.delivering.exports import export

    project = Project.find(connector)
    with _shown().status("writing") as status:
        told = export(project, form, folder, tell=status.update)
    print(told)


@publish_app.command()
def postgres(
    url: Annotated[
        str,
        typer.Option(
            envvar="PERENNIAL_POSTGRES_URL",
            help="postgresql://USER@HOST:PORT/DATABASE, without a password.",
        ),
    ],
    schema: Annotated[
        str, typer.Option(help="What is filled; it is made where it is not there.")
    ] = "marts",
    password_variable: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="The environment variable with the password: DBT_ENV_SECRET_...",
        ),
    ] = "DBT_ENV_SECRET_POSTGRES_PASSWORD",
    connector: Connector = DEFAULT_CONNECTOR,
) -> None:
    """Fill a schema of a PostgreSQL server with the published tables.

    In one transaction: readers see the old run or the new one. Grants, views and
    indexes of tables whose columns stay as they are stay too.

    Example: `perennial publish postgres --url postgresql://writer@db.example/bi`
    """
    from perennial.delivering.postgres import publish

    project = Project.find(connector)
    with _shown().status("connecting") as status:
        told = publish(project, url, schema, password_variable, tell=status.update)
    print(told)


def _shown() -> Console:
    """Show progress where somebody watches."""
    console = Console()
    return console if console.is_terminal else Console(quiet=True)
