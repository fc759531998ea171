"""The page of proofs, and the table that the command line writes into it."""

import datetime
from collections.abc import Iterable
from pathlib import Path

import duckdb

from perennial import __version__
from perennial.proofs.result import Result

#: Of a table of results; the command line shows the same.
HEADER = (
    "proof",
    "connector",
    "dates",
    "columns",
    "rows compared",
    "result",
    "seconds",
)


def cells(result: Result) -> tuple[str, ...]:
    """Cells of a result's row."""
    dates = ", ".join(str(date) for date in result.dates) or "-"
    return (
        result.proof,
        result.connector,
        dates,
        f"{result.columns_count:,}" if result.columns_count else "-",
        f"{result.rows_count:,}" if result.rows_count else "-",
        result.told if result.told and result.holds else result.verdict,
        f"{result.seconds:.0f}",
    )


def write_part(page: Path, part: str, results: Iterable[Result]) -> None:
    """Put a table of results between its marks on the page, with date and version.

    Parameters
    ----------
    page : Path
        A page without these marks stays as it is.
    part : str
        Name of the marks.
    results : iterable of Result
    """
    rows = [cells(result) for result in results]
    widths = "| --- | --- | --- | ---: | ---: | --- | ---: |"
    write_table(
        page,
        part,
        [
            f"| {' | '.join(HEADER)} |",
            widths,
            *(f"| {' | '.join(row)} |" for row in rows),
        ],
    )


def write_table(page: Path, part: str, table: list[str]) -> None:
    """Put a table between its marks on the page, with date and version."""
    begin, end = f"<!-- {part}: begin -->", f"<!-- {part}: end -->"
    if not page.exists() or begin not in page.read_text():
        return
    head, _, rest = page.read_text().partition(begin)
    _, _, tail = rest.partition(end)
    lines = [
        begin,
        f"perennial {__version__}, DuckDB {duckdb.__version__}; "
        f"{datetime.date.today():%Y-%m-%d}.",
        "",
        *table,
        end,
    ]
    page.write_text(head + "\n".join(lines) + tail)
