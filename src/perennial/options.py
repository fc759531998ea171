"""Options that several modules of commands share."""

from typing import Annotated

import typer

Connector = Annotated[
    str,
    typer.Option(
        "--connector",
        "-c",
        envvar="PERENNIAL_CONNECTOR",
        help="Whose raw tables: a folder of models/staging.",
    ),
]
