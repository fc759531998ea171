"""What a raw table holds, column by column: forms that parse, gaps, ranges, samples."""

import re
from dataclasses import dataclass, field

import duckdb

from perennial.faults import Fault
from perennial.init.tables import TAKEN_NAMES, Place, is_writable, opened, quoted

#: So many rows of a table are looked at; more would take long and tell little.
MOST_ROWS = 1_000_000

#: Forms of a time that is not ISO 8601, as strptime has them. Those of the day before
#: the month come first: where both fit, it is told.
TIME_FORMATS = (
    "%d/%m/%Y %H:%M:%S",
    "%d/%m/%Y %H:%M",
    "%d/%m/%Y",
    "%m/%d/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M",
    "%m/%d/%Y",
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y",
    "%d-%m-%Y",
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d",
    "%Y%m%d",
    "%d %b %Y",
    "%b %d, %Y",
)

_ISO = (
    "[0-9]{4}-[0-9]{2}-[0-9]{2}"
    "([ T][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,6})?)?"
    "( ?(Z|[-+](0[0-9]|1[0-4])(:?[0-5][0-9])?))?)?"
)


def _signed(number: str) -> str:
    """Write a condition on text: a number of that form with a currency sign."""
    return (
        "regexp_matches(text, '[$€£¥]') and regexp_full_match("
        f"regexp_replace(text, '[$€£¥ ]', '', 'g'), '[-+]?({number})')"
    )


#: Each form of text, as a condition on it. Seconds and milliseconds since 1970 are
#: numbers that would lie between the years 2000 and 2100.
FORMS = {
    "iso_time": f"regexp_full_match(text, '{_ISO}')"
    " and try_cast(text[:19] as timestamp) is not null",
    "integer": "regexp_full_match(text, '[-+]?[0-9]{1,18}')",
    "decimal": "regexp_full_match(text, '[-+]?[0-9]{1,16}([.][0-9]+)?')",
    "thousands": "regexp_full_match(text, '[-+]?[0-9]{1,3}(,[0-9]{3})*([.][0-9]+)?')",
    "decimal_comma": "regexp_full_match(text,"
    " '[-+]?([0-9]{1,3}([.][0-9]{3})+|[0-9]+)(,[0-9]+)?')",
    "money_sign": _signed("[0-9]{1,3}(,[0-9]{3})*([.][0-9]+)?|[0-9]+([.][0-9]+)?"),
    "money_sign_decimal_comma": _signed("([0-9]{1,3}([.][0-9]{3})+|[0-9]+),[0-9]+"),
    "boolean": "lower(text) in ('true', 't', 'yes', '1', 'false', 'f', 'no', '0')",
    "epoch_seconds": "regexp_full_match(text, '[0-9]{9,10}')"
    " and try_cast(text as bigint) between 946684800 and 4102444800",
    "epoch_milliseconds": "regexp_full_match(text, '[0-9]{12,13}')"
    " and try_cast(text as bigint) between 946684800000 and 4102444800000",
    "email": "regexp_full_match(text, '[^@ ]+@[^@ ]+[.][^@ ]+')",
}


@dataclass(frozen=True)
class Column:
    """What one column of a raw table holds.

    Attributes
    ----------
    name : str
    type : str
        The engine's type; VARCHAR where it came as text.
    rows_count, values_count, distinct_count : int
        Rows looked at, those with a value, and different values among them.
    shares : dict of str to float
        Share of the values that are of each form, or of each time format.
    longest_fraction : int
        Most digits after the decimal point.
    negative_share : float
        Share of the values that are numbers below 0.
    common : tuple of str
        The commonest values, the commonest first.
    """

    name: str
    type: str
    rows_count: int
    values_count: int
    distinct_count: int
    shares: dict[str, float] = field(default_factory=dict)
    longest_fraction: int = 0
    negative_share: float = 0.0
    common: tuple[str, ...] = ()

    @property
    def filled_share(self) -> float:
        """Share of the rows that have a value."""
        return self.values_count / self.rows_count if self.rows_count else 0.0

    @property
    def distinct_share(self) -> float:
        """Share of the values that are different ones."""
        return self.distinct_count / self.values_count if self.values_count else 0.0

    @property
    def is_time(self) -> bool:
        """Whether the engine knows it as a time."""
        return self.type == "DATE" or self.type.startswith("TIMESTAMP")

    @property
    def time_formats(self) -> list[str]:
        """Formats that nearly all values have, the likeliest first."""
        return [one for one in TIME_FORMATS if self.shares.get(one, 0) >= 0.95]


@dataclass(frozen=True)
class RawTable:
    """A table of somebody's own, and its columns.

    Attributes
    ----------
    place : Place
    rows_count : int
        Rows looked at.
    is_sampled : bool
        Whether there are more rows than that.
    columns : tuple of Column
    unreadable_names : tuple of str
        Columns that are left out, for their names cannot stand in a model.
    """

    place: Place
    rows_count: int
    is_sampled: bool
    columns: tuple[Column, ...]
    unreadable_names: tuple[str, ...] = ()

    def column(self, name: str) -> Column | None:
        """Give the column of a name, if there is one, in whatever case."""
        found = [one for one in self.columns if one.name.lower() == name.lower()]
        return found[0] if found else None


def inspect(place: Place) -> RawTable:
    """Look at a raw table.

    Raises
    ------
    Fault
        If it cannot be read, or holds nothing.
    """
    with opened(place) as connection:
        found = connection.execute("describe raw_table").fetchall()
        described = [
            (name, data_type)
            for name, data_type, *_ in found
            if name.lower() not in TAKEN_NAMES and is_writable(name)
        ]
        connection.execute(
            f"create temporary table seen as from raw_table limit {MOST_ROWS + 1}"
        )
        (rows_count,) = connection.execute("select count(*) from seen").fetchone()
        if not rows_count or not described:
            raise Fault(f"{place.told} holds no row.")
        columns = [
            _column(connection, name, data_type, rows_count)
            for name, data_type in described
        ]
    known = {name for name, _ in described}
    return RawTable(
        place,
        min(rows_count, MOST_ROWS),
        rows_count > MOST_ROWS,
        tuple(columns),
        tuple(_shown(name) for name, *_ in found if name not in known),
    )


def _column(
    connection: duckdb.DuckDBPyConnection, name: str, data_type: str, rows_count: int
) -> Column:
    is_fractional = data_type in ("DOUBLE", "FLOAT") or data_type.startswith("DECIMAL")
    text = f"trim(cast({quoted(name)} as varchar))"
    if is_fractional:  # 12 and 12.0 are one number
        text = f"regexp_replace({text}, '[.]0+$', '')"
    connection.execute(
        f"create or replace temporary table cells as select nullif({text}, '') as text,"
        " count(*) as rows_count from seen group by all"
    )
    forms = dict(FORMS)
    if data_type != "VARCHAR":  # the file says itself what it holds
        for other in ("iso_time", "thousands", "decimal_comma", "email"):
            del forms[other]
        del forms["money_sign"], forms["money_sign_decimal_comma"]
    else:
        forms |= {
            one: f"try_strptime(text, '{one}') is not null" for one in TIME_FORMATS
        }
    shares = ", ".join(
        f"coalesce(sum(rows_count) filter (where {condition}), 0)"
        for condition in forms.values()
    )
    values, distinct, fraction, negative, *counts = connection.execute(
        f"""
        select
            coalesce(sum(rows_count), 0),
            count(*),
            max(length(regexp_extract(text, '^[-+]?[0-9]*[.]([0-9]+)$', 1))),
            coalesce(sum(rows_count) filter (where try_cast(text as double) < 0), 0),
            {shares}
        from cells where text is not null
        """
    ).fetchone()
    common = connection.execute(
        "select text from cells where text is not null"
        " order by rows_count desc, text limit 12"
    ).fetchall()
    return Column(
        name=name,
        type=data_type,
        rows_count=rows_count,
        values_count=int(values),
        distinct_count=distinct,
        shares={
            form: int(count) / int(values) if values else 0.0
            for form, count in zip(forms, counts, strict=True)
        },
        longest_fraction=fraction or 0,
        negative_share=int(negative) / int(values) if values else 0.0,
        common=tuple(_shown(value) for (value,) in common),
    )


def _shown(text: str) -> str:
    """Leave out what would steer a terminal."""
    return "".join(one if one.isprintable() else " " for one in text)


def words(name: str) -> str:
    """Spell a column's name as ours are, so that two spellings are one word.

    Examples
    --------
    >>> words("CustomerID"), words("Order Date"), words("invoice-no")
    ('customer_id', 'order_date', 'invoice_no')
    """
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return re.sub(r"[^a-z0-9]+", "_", apart.lower()).strip("_")
