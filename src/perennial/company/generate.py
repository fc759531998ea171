"""Write a company: its raw files, and the truth about it."""

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from perennial import __version__
from perennial.company import truth
from perennial.company.behaviour import (
    CAUSES,
    CHANNELS,
    COUNTRIES,
    MOODS,
    PLANS,
    SEGMENTS,
    Behaviour,
    Calendar,
)
from perennial.company.dirt import Planted
from perennial.company.files import WRITERS, customer_id, write_table
from perennial.company.life import NEVER, STILL_THERE, Lives, draw_people, live
from perennial.company.records import Company
from perennial.faults import UsageFault

#: Told what is done, how much of it, and how much there is.
Report = Callable[[str, int, int], None]

#: Customers whose truth lies in one file.
CUSTOMERS_PER_FILE = 16_000

LEAST_CUSTOMERS, MOST_CUSTOMERS = 100, 5_000_000
LEAST_MONTHS, MOST_MONTHS = 12, 120


@dataclass(frozen=True)
class Size:
    """How many customers sign up, in how many months."""

    customers: int
    months: int


SIZES = {
    "tiny": Size(2_000, 36),
    "small": Size(50_000, 36),
    "large": Size(500_000, 40),
}


def generate(
    folder: Path,
    customers: int,
    months: int,
    seed: int,
    shocks: Sequence[str] = (),
    threads: int = 2,
    report: Report | None = None,
) -> None:
    """Write a company into a folder that does not exist yet, or is empty.

    The same arguments give the same bytes, whatever the threads.

    Parameters
    ----------
    folder : Path
        Gets ``raw/<domain>/``, ``truth/`` and, last of all, ``company.json``.
    customers, months : int
        How many sign up, in how many months; the last month is December 2025.
    seed : int
        From 0 on.
    shocks : sequence of str
        Some of ``price_rise``, ``outage``, ``holiday``.
    threads : int
    report : callable, optional
        Told the step, how much of it is done, and how much there is.

    Raises
    ------
    UsageFault
        If an argument is out of range, or something lies in the folder already.
    """
    _check(customers, months, seed, threads)
    calendar = Calendar(months, shocks, Behaviour())
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageFault(
            f"{folder} is not empty: name a folder that does not exist yet."
        )
    tell = report or (lambda step, done, total: None)

    people = draw_people(customers, seed, calendar)
    lives = live(
        people,
        seed,
        calendar,
        lambda done, total: tell("lives", done, total),
    )
    company = Company(people, lives, calendar, seed)
    for domain in WRITERS:
        (folder / "raw" / domain).mkdir(parents=True)
    (folder / "truth" / "month_ends").mkdir(parents=True)
    with ThreadPoolExecutor(threads) as pool:
        planted = _write_raw(company, folder / "raw", pool, tell)
        _write_truth(company, planted, folder / "truth", pool, tell)
    about = {
        "customers": customers,
        "months": months,
        "seed": seed,
        "shocks": list(calendar.shocks),
        "first_month": calendar.names[0],
        "last_month": calendar.names[months - 1],
        "version": __version__,
    }
    (folder / "company.json").write_text(json.dumps(about, indent=2) + "\n")


def _check(customers: int, months: int, seed: int, threads: int) -> None:
    for name, value, least, most in (
        ("customers", customers, LEAST_CUSTOMERS, MOST_CUSTOMERS),
        ("months", months, LEAST_MONTHS, MOST_MONTHS),
        ("seed", seed, 0, 2**32 - 1),
        ("threads", threads, 1, 256),
    ):
        if not least <= value <= most:
            raise UsageFault(f"{name} is {value}, and must lie from {least} to {most}.")


def _write_raw(
    company: Company, folder: Path, pool: ThreadPoolExecutor, tell: Report
) -> list[Planted]:
    tasks = [
        pool.submit(write, company, month, folder)
        for write in WRITERS.values()
        for month in range(company.calendar.months)
    ]
    _wait(tasks, "raw files", tell)
    return [planted for task in tasks for planted in task.result()]


def _wait(tasks: list[Future], step: str, tell: Report) -> None:
    """Tell how many are done; the first fault ends it."""
    try:
        for done, task in enumerate(as_completed(tasks), start=1):
            task.result()
            tell(step, done, len(tasks))
    except BaseException:
        for task in tasks:
            task.cancel()
        raise


def _write_truth(
    company: Company,
    planted: list[Planted],
    folder: Path,
    pool: ThreadPoolExecutor,
    tell: Report,
) -> None:
    people = len(company.people)
    tasks = [
        pool.submit(_write_outlooks, company, first, folder)
        for first in range(0, people, CUSTOMERS_PER_FILE)
    ]
    _wait(tasks, "truth", tell)
    parts = [task.result() for task in tasks]
    responses = pd.concat([part[0] for part in parts], ignore_index=True)
    judged = pd.concat([part[1] for part in parts], ignore_index=True)
    id_of = customer_id("customer")
    for name, frame, order in (
        ("customers", _customers(company), "customer"),
        ("churn_causes", _causes(company), "customer"),
        ("campaign_responses", responses, "campaign_id, customer"),
    ):
        query = (
            f"select {id_of} as customer_id, * exclude (customer) "
            f"from rows order by {order}"
        )
        write_table(frame, folder / f"{name}.parquet", query)
    write_table(_oracle(judged), folder / "oracle.parquet")
    dirt = pd.DataFrame(
        [vars(one) for one in planted],
        columns=list(Planted.__dataclass_fields__),
    )
    write_table(dirt, folder / "planted_dirt.parquet", "from rows order by all")


def _write_outlooks(
    company: Company, first: int, folder: Path
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Write the month ends of some customers; give what all of them are needed for."""
    frames, responses = [], []
    last = min(first + CUSTOMERS_PER_FILE, len(company.people))
    for start in range(first, last, truth.CHUNK):
        part = slice(start, min(start + truth.CHUNK, last))
        lives = Lives(
            **{name: rows[part] for name, rows in vars(company.lives).items()}
        )
        frame, response = truth.true_outlooks(
            company.people.part(part), lives, start, company.calendar
        )
        frames.append(frame)
        responses.append(response)
    outlooks = pd.concat(frames, ignore_index=True)
    moods = ", ".join(f"'{mood}'" for mood in MOODS)
    write_table(
        outlooks,
        folder / "month_ends" / f"month_ends_{first // CUSTOMERS_PER_FILE:03}.parquet",
        f"""
        select
            {customer_id("customer")} as customer_id,
            * exclude (customer) replace (
                ([{moods}])[mood + 1] as mood, cast(as_of_date as date) as as_of_date
            )
        from rows
        order by as_of_date, customer
        """,
    )
    wanted = ["as_of_date"]
    for days in truth.HORIZONS:
        wanted += [f"churn_probability_{days}d", f"is_churned_{days}d"]
    return pd.concat(responses, ignore_index=True), outlooks[wanted]


def _customers(company: Company) -> pd.DataFrame:
    """Tell what is fixed about each customer, and never delivered."""
    people, lives, calendar = company.people, company.lives, company.calendar
    return pd.DataFrame(
        {
            "customer": np.arange(len(people)),
            "segment": np.array(SEGMENTS)[people.segment],
            "channel": np.array(CHANNELS)[people.channel],
            "country": np.array(COUNTRIES)[people.country],
            "signup_date": _dates(calendar, people.signup_day),
            "started_date": _dates(calendar, people.start_day),
            "ended_date": _dates(calendar, lives.end_day),
            "is_onboarded": people.is_onboarded,
            "is_yearly": people.is_yearly,
            "first_plan": np.array(PLANS)[people.first_plan],
            "discount_rate": people.discount,
            "sessions_per_month": people.sessions_rate.round(9),
            "orders_per_month": people.orders_rate.round(9),
            "mean_order_amount": truth.expected_spend(people, company.behaviour).round(
                6
            ),
            "leaving_probability": people.leaving_probability.round(12),
            "leaving_factor": people.leaving_factor.round(9),
            "payment_failure_probability": people.payment_failure_probability.round(12),
        }
    )


def _causes(company: Company) -> pd.DataFrame:
    """Why each subscription ended; several causes may be true at once."""
    people, lives, calendar = company.people, company.lives, company.calendar
    who = np.flatnonzero(lives.end_kind != STILL_THERE)
    causes = lives.end_causes[who].astype(int)
    return pd.DataFrame(
        {
            "customer": who,
            "ended_date": _dates(calendar, lives.end_day[who]),
            "is_voluntary": lives.end_kind[who] == 1,
            "mood": np.array(MOODS)[lives.end_mood[who]],
            "is_yearly": people.is_yearly[who],
        }
        | {
            f"by_{name}": (causes & (1 << place)) > 0
            for place, name in enumerate(CAUSES)
        }
        | {
            # neither onboarding, nor trouble, nor a shock: nothing but silence tells
            "is_unobserved": (lives.end_kind[who] == 1) & (causes & 15 == 0)
        }
    )


def _oracle(judged: pd.DataFrame) -> pd.DataFrame:
    """How well the true probabilities rank what then happened, by date and window."""
    return pd.DataFrame(_judgements(judged))


def _judgements(judged: pd.DataFrame) -> Iterator[dict]:
    for days in truth.HORIZONS:
        over = judged[judged[f"is_churned_{days}d"].notna()]
        for as_of_date, rows in over.groupby("as_of_date", sort=True):
            p = rows[f"churn_probability_{days}d"].to_numpy()
            y = rows[f"is_churned_{days}d"].to_numpy(dtype=bool)
            yield {
                "as_of_date": as_of_date.date(),
                "horizon_days": days,
                "customers_count": y.size,
                "churners_count": int(y.sum()),
                "churn_rate": round(float(y.mean()), 9),
                "mean_probability": round(float(p.mean()), 9),
                "roc_auc": _area(p, y),
                "brier_score": round(float(np.mean((p - y) ** 2)), 9),
            }


def _area(p: np.ndarray, y: np.ndarray) -> float | None:
    """Area under the ROC curve, by ranks; None where only one class is there."""
    if y.all() or not y.any():
        return None
    positives = int(y.sum())
    ranks = rankdata(p)[y].sum() - positives * (positives + 1) / 2
    return round(float(ranks / (positives * (y.size - positives))), 9)


def _dates(calendar: Calendar, day: np.ndarray) -> np.ndarray:
    dates = calendar.date(np.where(day == NEVER, 0, day)).astype("datetime64[s]")
    return np.where(day == NEVER, np.datetime64("NaT"), dates)
