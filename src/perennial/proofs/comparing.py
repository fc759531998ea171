"""Two working files beside each other, column by column."""

import datetime
from dataclasses import dataclass
from pathlib import Path

import duckdb

from perennial.proofs.result import Difference

#: Columns that tell which run made a row, or which origin is its newest.
OF_A_RUN = {"feature_set_version", "is_for_selection"}

#: Rows of a table that can be told from all others by these, in this order.
KEYS = (
    "customer_id",
    "model_name",
    "parameter_name",
    "task",
    "horizon_days",
    "origin_date",
    "as_of_date",
    "role",
)


@dataclass(frozen=True)
class Compared:
    """What one comparison looked at, and what it found."""

    columns: frozenset[str]
    rows_count: int
    dates: frozenset[datetime.date]
    differences: tuple[Difference, ...]


def compare(
    built: Path,
    proved: Path,
    tables: list[str],
    date: str,
    rows: str = "true",
) -> Compared:
    """Compare rows of the dates that both files have.

    Whether a column is the same is told by hashes of it and the key, which do not
    depend on the order of rows; only of a column that differs the rows are joined.

    Parameters
    ----------
    built, proved : Path
        Working files.
    tables : list of str
        With their schemas.
    date : str
        The column of which both must have a value for its rows to be compared.
    rows : str
        A condition on what is compared.
    """
    columns, dates, differences, rows_count = set(), set(), [], 0
    with duckdb.connect() as engine:
        engine.execute(f"attach '{built}' as built (read_only)")
        engine.execute(f"attach '{proved}' as proved (read_only)")
        for table in tables:
            one = _Comparison(engine, table, date, rows)
            rows_count += one.rows_count
            dates |= one.dates
            columns |= {f"{table}.{column}" for column in one.columns}
            differences += one.differences()
    return Compared(
        frozenset(columns), rows_count, frozenset(dates), tuple(differences)
    )


def tables_of(file: Path, schema: str, *columns: str) -> list[str]:
    """Tables of a schema that have these columns, by name."""
    with duckdb.connect(str(file), read_only=True) as engine:
        found = engine.execute(
            "select table_schema || '.' || table_name, list(column_name) "
            "from information_schema.columns inner join information_schema.tables "
            "using (table_catalog, table_schema, table_name) "
            "where table_schema = ? and table_type = 'BASE TABLE' "
            "group by all order by 1",
            [schema],
        ).fetchall()
    return [table for table, names in found if set(columns) <= set(names)]


def feature_sets(file: Path, table: str) -> set[str]:
    """Versions of the features that wrote a table."""
    with duckdb.connect(str(file), read_only=True) as engine:
        query = f"select distinct feature_set_version from {table}"
        return {version for (version,) in engine.execute(query).fetchall()}


class _Comparison:
    def __init__(
        self, engine: duckdb.DuckDBPyConnection, table: str, date: str, rows: str
    ) -> None:
        self._engine, self._table = engine, table
        types = [
            dict(
                engine.execute(
                    "select column_name, data_type from duckdb_columns() where "
                    "database_name = ? and schema_name || '.' || table_name = ?",
                    [side, table],
                ).fetchall()
            )
            for side in ("built", "proved")
        ]
        self._only_one = sorted(types[0].keys() ^ types[1].keys())
        both = [name for name in types[0] if name in types[1]]
        self._keys = [name for name in KEYS if name in both]
        self.columns = [n for n in both if n not in {*self._keys, *OF_A_RUN}]
        self.dates = {
            day
            for (day,) in engine.execute(
                f"select distinct {date} from built.{table} where {rows} "
                f"intersect select distinct {date} from proved.{table} where {rows}"
            ).fetchall()
        }
        days = ", ".join(f"date '{day}'" for day in sorted(self.dates)) or "null"
        self._rows = f"({rows}) and {date} in ({days})"
        self._hashes = [self._hashes_of(side) for side in ("built", "proved")]
        self.rows_count = self._hashes[0][0]

    def _hashes_of(self, side: str) -> tuple:
        keys = ", ".join(self._keys)
        hashes = ", ".join(
            f'sum(cast(hash({keys}, "{column}") as hugeint))' for column in self.columns
        )
        return self._engine.execute(
            f"select count(*), sum(cast(hash({keys}) as hugeint))"
            f"{', ' + hashes if hashes else ''} "
            f"from {side}.{self._table} where {self._rows}"
        ).fetchone()

    def differences(self) -> list[Difference]:
        found = [
            Difference(self._table, column, "the table", "a column", "another", 0)
            for column in self._only_one
        ]
        built, proved = self._hashes
        if built[:2] != proved[:2]:
            found.append(self._missing_row())
        for number, column in enumerate(self.columns, start=2):
            if built[number] != proved[number]:
                example = self._example(column)
                found += [example] if example else []
        return found

    def _pairs(self) -> str:
        keys = " and ".join(
            f"b.{key} is not distinct from p.{key}" for key in self._keys
        )
        return (
            f"(from built.{self._table} where {self._rows}) as b full join "
            f"(from proved.{self._table} where {self._rows}) as p on {keys}"
        )

    def _key_text(self) -> str:
        return "concat_ws(', ', {})".format(
            ", ".join(f"coalesce(b.{key}, p.{key})" for key in self._keys)
        )

    def _missing_row(self) -> Difference:
        key, is_built, count = self._engine.execute(
            f"select min({self._key_text()}), "
            f"arg_min(b.{self._keys[0]} is not null, {self._key_text()}), count(*) "
            f"from {self._pairs()} "
            f"where b.{self._keys[0]} is null or p.{self._keys[0]} is null"
        ).fetchone()
        there, missing = "a row", "no row"
        return Difference(
            self._table,
            "(row)",
            str(key),
            *((there, missing) if is_built else (missing, there)),
            count,
        )

    def _example(self, column: str) -> Difference | None:
        key, built, proved, count = self._engine.execute(
            f"select min({self._key_text()}), "
            f"arg_min(coalesce(cast(b.\"{column}\" as varchar), 'NULL'), "
            f"{self._key_text()}), "
            f"arg_min(coalesce(cast(p.\"{column}\" as varchar), 'NULL'), "
            f"{self._key_text()}), count(*) from {self._pairs()} "
            f'where b."{column}" is distinct from p."{column}" '
            f"and b.{self._keys[0]} is not null and p.{self._keys[0]} is not null"
        ).fetchone()
        if not count:  # the rows differ, and the column alone does not
            return None
        return Difference(self._table, column, key, built, proved, count)
