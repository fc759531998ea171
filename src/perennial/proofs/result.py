"""What a proof found."""

import datetime
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Difference:
    """A column that is not what it was, with one row of it.

    Attributes
    ----------
    table : str
        With its schema.
    column : str
        ``(row)`` where a row is in one of the two only.
    key : str
        Of the example row.
    built, proved : str
        What the build said, and what was said without, or with another, future.
    rows_count : int
        How many rows differ in that column.
    """

    table: str
    column: str
    key: str
    built: str
    proved: str
    rows_count: int

    def __str__(self) -> str:
        """Tell it in one line."""
        return (
            f"{self.table}.{self.column} differs in {self.rows_count:,} rows; "
            f"{self.key}: {self.built} as built, {self.proved} as proved"
        )


@dataclass
class Result:
    """Outcome of one proof for one connector.

    Attributes
    ----------
    proof, connector : str
    dates : list of date
        For which it was made.
    columns_count, rows_count : int
        How much was compared: different columns, and rows of all comparisons.
    seconds : float
    findings : list of str
        One line each; none where the proof holds.
    told : str
        What was compared where that is no table, or why nothing was.
    """

    proof: str
    connector: str
    dates: list[datetime.date] = field(default_factory=list)
    columns_count: int = 0
    rows_count: int = 0
    seconds: float = 0.0
    findings: list[str] = field(default_factory=list)
    told: str = ""

    @property
    def holds(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    @property
    def verdict(self) -> str:
        """One word or two, for a table."""
        if self.findings:
            return f"{len(self.findings)} found"
        return "holds"
