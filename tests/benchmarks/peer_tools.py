"""The same two tasks by other tools: a process does one, and prints its seconds.

Called with the task, the tool, the folder of the files and the file for the answer.
From files on disk to a table in memory is timed; loading the tool is not.
"""

import sys
import time
import warnings
from pathlib import Path

AS_OF_DATE = "2025-12-31"
CORE_MODULES = ["invoices", "payments"]
WINDOWS = (7, 30, 90)
EVENT_COLUMNS = ["customer_id", "occurred_at", "module", "duration_seconds"]


def summary_by_lifetimes(folder: Path):
    import pandas
    from lifetimes.utils import summary_data_from_transaction_data

    yield
    orders = pandas.read_parquet(folder / "orders.parquet")
    yield summary_data_from_transaction_data(
        orders,
        "customer_id",
        "ordered_at",
        monetary_value_col="amount",
        observation_period_end=AS_OF_DATE,
    ).reset_index()


def summary_by_pandas(folder: Path):
    import pandas

    yield
    orders = pandas.read_parquet(folder / "orders.parquet")
    orders["day"] = orders["ordered_at"].dt.normalize()
    days = orders.groupby(["customer_id", "day"], as_index=False)["amount"].sum()
    # groups come in order, so a customer's first day comes first
    lives = days.groupby("customer_id").agg(
        first_day=("day", "first"),
        last_day=("day", "last"),
        days_count=("day", "size"),
        amount=("amount", "sum"),
        first_amount=("amount", "first"),
    )
    repeats = lives["days_count"] - 1
    answer = pandas.DataFrame(
        {
            "frequency": repeats,
            "recency": (lives["last_day"] - lives["first_day"]).dt.days,
            "T": (pandas.Timestamp(AS_OF_DATE) - lives["first_day"]).dt.days,
            "monetary_value": (
                (lives["amount"] - lives["first_amount"]) / repeats
            ).where(repeats > 0, 0),
        }
    )
    yield answer.reset_index()


def summary_by_polars(folder: Path):
    import polars
    from polars import col

    yield
    days = (
        polars.scan_parquet(folder / "orders.parquet")
        .group_by("customer_id", col("ordered_at").dt.date().alias("day"))
        .agg(col("amount").sum())
    )
    lives = days.group_by("customer_id").agg(
        col("day").min().alias("first_day"),
        col("day").max().alias("last_day"),
        (polars.len().cast(polars.Int64) - 1).alias("frequency"),
        col("amount").sum(),
        col("amount").sort_by("day").first().alias("first_amount"),
    )
    as_of_date = polars.lit(AS_OF_DATE).str.to_date()
    yield lives.select(
        "customer_id",
        "frequency",
        (col("last_day") - col("first_day")).dt.total_days().alias("recency"),
        (as_of_date - col("first_day")).dt.total_days().alias("T"),
        polars.when(col("frequency") > 0)
        .then((col("amount") - col("first_amount")) / col("frequency"))
        .otherwise(0)
        .alias("monetary_value"),
    ).collect()


def windows_by_pandas(folder: Path):
    import pandas

    yield
    events = pandas.read_parquet(folder / "events", columns=EVENT_COLUMNS)
    yield _windows(pandas, events)


def _windows(pandas, events):
    end = pandas.Timestamp(AS_OF_DATE) + pandas.Timedelta(days=1)
    events = events[events["occurred_at"] >= end - pandas.Timedelta(days=max(WINDOWS))]
    events = events.assign(
        core_seconds=events["duration_seconds"].where(
            events["module"].isin(CORE_MODULES), 0
        )
    )
    answers = []
    for days in WINDOWS:
        recent = events[events["occurred_at"] >= end - pandas.Timedelta(days=days)]
        answers.append(
            recent.groupby("customer_id", sort=False)["core_seconds"]
            .agg(["size", "sum"])
            .set_axis([f"events_count_{days}d", f"core_seconds_{days}d"], axis=1)
        )
    return pandas.concat(answers, axis=1).rename_axis("customer_id").reset_index()


def windows_by_polars(folder: Path):
    import datetime

    import polars
    from polars import col

    yield
    end = datetime.datetime.fromisoformat(AS_OF_DATE) + datetime.timedelta(days=1)
    sums = []
    for days in WINDOWS:
        is_recent = col("occurred_at") >= end - datetime.timedelta(days=days)
        is_core = col("module").is_in(CORE_MODULES)
        sums += [
            is_recent.sum().cast(polars.Int64).alias(f"events_count_{days}d"),
            col("duration_seconds")
            .filter(is_recent & is_core)
            .sum()
            .alias(f"core_seconds_{days}d"),
        ]
    since = end - datetime.timedelta(days=max(WINDOWS))
    yield (
        polars.scan_parquet(folder / "events" / "*.parquet")
        .filter(col("occurred_at") >= since)
        .group_by("customer_id")
        .agg(*sums)
        .collect()
    )


def windows_by_featuretools(folder: Path):
    import featuretools
    import pandas

    yield
    events = pandas.read_parquet(folder / "events", columns=EVENT_COLUMNS)
    events["core_seconds"] = events["duration_seconds"].where(
        events["module"].isin(CORE_MODULES), 0
    )
    events["row"] = range(len(events))
    customers = pandas.DataFrame({"customer_id": events["customer_id"].unique()})
    entities = featuretools.EntitySet("company")
    entities.add_dataframe(
        dataframe_name="customers", dataframe=customers, index="customer_id"
    )
    entities.add_dataframe(
        dataframe_name="events",
        dataframe=events[["row", "customer_id", "occurred_at", "core_seconds"]],
        index="row",
        time_index="occurred_at",
    )
    entities.add_relationship("customers", "customer_id", "events", "customer_id")
    last_moment = (
        pandas.Timestamp(AS_OF_DATE) + pandas.Timedelta("1D") - pandas.Timedelta("1us")
    )
    answers = []
    for days in WINDOWS:
        matrix, _ = featuretools.dfs(
            entityset=entities,
            target_dataframe_name="customers",
            agg_primitives=["count", "sum"],
            trans_primitives=[],
            max_depth=1,
            cutoff_time=last_moment,
            training_window=f"{days} days",
        )
        answers.append(
            matrix.rename(
                columns={
                    "COUNT(events)": f"events_count_{days}d",
                    "SUM(events.core_seconds)": f"core_seconds_{days}d",
                }
            )
        )
    yield pandas.concat(answers, axis=1).rename_axis("customer_id").reset_index()


def main() -> None:
    warnings.simplefilter("ignore")
    task, tool, folder, answer = sys.argv[1:]
    steps = globals()[f"{task}_by_{tool}"](Path(folder))
    next(steps)
    start = time.perf_counter()
    table = next(steps)
    seconds = time.perf_counter() - start
    if hasattr(table, "write_parquet"):
        table.write_parquet(answer)
    else:
        table.to_parquet(answer)
    print(seconds)


if __name__ == "__main__":
    main()
