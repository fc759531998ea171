"""`perennial init`: shows what it proposes, lets a person change it, and writes."""

import zoneinfo
from pathlib import Path

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from perennial.faults import UsageFault
from perennial.init import writing
from perennial.init.proposal import Proposal, look, places, propose

#: So much of a sample is shown.
LONGEST_SAMPLE = 44


def run(
    name: str,
    root: Path,
    given: dict[str, str],
    folder: str | None,
    *,
    by_hand: list[str],
    time_zone: str,
    is_asking: bool,
    is_writing: bool,
    console: Console,
) -> None:
    """Propose a connector, ask about it, and write it.

    Parameters
    ----------
    name : str
    root : Path
        Of the project.
    given : dict of str to str
        Raw tables by domain, as a person named them.
    folder : str or None
        A folder or a database of tables whose names say the domain.
    by_hand : list of str
        Roles that the person set.
    time_zone : str
        Of times that name none.
    is_asking, is_writing : bool
    console : rich.console.Console

    Raises
    ------
    UsageFault
        If something was named that is not there, or a required role has no column.
    """
    writing.check_name(name, root)
    if not given and folder is None:
        raise UsageFault("Name a raw table, as in --orders FILE, or --from FOLDER.")
    if time_zone not in zoneinfo.available_timezones():
        raise UsageFault(
            f"{time_zone[:40]!r} is no time zone: name one like Europe/Berlin."
        )
    found, not_used = places(given, folder)
    if len({place.database for place in found.values()}) > 1:
        raise UsageFault(
            "A connector reads files, or tables of one database: not both."
        )
    if len({place.schema for place in found.values()}) > 1:
        raise UsageFault("The tables of a connector lie in one schema of a database.")
    tables = look(found)
    chosen = list(by_hand)

    def proposed() -> Proposal:
        proposal = propose(name, root, tables, chosen, time_zone)
        proposal.doubts += not_used
        return proposal

    proposal = proposed()
    while True:
        show(proposal, console)
        if not is_asking:
            break
        answer = typer.prompt(
            "\nAnother column for a role (orders.amount=total), or nothing to write",
            default="",
            show_default=False,
        ).strip()
        if not answer:
            break
        chosen.append(answer)
        try:
            proposal = proposed()
        except UsageFault as fault:
            console.print(str(fault), style="red", markup=False, highlight=False)
            chosen.pop()
    _refuse_lacking(proposal)
    if not is_writing:
        for path, text in writing.files(proposal).items():
            console.print(f"--- {path}", markup=False, highlight=False)
            console.print(text, markup=False, highlight=False, soft_wrap=True)
        return
    for path in writing.write(proposal):
        console.print(f"wrote {path}", markup=False, highlight=False)
    attach = writing.attachment(proposal)
    first = f"export PERENNIAL_ATTACH='{attach}'\n  " if attach else ""
    console.print(
        f"\nNext:\n  {first}perennial build --connector {name}\n"
        f"  perennial doctor data --connector {name}\n"
        f"What to check stands in models/staging/{name}/README.md.",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


def _refuse_lacking(proposal: Proposal) -> None:
    for entity, roles in proposal.lacking.items():
        domain = proposal.domains[entity]
        told = [
            domain.roles.refused[one] for one in roles if one in domain.roles.refused
        ]
        names = ", ".join(column.name for column in domain.roles.table.columns)[:200]
        raise UsageFault(
            f"{entity}: no column is {' nor '.join(roles)}"
            + (f" ({'; '.join(told)})" if told else f" among {names}")
            + f". Set it with --role {entity}.{roles[0]}=COLUMN."
        )


def show(proposal: Proposal, console: Console) -> None:
    """Print a proposal: columns and roles with a sample, doubts, and what it costs."""
    for entity, domain in proposal.domains.items():
        table = domain.roles.table
        shape = "invoice lines" if domain.lines else "one row each"
        console.print(
            f"\n[bold]{entity}[/bold] from {escape(table.place.told)}: "
            f"{table.rows_count:,} rows, {shape}",
            highlight=False,
        )
        shown = Table(box=None, header_style="bold", pad_edge=False)
        for column in ("role", "column", "score", "filled", "different", "sample"):
            is_number = column in ("score", "filled", "different")
            shown.add_column(column, justify="right" if is_number else "left")
        for role, choice in domain.choices.items():
            column = choice.column
            shown.add_row(
                role,
                escape(column.name),
                writing.told_score(choice),
                f"{column.filled_share:.1%}",
                f"{column.distinct_count:,}",
                escape(", ".join(column.common[:3])[:LONGEST_SAMPLE]),
            )
        for unused in domain.roles.unused:
            shown.add_row("", escape(unused), style="dim")
        console.print(shown, highlight=False)
    for entity, told in writing.doubts(proposal).items():
        console.print(f"\n[bold]Look at, {entity}:[/bold]", highlight=False)
        for doubt in told:
            _print_item(console, doubt)
    if proposal.history:
        console.print("\n[bold]What can be scored:[/bold]", highlight=False)
        for line in proposal.history:
            _print_item(console, line)
    if proposal.missing:
        console.print("\n[bold]Missing, and what it costs:[/bold]", highlight=False)
        for entity, cost in proposal.missing.items():
            _print_item(console, f"{entity}: {cost}")


def _print_item(console: Console, text: str) -> None:
    console.print(f"  - {text}", markup=False, highlight=False)
