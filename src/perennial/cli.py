"""The command line: thin, dbt stays the interface for people who know dbt."""

import datetime
import errno
import sys
from collections.abc import Callable, Iterable
from functools import partial
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

from perennial import __version__
from perennial.faults import Fault, UsageFault
from perennial.options import Connector
from perennial.project import DEFAULT_CONNECTOR, DEFAULT_SEED, DEFAULT_SIZE, Project
from perennial.proofs import Result
from perennial.publish_commands import publish_app
from perennial.report import Page

#: Columns of a table where the output is not a terminal, whose width is unknown.
WIDTH_OF_A_FILE = 120

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help=(
        "Churn risk and customer lifetime value that people can trust and question.\n\n"
        "Exit codes: **0** all is well; **1** the data or a model needs attention (a "
        "raw file cannot be used, a test found something, a file is damaged), and "
        "readers have what they had; **2** the command or a setting is wrong, or "
        "another program has the working file open; **75** another perennial writes "
        "for this connector."
    ),
    epilog="dbt works as well: `dbt build`, `dbt docs generate`, from the same folder.",
)

RawTable = Annotated[
    str | None, typer.Option(metavar="TABLE", help="Where these rows lie.")
]


@app.command()
def build(
    dbt_arguments: Annotated[
        list[str] | None,
        typer.Argument(help="After --, passed on to dbt build."),
    ] = None,
    connector: Connector = DEFAULT_CONNECTOR,
    replace: Annotated[
        bool,
        typer.Option(
            "--replace",
            help="Read raw files again that changed since they were read.",
        ),
    ] = False,
    fit: Annotated[
        bool,
        typer.Option("--fit", help="Fit the models of churn and the like anew."),
    ] = False,
    wait: Annotated[
        bool,
        typer.Option(
            "--wait",
            help="Wait for another one that writes, in place of ending with 75.",
        ),
    ] = False,
) -> None:
    """Build and test everything, from the raw files to the marts, and publish these.

    It is `dbt build` with progress and a summary; what a full build made is then what
    readers open. Example, one horizon of half a year:
    `perennial build -- --vars '{horizons_days: [182]}'`
    """
    # before all that takes time to import: who waits for nothing is told at once
    from perennial.publishing.lock import held

    project = Project.find(connector)
    console = _console()
    with held(project, "perennial build", wait, tell=_teller(console)) as lock:
        from perennial.build import build as run_build
        from perennial.summary import summary

        published = run_build(
            project,
            lock,
            dbt_arguments or [],
            console,
            replace_changed=replace,
            fit_now=fit,
        )
        try:
            told = summary(project)
        except Fault as fault:  # only a part was built
            told = str(fault)
        _teller(console)(f"{told}\n\n{published}")


def _teller(console: Console) -> Callable[[str], None]:
    """Print lines as they are."""
    return partial(console.print, highlight=False, markup=False, soft_wrap=True)


@app.command()
def status(connector: Connector = DEFAULT_CONNECTOR) -> None:
    """Tell what is published, how the last runs went, and who writes now.

    Works while a build runs.
    """
    from perennial.publishing.status import status_page

    page = status_page(Project.find(connector))
    console = _console()
    for line in page.lines:
        _teller(console)(line)
    for title, names, rows in page.tables:
        _print_table(console, title, names, rows)


@app.command()
def verify(connector: Connector = DEFAULT_CONNECTOR) -> None:
    """Read every block of what is published, and recount it.

    Names the tables that are damaged, and ends with 1 then.
    """
    from perennial.publishing.snapshots import name_of
    from perennial.publishing.verifying import damages

    project = Project.find(connector)
    file = project.published_file
    if not file.exists():
        raise Fault(f"Nothing is published in {file} yet: run perennial build.")
    if found := damages(file):
        lines = [f"{file} is not what was published:", *(f"  {one}" for one in found)]
        raise Fault("\n".join([*lines, "Run perennial doctor files."]))
    _, run = name_of(file)
    _teller(_console())(f"{file} is what was published: {run}")


@app.command("rollback")
def rollback_published(connector: Connector = DEFAULT_CONNECTOR) -> None:
    """Publish what was published before; once more goes further back.

    Two steps at most. The next full build publishes its own marts again.
    `perennial models rollback` is another thing: it returns to a model.
    """
    from perennial.publishing.lock import held
    from perennial.publishing.snapshots import rollback as go_back

    project = Project.find(connector)
    with held(project, "perennial rollback"):
        told = go_back(project)
    for line in told:
        _teller(_console())(line)


app.add_typer(publish_app, name="publish")

doctor_app = typer.Typer(
    no_args_is_help=True, help="Look at what a build left, and mend files."
)
app.add_typer(doctor_app, name="doctor")


@doctor_app.command()
def data(
    connector: Annotated[
        str | None,
        typer.Option(
            "--connector",
            "-c",
            envvar="PERENNIAL_CONNECTOR",
            help="Whose raw tables; what was built last if not said.",
        ),
    ] = None,
) -> None:
    """Print what was read, set aside, refused and why, history, gaps and late rows.

    It suggests after how long a silence a customer should count as gone, too.

    Example: `perennial doctor data --connector cdnow`
    """
    from perennial.doctor import advice, churn_windows, data_page

    project = Project.find(connector) if connector else Project.built_last()
    page = data_page(project)
    console = _console()
    built = datetime.datetime.fromtimestamp(project.working_file.stat().st_mtime)
    console.print(
        f"{project.connector}: {project.working_file}, built {built:%Y-%m-%d %H:%M}; "
        f"{page.customers_count:,} customers, scored as of {page.score_date}",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    _print_table(
        console,
        "Lines",
        ("domain", "delivered", "accepted", "set aside", "refused"),
        [row[:-1] for row in page.coverage],
    )
    _print_table(
        console,
        "Not used, and why",
        ("what", "domain", "reason", "lines", "first one"),
        page.unused,
    )
    _print_table(
        console,
        "Files",
        ("raw table", "read", "copies", "read again", "last reading"),
        page.files,
    )
    _print_table(
        console,
        "History of accepted rows",
        ("domain", "first day", "last day", "days", "longest gap", "known late"),
        [
            (
                h.entity,
                h.first_date,
                h.last_date,
                h.days_count,
                h.gap_days,
                h.late_count,
            )
            for h in page.histories
        ],
    )
    _print_table(console, "Not delivered", ("domain", "what it costs"), page.missing)
    windows = churn_windows(page)
    if windows:
        print("\nHow long a silence means that a customer has left")
        _print_list(console, windows)
    told = advice(page)
    print("\nLook at" if told else "\nNothing asks for attention.")
    _print_list(console, told)


@doctor_app.command("files")
def doctor_files(connector: Connector = DEFAULT_CONNECTOR) -> None:
    """Set damaged files aside, and put what is whole in their place.

    A damaged WAL or working file, and a damaged published file, for which the newest
    snapshot that verifies steps in. Nothing is deleted. Ends with 0 when all is well
    afterwards.
    """
    from perennial.publishing.lock import held
    from perennial.publishing.repair import repair

    project = Project.find(connector)
    with held(project, "perennial doctor files"):
        told = repair(project)
    for line in told:
        _teller(_console())(line)


def _print_list(console: Console, lines: list[str]) -> None:
    for line in lines:
        console.print(f"  - {line}", highlight=False, markup=False, soft_wrap=True)


@app.command()
def follow(customer: str, connector: Connector = DEFAULT_CONNECTOR) -> None:
    """Print one customer's path, from the raw line to the value.

    Each row says what one table holds about the customer.
    Example: `perennial follow 00004 --connector cdnow`
    """
    from perennial.follow import follow as follow_customer

    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("step", "model", "item", "value"):
        table.add_column(column, overflow="fold")
    for row in follow_customer(Project.find(connector), customer):
        table.add_row(*(Text(cell) for cell in row))
    _console().print(table, highlight=False)


@app.command()
def explain(customer: str, connector: Connector = DEFAULT_CONNECTOR) -> None:
    """Print why a customer has their scores: reasons in words, and what changed.

    For anyone who was scored, whatever the band. With matplotlib, each score is drawn
    feature by feature into build/charts. Example: `perennial explain c0000561`
    """
    from perennial.charts import mpl
    from perennial.explaining import draw_waterfalls, explain_customer, told

    project = Project.find(connector)
    page = explain_customer(project, customer)
    console = _console()
    for line in told(page):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    for path in draw_waterfalls(page, project.home / "build" / "charts"):
        print(path)
    if mpl is None:
        print("Charts need matplotlib: run pip install matplotlib.")


@app.command()
def charts(
    customer: Annotated[
        str | None,
        typer.Option(help="Whose history is drawn; one with some orders if not said."),
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Where they go; build/charts if not said.")
    ] = None,
    connector: Connector = DEFAULT_CONNECTOR,
) -> None:
    """Draw the charts of the backtest and of one customer, from the marts.

    As SVG. Needs matplotlib, which `make build` installs.
    """
    from perennial.charts import draw_all

    for path in draw_all(Project.find(connector), folder, customer):
        print(path)


@app.command()
def erase(
    customer: Annotated[
        str | None, typer.Argument(help="The customer_id, as your source has it.")
    ] = None,
    silent_for: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="DAYS",
            help="In place of a customer: all of whom nothing happened within so many "
            "days before the score date.",
        ),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do not ask before many are erased.")
    ] = False,
    connector: Connector = DEFAULT_CONNECTOR,
    file: Annotated[
        Path | None,
        typer.Option(help="Working file of a dbt project of your own, run from there."),
    ] = None,
) -> None:
    """Remove persons from everything that perennial made, and prove it.

    Their rows are refused from then on; your own files are named, not changed.
    Needs the key DBT_ENV_SECRET_PERENNIAL_KEY. Examples: `perennial erase c0000001`,
    `perennial erase --silent-for 1095`
    """
    from perennial.erase import erase as erase_customers
    from perennial.erase import silent_customers

    if (customer is None) == (silent_for is None):
        raise UsageFault("Say whom to erase: a customer, or --silent-for DAYS.")
    project = Project.of_file(file) if file else Project.find(connector)
    console = _console()
    customers, reason = [customer], "asked"
    if silent_for is not None:
        customers, count = silent_customers(project, silent_for)
        reason = "retention"
        few = f"{len(customers):,} of {count:,} customers"
        print(f"{few} were silent for more than {silent_for} days")
        if not customers:
            return
        if not yes and not typer.confirm("Erase them for good?"):
            raise Fault("Nobody was erased.")
    # what is not watched shows no progress
    shown = console if console.is_terminal else Console(quiet=True)
    with shown.status("erasing") as status:
        told = erase_customers(project, customers, reason, tell=status.update)
    for line in told:
        console.print(line, highlight=False, markup=False, soft_wrap=True)


models_app = typer.Typer(
    no_args_is_help=True, help="Look at the models that score, and choose between them."
)
app.add_typer(models_app, name="models")

ModelId = Annotated[
    str, typer.Argument(metavar="MODEL", help="As `perennial models list` names it.")
]


@models_app.command("list")
def list_models(connector: Connector = DEFAULT_CONNECTOR) -> None:
    """List every model that was fitted to score, and what became of it."""
    from perennial.model_registry import HEADER, listed

    rows = listed(Project.find(connector))
    if not rows:
        print("No model was registered: no task and horizon has training rows.")
    _print_table(_console(), "Models", HEADER, rows)


@models_app.command()
def show(model: ModelId, connector: Connector = DEFAULT_CONNECTOR) -> None:
    """Print a model's card: what it learned from, its gates, what was decided.

    As Markdown. Example: `perennial models show churn_90d_v1`
    """
    from perennial.model_registry import card

    print("\n".join(card(Project.find(connector), model)))


@models_app.command()
def approve(model: ModelId, connector: Connector = DEFAULT_CONNECTOR) -> None:
    """Let a model score that waits for it, where the setting approval is manual."""
    from perennial.model_registry import approve as approve_model

    print(approve_model(Project.find(connector), model))


@models_app.command()
def rollback(model: ModelId, connector: Connector = DEFAULT_CONNECTOR) -> None:
    """Return to a model that scored before.

    Example: `perennial models rollback churn_90d_v1`
    """
    from perennial.model_registry import rollback as return_to

    print(return_to(Project.find(connector), model))


report_app = typer.Typer(no_args_is_help=True, help="Print what the marts tell.")
app.add_typer(report_app, name="report")


@report_app.command("churn")
def report_churn(
    folder: Annotated[
        Path | None,
        typer.Option(help="Where the charts go; build/charts if not said."),
    ] = None,
    connector: Connector = DEFAULT_CONNECTOR,
) -> None:
    """Print how far the models of churn can be believed, and draw it.

    Candidates, backtest, calibration, bands, and what to doubt. Charts as SVG, where
    matplotlib is installed.
    """
    from perennial.churn_charts import draw_churn
    from perennial.report import churn_page

    project = Project.find(connector)
    _print_page(churn_page(project))
    _print_charts(draw_churn, project, folder)


@report_app.command("value")
def report_value(
    folder: Annotated[
        Path | None,
        typer.Option(help="Where the charts go; build/charts if not said."),
    ] = None,
    connector: Connector = DEFAULT_CONNECTOR,
) -> None:
    """Print what customers are expected to bring and how far that can be believed.

    Totals, routes, candidates, backtest, bounds, tenths, and what to doubt. Charts as
    SVG, where matplotlib is installed.
    """
    from perennial.value_charts import draw_value
    from perennial.value_report import value_page

    project = Project.find(connector)
    _print_page(value_page(project))
    _print_charts(draw_value, project, folder)


def _print_page(page: Page) -> None:
    """Print tables, and what to doubt."""
    console = _console()
    for table in page.tables:
        _print_table(console, table.title, table.names, table.rows)
    print("\nWhat to doubt" if page.doubts else "\nNothing asks for doubt.")
    _print_list(console, page.doubts)
    print()


def _print_charts(
    draw: Callable[[Project, Path | None], list[Path]],
    project: Project,
    folder: Path | None,
) -> None:
    """Draw what can be drawn, and say where it lies."""
    try:
        for path in draw(project, folder):
            print(path)
    except Fault as fault:  # the tables are what was asked for
        print(fault)


prove_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help=(
        "Prove that no feature sees the future, over copies of the working file.\n\n"
        "Exit code **1** where a proof fails. docs/proofs.md says what each one shows."
    ),
)
app.add_typer(prove_app, name="prove")

DatesCount = Annotated[
    int, typer.Option("--dates", min=1, help="For how many as_of_dates.")
]


@prove_app.command()
def truncation(connector: Connector = DEFAULT_CONNECTOR, dates: DatesCount = 3) -> None:
    """Take away what happened or was known later: nothing may change."""
    _prove(["truncation"], connector, dates)


@prove_app.command()
def poison(connector: Connector = DEFAULT_CONNECTOR, dates: DatesCount = 3) -> None:
    """Make the future absurd: amounts times a million, a thousand new customers."""
    _prove(["poison"], connector, dates)


@prove_app.command()
def late(connector: Connector = DEFAULT_CONNECTOR, dates: DatesCount = 3) -> None:
    """Tell more of the past later: what was known then may not change."""
    _prove(["late"], connector, dates)


@prove_app.command()
def parity(connector: Connector = DEFAULT_CONNECTOR, dates: DatesCount = 3) -> None:
    """Compare rows to learn from with those that scoring would have made then."""
    _prove(["parity"], connector, dates)


@prove_app.command()
def learning(connector: Connector = DEFAULT_CONNECTOR) -> None:
    """Fit models again: they learn from training rows, and calibrate on strangers."""
    _prove(["learning"], connector, 1)


@prove_app.command()
def boundaries(connector: Connector = DEFAULT_CONNECTOR) -> None:
    """Run the unit tests of the edges: midnight, zones, the date and the day after."""
    _prove(["boundaries"], connector, 1)


@prove_app.command()
def determinism(connector: Connector = DEFAULT_CONNECTOR) -> None:
    """Build with one and four threads, other orders of rows and other files."""
    _prove(["determinism"], connector, 1)


@prove_app.command()
def static(connector: Connector = DEFAULT_CONNECTOR) -> None:
    """Check the project as dbt reads it: no wall clock, no line of time but one."""
    _prove(["static"], connector, 1)


@prove_app.command()
def leaks(
    connector: Connector = DEFAULT_CONNECTOR,
    only: Annotated[
        list[str] | None,
        typer.Option(help="A plant by its name; may be given repeatedly."),
    ] = None,
) -> None:
    """Plant one defect after the other, and see the proof meant for it turn red.

    In a scratch copy of the project. It takes about two minutes for each plant, and
    writes the table in docs/proofs.md where all are planted.
    """
    from perennial.proofs.leaks import PLANTS, plant_leaks
    from perennial.proofs.page import write_table

    known = {plant.name: plant for plant in PLANTS}
    if unknown := set(only or ()) - known.keys():
        raise UsageFault(
            f"There is no plant called {min(unknown)[:60]!r}: "
            f"choose from {', '.join(known)}."
        )
    plants = tuple(known[name] for name in only or known)
    console, found = _console(), []
    shown = console if console.is_terminal else Console(quiet=True)
    project = Project.find(connector)
    with shown.status("planting") as status:
        for planted in plant_leaks(project, plants, tell=status.update):
            found.append(planted)
            mark = "as meant" if planted.holds else "NOT AS MEANT"
            console.print(
                f"{planted.name}: red {planted.told}: {mark}",
                highlight=False,
                soft_wrap=True,
            )
            if not planted.holds:
                _print_list(console, [f"{k}: {v}" for k, v in planted.red.items()])
    rows = [one.row() for one in found]
    names = ("plant", "file", "meant", "red", "seconds")
    _print_table(console, "Planted leaks", names, rows)
    if not only:
        table = [f"| {' | '.join(cells)} |" for cells in (names, *rows)]
        table.insert(1, "| --- | --- | --- | --- | ---: |")
        write_table(project.root / "docs" / "proofs.md", "leaks", table)
    if wrong := [one.name for one in found if not one.holds]:
        raise Fault(f"not as meant: {', '.join(wrong)}.")


@prove_app.command("all")
def prove_all(connector: Connector = DEFAULT_CONNECTOR, dates: DatesCount = 3) -> None:
    """Make every proof but the planted leaks, and write the table in docs/proofs.md."""
    from perennial.proofs.page import write_part
    from perennial.proofs.proving import NAMES

    project = Project.find(connector)
    results = _prove(NAMES, connector, dates, is_last=False)
    write_part(project.root / "docs" / "proofs.md", project.connector, results)
    _end_proofs(results)


def _prove(
    names: Iterable[str], connector: str, dates: int, is_last: bool = True
) -> list[Result]:
    from perennial.proofs.page import HEADER, cells
    from perennial.proofs.proving import prove

    console = _console()
    # what is not watched shows no progress
    shown = console if console.is_terminal else Console(quiet=True)
    project, results = Project.find(connector), []
    with shown.status("proving") as status:
        for result in prove(names, project, dates, tell=status.update):
            results.append(result)
            console.print(
                f"{result.proof}: {result.told or result.verdict}", highlight=False
            )
            _print_list(console, result.findings)
    _print_table(console, "Proofs", HEADER, [cells(result) for result in results])
    if is_last:
        _end_proofs(results)
    return results


def _end_proofs(results: list[Result]) -> None:
    if failed := [result.proof for result in results if not result.holds]:
        raise Fault(f"does not hold: {', '.join(failed)}.")


@app.command()
def generate(
    out: Annotated[
        Path, typer.Option(help="Folder to make; it must not hold anything yet.")
    ],
    size: Annotated[
        str,
        typer.Option(
            help="tiny (2,000 customers, 36 months), small (50,000, 36) or large "
            "(500,000, 40)."
        ),
    ] = DEFAULT_SIZE,
    customers: Annotated[
        int | None, typer.Option(help="In place of the size's own.")
    ] = None,
    months: Annotated[
        int | None, typer.Option(help="In place of the size's own.")
    ] = None,
    seed: Annotated[
        int, typer.Option(help="The same seed gives the same bytes.")
    ] = DEFAULT_SEED,
    shock: Annotated[
        list[str] | None,
        typer.Option(help="price_rise, outage or holiday; may be given repeatedly."),
    ] = None,
    threads: Annotated[int, typer.Option(help="How many work at once.")] = 2,
) -> None:
    """Write a company to practise on: its raw files, and apart from them the truth.

    Example: `perennial generate --size small --out small`, then
    `PERENNIAL_DEMO_FOLDER=small perennial build`.
    docs/demo-company.md tells how its customers behave.
    """
    from perennial.company import SIZES
    from perennial.company import generate as generate_company

    if size not in SIZES:
        raise UsageFault(
            f"There is no size called {size[:40]!r}: choose from {', '.join(SIZES)}."
        )
    console = _console()
    with Progress(
        TextColumn("{task.description:<10}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
    ) as progress:
        tasks: dict[str, TaskID] = {}

        def report(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = progress.add_task(step, total=total)
            progress.update(tasks[step], completed=done)
            if done == total and not console.is_terminal:
                console.print(f"{step}: {total} of {total}", highlight=False)

        generate_company(
            out,
            customers=SIZES[size].customers if customers is None else customers,
            months=SIZES[size].months if months is None else months,
            seed=seed,
            shocks=shock or (),
            threads=threads,
            report=report,
        )
    print(f"{out}: raw/ holds the files, truth/ what no model may see")


@app.command()
def init(
    name: Annotated[
        str, typer.Argument(help="Of the connector: a folder of models/staging.")
    ],
    customers: RawTable = None,
    orders: RawTable = None,
    subscriptions: RawTable = None,
    events: RawTable = None,
    tickets: RawTable = None,
    touches: RawTable = None,
    folder: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="A folder of files, or a database, whose names say the domain.",
        ),
    ] = None,
    role: Annotated[
        list[str] | None,
        typer.Option(
            help="Set a role yourself: orders.amount=total; may be given repeatedly. "
            "With :cents for whole hundredths, without a column to leave it out."
        ),
    ] = None,
    time_zone: Annotated[
        str, typer.Option(help="Of times that name none, and of your days.")
    ] = "UTC",
    yes: Annotated[bool, typer.Option("--yes", help="Write without asking.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the files, and write none.")
    ] = False,
) -> None:
    """Write a connector for tables of your own: staging models that you then own.

    A table is a file, a folder, a pattern, or DATABASE#TABLE. It edits no file of the
    project. Example: `perennial init shop --orders orders.csv`
    """
    from perennial.init.asking import run

    given = {
        "customers": customers,
        "orders": orders,
        "subscriptions": subscriptions,
        "events": events,
        "tickets": tickets,
        "touches": touches,
    }
    run(
        name,
        Project.find(DEFAULT_CONNECTOR).root,
        {entity: text for entity, text in given.items() if text},
        folder,
        by_hand=role or [],
        time_zone=time_zone,
        is_asking=not (yes or dry_run),
        is_writing=not dry_run,
        console=_console(),
    )


@app.command()
def version() -> None:
    """Print the versions that scores depend on."""
    packages = ("dbt-core", "dbt-duckdb", "duckdb", "lifetimes", "numpy", "scipy")
    told = [f"{name} {installed_version(name)}" for name in packages]
    print("\n".join([f"perennial {__version__}", *told]))


def main() -> None:
    """Run the command line; a fault is told in its own words, without a traceback."""
    try:
        app()
    except Fault as fault:
        print(f"perennial: {fault}", file=sys.stderr)
        sys.exit(fault.exit_code)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        where = error.filename or "a file"
        print(
            f"perennial: The disk is full, so {where} could not be written: free some "
            "space, then say it again. Readers have what they had.",
            file=sys.stderr,
        )
        sys.exit(Fault.exit_code)


def _print_table(
    console: Console, title: str, names: Iterable[str], rows: list[tuple]
) -> None:
    if not rows:
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for number, name in enumerate(names):
        is_number = isinstance(rows[0][number], int)
        table.add_column(name, justify="right" if is_number else "left")
    for row in rows:
        cells = [f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row]
        table.add_row(*map(Text, cells))
    print(f"\n{title}")
    console.print(table, highlight=False)


def _console() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=WIDTH_OF_A_FILE)
