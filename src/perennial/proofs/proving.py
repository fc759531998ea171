"""The proofs, each over copies of a working file."""

import datetime
import json
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from perennial.faults import Fault
from perennial.project import Project
from perennial.proofs import changes, static
from perennial.proofs.comparing import compare, feature_sets, tables_of
from perennial.proofs.result import Result
from perennial.proofs.workshop import TARGETS, Workshop, workshop

#: What it is told while a proof works.
Tell = Callable[[str], None]

#: How many differences of one proof are told.
FINDINGS = 20


class Proofs:
    """Proofs over one working file; a copy that two of them need is made once.

    Parameters
    ----------
    workshop : Workshop
    dates : list of date
        For which each proof is made.
    tell : callable
        What it does with the name of each step.
    built : Path, optional
        What copies are compared with, where it is not the working file.
    targets : tuple of str, optional
        What dbt has to build.
    """

    def __init__(
        self,
        workshop: Workshop,
        dates: list[datetime.date],
        tell: Tell = lambda step: None,
        built: Path | None = None,
        targets: tuple[str, ...] = TARGETS,
    ) -> None:
        self._workshop, self._dates, self._tell = workshop, dates, tell
        self._built = built or workshop.built
        self._is_scored = built is None
        self._targets = targets
        self._copies: dict[str, Path] = {}

    def truncation(self) -> Result:
        """Take away what was later, or known later: nothing may change."""
        return self._result("truncation", self._truncated)

    def poison(self) -> Result:
        """Make the future absurd: nothing may change."""
        return self._result("poison", self._poisoned)

    def late(self) -> Result:
        """Tell more of the past later: what was known then may not change."""
        return self._result("late", self._told_late)

    def parity(self) -> Result:
        """Compare rows to learn from with those that scoring would have made then."""
        return self._result("parity", self._scored_then)

    def determinism(self) -> Result:
        """Change threads, order of rows and files, and compare fits and scores too."""
        return self._result("determinism", self._made_again, self._dates[-1:])

    def learning(self) -> Result:
        """Fit models to other rows besides those for training: nothing may change."""
        begun = time.monotonic()
        self._tell("learning: models are fitted again")
        told = self._workshop.python(
            "-m", "perennial.proofs.learning", str(self._workshop.built)
        )
        result = Result(**json.loads(told))
        result.dates = [datetime.date.fromisoformat(day) for day in result.dates]
        result.seconds = time.monotonic() - begun
        return result

    def boundaries(self) -> Result:
        """Run the unit tests of the edges: midnight, zones, the date and the next."""
        begun = time.monotonic()
        date = self._dates[-1]
        copy = self._copy("scored", changes.unchanged, date, is_scored_then=True)
        self._tell("unit tests of the edges")
        failing, count = self._workshop.failing(
            copy, "tag:boundary,resource_type:unit_test"
        )
        return Result(
            "boundaries",
            self._workshop.project.connector,
            seconds=time.monotonic() - begun,
            findings=[f"the unit test {name} fails" for name in failing],
            told=f"{count} unit tests hold",
        )

    def static(self) -> Result:
        """Apply rules to the project as dbt has read it."""
        begun = time.monotonic()
        self._tell("dbt reads the project")
        manifest = self._workshop.manifest
        return Result(
            "static",
            self._workshop.project.connector,
            findings=static.findings(manifest),
            seconds=time.monotonic() - begun,
            told=f"{len(static.models_of(manifest))} models, "
            f"{len(static.RULES)} rules hold",
        )

    def _result(
        self,
        proof: str,
        compared: Callable[[datetime.date], Iterable],
        dates: list[datetime.date] | None = None,
    ) -> Result:
        begun = time.monotonic()
        dates = self._dates if dates is None else dates
        result = Result(proof, self._workshop.project.connector, dates)
        columns: set[str] = set()
        for date in dates:
            for one in compared(date):
                columns |= one.columns
                result.rows_count += one.rows_count
                result.findings += [
                    f"as of {date}: {difference}" for difference in one.differences
                ]
        result.columns_count = len(columns)
        result.findings[FINDINGS:] = (
            [f"and {len(result.findings) - FINDINGS} more"]
            if len(result.findings) > FINDINGS
            else []
        )
        result.seconds = time.monotonic() - begun
        return result

    def _truncated(self, date: datetime.date) -> Iterable:
        without = self._copy("truncated", changes.truncated, date, is_scored_then=True)
        scored = self._copy("scored", changes.unchanged, date, is_scored_then=True)
        yield self._features(self._built, without, date)
        yield self._splits(self._built, without, date)
        # a window is over, or not, by what the score date is: so the same one for both
        yield compare(scored, without, self._outcomes(), "as_of_date")
        yield compare(
            scored,
            without,
            ["intermediate.model_splits", "intermediate.int_as_of_dates"],
            "as_of_date",
        )
        if self._is_scored:
            self._tell(f"scores as of {date} and before")
            self._workshop.score_again(without)
            yield compare(
                self._built,
                without,
                ["scores.score_churn", "scores.score_value"],
                "as_of_date",
                f"as_of_date <= date '{date}'",
            )
            yield compare(
                self._built,
                without,
                ["fits.fit_hazards"],
                "origin_date",
                f"origin_date <= date '{date}'",
            )

    def _poisoned(self, date: datetime.date) -> Iterable:
        copy = self._copy("poisoned", changes.poisoned, date)
        yield self._features(self._built, copy, date)
        yield self._splits(self._built, copy, date)
        yield compare(
            self._built,
            copy,
            self._outcomes(),
            "as_of_date",
            f"as_of_date + cast(horizon_days as integer) <= date '{date}'",
        )

    def _told_late(self, date: datetime.date) -> Iterable:
        copy = self._copy("told late", changes.told_late, date)
        yield self._features(self._built, copy, date)
        yield self._splits(self._built, copy, date)

    def _scored_then(self, date: datetime.date) -> Iterable:
        scored = self._copy("scored", changes.unchanged, date, is_scored_then=True)
        yield compare(
            self._built,
            scored,
            tables_of(scored, "features", "customer_id", "as_of_date"),
            "as_of_date",
            f"as_of_date = date '{date}'",
        )

    def _made_again(self, date: datetime.date) -> Iterable:
        targets = (
            *self._targets,
            *("score_clv", "score_churn", "score_value", "score_value_contracts"),
        )
        one = self._copy("again", changes.shuffled, date, threads=1, targets=targets)
        four = self._copy("recut", changes.recut, date, threads=4, targets=targets)
        for copy in (one, four):
            for schema, column in (
                ("features", "as_of_date"),
                ("outcomes", "as_of_date"),
                ("fits", "as_of_date"),
                ("fits", "origin_date"),
                ("scores", "as_of_date"),
            ):
                tables = tables_of(copy, schema, column)
                if tables:
                    yield compare(self._built, copy, tables, column)
            yield compare(
                self._built, copy, ["intermediate.model_splits"], "as_of_date"
            )

    def _outcomes(self) -> list[str]:
        """Outcomes that are built at all."""
        return [
            f"outcomes.{name}" for name in self._targets if name.startswith("outcome_")
        ]

    def _features(self, built: Path, copy: Path, date: datetime.date):
        tables = tables_of(copy, "features", "customer_id", "as_of_date")
        compared = compare(
            built, copy, tables, "as_of_date", f"as_of_date <= date '{date}'"
        )
        if not feature_sets(built, tables[0]) & feature_sets(copy, tables[0]):
            raise Fault(
                "The features were built by another version of the project: "
                "run perennial build first."
            )
        if date not in compared.dates:
            raise Fault(f"The copy has no features as of {date}: nothing was proved.")
        return compared

    def _splits(self, built: Path, copy: Path, date: datetime.date):
        return compare(
            built,
            copy,
            ["intermediate.model_splits"],
            "origin_date",
            # an origin is judged only once its window is over
            f"origin_date + cast(horizon_days as integer) <= date '{date}' "
            "and role <> 'score'",
        )

    def _copy(
        self, name: str, change: changes.Change, date: datetime.date, **options
    ) -> Path:
        place = f"{name} {date}"
        if place not in self._copies:
            self._tell(f"{place}: dbt builds a copy")
            options = {"targets": self._targets, **options}
            self._copies[place] = self._workshop.copy(place, change, date, **options)
        self._tell(f"{place}: comparing")
        return self._copies[place]


#: Every proof by its name, in the order in which they are made.
NAMES = (
    "static",
    "truncation",
    "poison",
    "late",
    "parity",
    "learning",
    "boundaries",
    "determinism",
)


def prove(
    names: Iterable[str],
    project: Project,
    dates_count: int,
    tell: Tell,
) -> Iterator[Result]:
    """Make proofs one after the other, each over copies in a folder below the home.

    Parameters
    ----------
    names : iterable of str
        Of `NAMES`.
    project : Project
    dates_count : int
        For how many as_of_dates.
    tell : callable
        What it does with the name of each step.

    Yields
    ------
    Result
    """
    with workshop(project) as place:
        proofs = Proofs(place, place.dates(dates_count), tell)
        for name in names:
            yield getattr(proofs, name)()
