"""Leaks that are planted one at a time, to see the proof meant for each turn red.

A plant changes the text of a scratch copy of the project. The product holds none.
"""

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import perennial
from perennial.faults import Fault
from perennial.project import Project
from perennial.proofs import changes, static
from perennial.proofs.proving import Proofs, Tell
from perennial.proofs.workshop import Workshop, workshop

#: Of each proof that is a test of dbt's over data, the test and what it reads.
LAWS = {
    "laws": ("assert_training_outcomes_are_over_by_the_origin", "model_splits"),
    "audit": ("no_feature_knows_too_much", "leak_audit"),
}

#: Parts of a project that dbt reads.
_PARTS = (
    *("models", "python_models", "macros", "seeds", "tests", "analyses"),
    *("dbt_project.yml", "profiles.yml", ".dbtignore"),
)


@dataclass(frozen=True)
class Plant:
    """One defect in one file.

    Attributes
    ----------
    name : str
    file : str
        Of the project.
    text, replacement : str
        What stands there once, and what is put in its place.
    meant : str
        The proof that has to turn red.
    also : dict
        Others that turn red, each with the reason.
    targets : tuple of str
        The least that has to be built to see it.
    """

    name: str
    file: str
    text: str
    replacement: str
    meant: str
    also: dict[str, str] = field(default_factory=dict)
    targets: tuple[str, ...] = ("feat_purchases", "model_splits")

    @property
    def expected(self) -> set[str]:
        """All proofs that turn red."""
        return {self.meant, *self.also}


PLANTS = (
    Plant(
        "a future event",
        "models/features/feat_purchases.sql",
        """
        on days.activity_date = as_of_days.activity_date
        and {{ is_known(
            'days.known_date', 'days.told_again_date', 'as_of_days.as_of_date'
        ) }}
""",
        """
        on days.activity_date = {{ days_after('as_of_days.activity_date', 7) }}
        and {{ is_known(
            'days.known_date', 'days.told_again_date',
            days_after('as_of_days.as_of_date', 7)
        ) }}
""",
        "truncation",
        {
            "poison": "the week after the date has other orders",
            "late": "what was told in that week is taken too",
            "boundaries": "an order of the next day is seen",
        },
    ),
    Plant(
        "< for <=",
        "macros/clock.sql",
        "{{ day }} <= {{ as_of_date }}\n",
        "{{ day }} < {{ as_of_date }}\n",
        "boundaries",
    ),
    Plant(
        "a mutable status",
        "models/features/feat_subscription.sql",
        "{{ is_known('periods.from_date', 'periods.to_date', 'dates.as_of_date') }}",
        "periods.ended_date is null",
        "poison",
        {"boundaries": "who ended later is not subscribed any more"},
        ("feat_subscription", "model_splits"),
    ),
    Plant(
        "a mean over the whole history",
        "models/features/feat_purchases.sql",
        "max(order_amount) as largest_order_day_amount",
        "max(order_amount) - (select sum(d.order_amount) / count(*) "
        "from {{ ref('int_order_days') }} as d) as largest_order_day_amount",
        "truncation",
        {
            "poison": "the mean holds the amounts of the future",
            "late": "and those that were told later",
        },
    ),
    Plant(
        "the label as a column",
        "models/features/feat_subscription.sql",
        "{{ ratio('subscriptions.discount_amount', 'subscriptions.mrr') }}\n",
        """(
            select count(*) from {{ ref('int_subscription_lives') }} as lives
            where lives.customer_id = customers.customer_id
            and lives.started_date <= {{ days_after('customers.as_of_date', 90) }}
            and (
                lives.ended_date is null
                or lives.ended_date > {{ days_after('customers.as_of_date', 90) }}
            )
        )
""",
        "audit",
        {
            "static": "what it reads looks ahead",
            "truncation": "ends that come later are not there",
            "poison": "and others are",
            "late": "and ends and subscriptions that were told later",
            "parity": "a score of that date does not know them yet",
            "boundaries": "unit tests do not mock what it reads",
        },
        ("feature_store", "model_splits", "outcome_churn", "leak_audit"),
    ),
    Plant(
        "no embargo",
        "models/intermediate/clock/model_splits.sql",
        """{{ is_over(
            'grid.grid_date', 'origins.horizon_days', 'origins.origin_date'
        ) }}""",
        "{{ is_past('grid.grid_date', 'origins.origin_date') }}",
        "laws",
        {"boundaries": "a date before the origin learns from days after it"},
    ),
    Plant(
        "a late row taken early",
        "macros/contract.sql",
        """    coalesce(
        {{ business_day('loaded_at') }},
        greatest(
            {{ activity_date(entity) }},
            {{ days_after('last_scored_date', 1) }}
        )
    )
""",
        "    {{ activity_date(entity) }}\n",
        "late",
        {
            "truncation": "rows that were known later are not there",
            "boundaries": "a row is known before it was loaded",
        },
    ),
    Plant(
        "a window one day too long",
        "macros/features.sql",
        "        days_before < {{ days_from + days }}\n",
        "        days_before <= {{ days_from + days }}\n",
        "boundaries",
    ),
    Plant(
        "an outcome that starts on the date",
        "macros/clock.sql",
        "    {{ day }} > {{ as_of_date }}\n",
        "    {{ day }} >= {{ as_of_date }}\n",
        "boundaries",
        targets=("model_splits", "outcome_value"),
    ),
    Plant(
        "the wall clock",
        "models/features/feat_customers.sql",
        "extract('year' from customers.as_of_date) - customers.birth_year",
        "extract('year' from current_date) - customers.birth_year",
        "static",
        {"boundaries": "an age on a past date is another one today"},
        ("feat_customers", "model_splits"),
    ),
    Plant(
        "a scored date that is computed otherwise",
        "models/features/feat_customers.sql",
        "{{ days_between('customers.signed_up_date', 'customers.as_of_date') }}",
        "{{ days_between('customers.signed_up_date', "
        "'(select max(score_date) from ' ~ ref('int_score_date') ~ ')') }}",
        "parity",
        {
            "truncation": "the score date is another one there",
            "poison": "customers of the future move the score date",
            "boundaries": "unit tests do not mock what it reads",
        },
        ("feat_customers", "model_splits"),
    ),
    Plant(
        "what is missing filled in from all rows",
        "src/perennial/churn.py",
        "training = training_rows(chosen, features)\n",
        """training = training_rows(
                chosen, features.fillna(features.median(numeric_only=True))
            )
""",
        "learning",
    ),
    Plant(
        "a customer in fit and calibration",
        "src/perennial/churn.py",
        "others = rows[folds != fold]\n",
        "others = rows\n",
        "learning",
    ),
)


@dataclass
class Planted:
    """What became of a plant.

    Attributes
    ----------
    plant : Plant or None
        None for the project as it is.
    red : dict
        Of each proof that turned red, the first thing that it found.
    seconds : float
    """

    plant: Plant | None
    red: dict[str, str]
    seconds: float = 0.0

    @property
    def name(self) -> str:
        """Of the plant."""
        return self.plant.name if self.plant else "nothing"

    @property
    def holds(self) -> bool:
        """Whether precisely the proofs turned red that have to."""
        return set(self.red) == (self.plant.expected if self.plant else set())

    @property
    def told(self) -> str:
        """Which proofs turned red, those that should not and those that did not."""
        expected = self.plant.expected if self.plant else set()
        told = ", ".join(sorted(self.red)) or "none"
        if too_many := set(self.red) - expected:
            told += f"; not meant: {', '.join(sorted(too_many))}"
        if missing := expected - set(self.red):
            told += f"; still green: {', '.join(sorted(missing))}"
        return told

    def row(self) -> tuple[str, ...]:
        """Cells of a table."""
        return (
            self.name,
            self.plant.file if self.plant else "-",
            self.plant.meant if self.plant else "none",
            self.told,
            f"{self.seconds:.0f}",
        )


def planted_text(root: Path, plant: Plant) -> str:
    """Text of the file with the defect in it.

    Raises
    ------
    Fault
        If the text that it replaces is not there, or there several times.
    """
    file = root / plant.file
    text = file.read_text() if file.exists() else ""
    if text.count(plant.text) != 1:
        raise Fault(
            f"The leak {plant.name!r} cannot be planted any more: its text stands "
            f"{text.count(plant.text)} times in {plant.file}, and not once."
        )
    return text.replace(plant.text, plant.replacement)


def plant_leaks(
    project: Project, plants: tuple[Plant, ...], tell: Tell
) -> Iterator[Planted]:
    """Make all proofs of the project as it is, and then of each plant.

    Parameters
    ----------
    project : Project
    plants : tuple of Plant
    tell : callable
        What it does with the name of each step.

    Yields
    ------
    Planted
        First that of no plant.

    Raises
    ------
    Fault
        If a text that is to be replaced is not there.
    """
    with workshop(project) as own:
        scratch = own.folder / "project"
        _copy_project(project.root, scratch)
        texts = {plant.name: planted_text(scratch, plant) for plant in plants}
        place = own.with_project(scratch)
        place.parse()
        targets = tuple({name for plant in plants for name in plant.targets})
        # unit tests look at the tables that they stand in for
        tested = place.copy("tested", changes.unchanged, place.dates(1)[-1])
        yield _planted(place, None, targets, tested, tell)
        for plant in plants:
            file = scratch / plant.file
            kept = file.read_text()
            file.write_text(texts[plant.name])
            try:
                place.parse()
                yield _planted(place, plant, plant.targets, tested, tell)
            finally:
                file.write_text(kept)


def _planted(
    place: Workshop,
    plant: Plant | None,
    targets: tuple[str, ...],
    tested: Path,
    tell: Tell,
) -> Planted:
    begun = time.monotonic()
    planted = Planted(plant, {})
    dates = place.dates(1)

    def say(step: str) -> None:
        tell(f"{planted.name}: {step}")

    if found := static.findings(place.manifest):
        planted.red["static"] = found[0]
    say("dbt builds a copy")
    built = place.copy("planted", changes.unchanged, dates[-1], targets=targets)
    proofs = Proofs(place, dates, say, built, targets)
    names = ["truncation", "poison", "late", "parity"]
    if plant is None or plant.file.startswith("src/"):  # no text of dbt's is read there
        names.append("learning")
    for name in names:
        result = getattr(proofs, name)()
        if result.findings:
            planted.red[name] = result.findings[0]
    say("laws and unit tests")
    tests = [
        (proof, test, built)
        for proof, (test, model) in LAWS.items()
        if model in targets
    ]
    edges = ("boundaries", "tag:boundary,resource_type:unit_test", tested)
    for proof, selection, file in (*tests, edges):
        failing, _ = place.failing(file, selection)
        if failing:
            planted.red[proof] = f"{failing[0]} fails"
    planted.seconds = time.monotonic() - begun
    return planted


def _copy_project(root: Path, folder: Path) -> None:
    ignored = shutil.ignore_patterns("python", "benchmarks", "__pycache__", "*.duckdb")
    library = Path(perennial.__file__).parent
    shutil.copytree(library, folder / "src" / library.name, ignore=ignored)
    for part in _PARTS:
        if (root / part).is_dir():
            shutil.copytree(root / part, folder / part, ignore=ignored)
        elif (root / part).exists():
            shutil.copy(root / part, folder / part)
