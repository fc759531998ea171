"""Who was lost: CDNOW against a count of one's own, the demo company against truth."""

import dataclasses
import datetime

import pytest

from perennial.doctor import DataPage, Suggestion, churn_windows

#: Share of silences that ended within 180 days, in percent: all, and who had come more
#: than once.
RETURNED = {
    60: (33.1, 50.2),
    90: (27.6, 43.3),
    120: (23.7, 37.9),
    180: (17.4, 29.8),
    270: (10.9, 17.7),
}


def test_who_was_silent_on_cdnow_came_back_as_it_was_measured(master):
    found = {
        window: (all_customers, repeat)
        for window, all_customers, repeat in master.rows(
            "select window_days, 100 * return_rate, 100 * repeat_return_rate "
            "from marts.churn_definition where activity_kind = 'ordered'"
        )
    }
    assert len(found) == 13
    for window, returned in RETURNED.items():
        assert found[window] == pytest.approx(returned, abs=0.06), window
    assert master.row(
        "select silences_count, repeat_silences_count from marts.churn_definition "
        "where window_days = 90"
    ) == (26283, 9600)


def test_the_silences_of_cdnow_are_counted_right(master):
    """Once more, from the orders themselves."""
    rows = master.rows(
        """
        with days as (
            select distinct customer_id, cast(ordered_at as date) as day
            from marts.fct_orders
        ),
        numbered as (
            select
                day,
                lead(day) over (partition by customer_id order by day) as next,
                row_number() over (partition by customer_id order by day) as k
            from days
        ),
        at_risk as (
            select window_days, k > 1 as is_repeat,
                coalesce(next - day <= window_days + 180, false) as is_back
            from numbered, (select unnest(range(30, 361, 30) || [365]) as window_days)
            where day + cast(window_days as integer) + 180 <= date '1998-06-30'
                and (next is null or next - day > window_days)
        )
        select window_days, count(*), count(*) filter (is_back),
            count(*) filter (is_repeat), count(*) filter (is_repeat and is_back)
        from at_risk group by all order by all
        """
    )
    assert rows == master.rows(
        "select window_days, silences_count, returned_count, repeat_silences_count, "
        "repeat_returned_count from marts.churn_definition order by all"
    )


def test_cdnow_suggests_seven_months(master):
    assert master.rows(
        "select distinct gap_q50_days, gap_q75_days, gap_q80_days, gap_q90_days, "
        "gap_q95_days from marts.churn_definition"
    ) == [(34, 94, 119, 200, 283)]
    assert master.rows(
        "select window_days, suggestion_reason from marts.churn_definition "
        "where is_suggested"
    ) == [(210, "q90_of_gaps")]


def test_where_there_are_orders_alone_churn_is_no_order(master):
    """The default is either, so that CDNOW needs no setting."""
    wrong, labels, windows = master.row(
        """
        with ordered as (
            select distinct churn.customer_id, churn.as_of_date, churn.horizon_days
            from outcomes.outcome_churn as churn
            inner join marts.fct_orders as orders
                on churn.customer_id = orders.customer_id
                and cast(orders.ordered_at as date) - churn.as_of_date
                between 1 and churn.horizon_days
        )
        select
            count(*) filter (
                is_churned <> (ordered.customer_id is null)
                or label_reason <> if(is_churned, 'no_order', 'ordered')
                or churn_kind is distinct from if(is_churned, 'inactivity', null)
                or scope_reason not in ('active_lately', 'lapsed')
            ),
            count(is_churned),
            count(distinct (as_of_date, horizon_days))
        from outcomes.outcome_churn as churn
        left join ordered using (customer_id, as_of_date, horizon_days)
        where is_churned is not null
        """
    )
    assert wrong == 0
    assert labels > 300_000
    assert windows > 15


def test_who_had_lapsed_is_out_of_scope_and_labelled_all_the_same(master):
    """To tell that they stay away is easy, and makes a score look superb."""
    rows = master.rows(
        "select is_in_scope, avg(cast(is_churned as integer)), count(*) "
        "from outcomes.outcome_churn "
        "where as_of_date = '1998-03-31' and horizon_days = 91 "
        "group by all order by all"
    )
    (_, lapsed, lapsed_count), (_, active, active_count) = rows
    assert lapsed_count + active_count == 23570
    assert lapsed > 0.85 > 0.75 > active


@pytest.mark.parametrize("days", [90, 365])
def test_on_the_demo_everybody_is_lost_who_was(demo, days):
    """At every month end, every subscriber: no row more, none less, none another."""
    truth = f"'{demo.home}/demo/truth/month_ends/*.parquet'"
    rows = demo.rows(
        f"""
        with labels as (
            select customer_id, as_of_date, is_churned
            from outcomes.outcome_churn
            inner join intermediate.int_as_of_dates using (as_of_date)
            where is_grid_date and horizon_days = ? and scope_reason = 'subscribed'
        ),
        truth as (
            select customer_id, as_of_date, is_churned_{days}d as was_churned
            from {truth}
            inner join intermediate.int_as_of_dates using (as_of_date)
            where is_grid_date
        )
        select is_churned, was_churned, count(labels.customer_id), count(*)
        from labels
        full join truth
            on labels.customer_id = truth.customer_id
            and labels.as_of_date = truth.as_of_date
        group by all order by all
        """,
        days,
    )
    told = {label: (truth, joined, every) for label, truth, joined, every in rows}
    assert len(rows) == 3
    for label in (True, False, None):
        was, joined, every = told[label]
        assert was is label
        assert joined == every > 1000


def test_on_the_demo_a_lost_payment_is_no_choice(demo):
    causes = f"'{demo.home}/demo/truth/churn_causes.parquet'"
    rows = demo.rows(
        f"""
        select churn_kind, is_voluntary, count(*) > 100
        from outcomes.outcome_churn left join {causes} as causes using (customer_id)
        where is_churned group by all order by all
        """
    )
    assert rows == [("involuntary", False, True), ("voluntary", True, True)]


def test_nobody_of_the_demo_comes_back_to_a_subscription(demo):
    """So months later fewer are subscribed, once the last of a cohort is."""
    rows = demo.rows(
        "select retained_count - lag(retained_count) over "
        "(partition by cohort_month order by months_since) as change "
        "from marts.cohort_retention "
        "where activity_kind = 'subscribed' "
        "qualify months_since > 4 and change > 0"
    )
    assert rows == []
    kinds = demo.rows(
        "select activity_kind, count(*) from marts.cohort_retention group by all "
        "order by all"
    )
    assert [kind for kind, _ in kinds] == ["ordered", "subscribed", "used"]
    assert len({count for _, count in kinds}) == 1


# --- what the doctor says of it -------------------------------------------------------

SUGGESTION = Suggestion("ordered", 210, "q90_of_gaps", 200, 18132, 0.147, 0.251, 90)


def page(**changes) -> DataPage:
    suggestion = dataclasses.replace(SUGGESTION, **changes)
    return DataPage(
        *([], [], [], [], 0, 0, 0, datetime.date(1998, 6, 30)),
        suggestions=[suggestion],
    )


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {},
            "orders: 210 days, for nine of ten gaps between two days of orders are at "
            "most 200 days (rounded to 30); after as long a silence 15% came back "
            "within 180 days, and 25% of regulars; hiatus_days is 90",
        ),
        (
            {
                "activity_kind": "used",
                "window_days": 30,
                "reason": "q90_below_the_shortest",
                "gap_q90_days": 4,
                "repeat_return_rate": None,
            },
            "use: 30 days, for nine of ten gaps between two days of use are at most 4 "
            "days (no window is shorter); after as long a silence 15% came back within "
            "180 days; hiatus_days is 90",
        ),
        (
            {
                "window_days": 365,
                "reason": "q90_above_the_longest",
                "gap_q90_days": 500,
                "silences_count": 0,
                "return_rate": None,
                "repeat_return_rate": None,
                "hiatus_days": 30,
            },
            "orders: 365 days, for nine of ten gaps between two days of orders are at "
            "most 500 days (no window is longer); hiatus_days is 30",
        ),
        (
            {"reason": "too_few_repeat_customers"},
            "orders: too few customers came back to suggest a window "
            "(minimum_repeat_customers); hiatus_days is 90",
        ),
    ],
)
def test_the_doctor_says_what_it_suggests_and_why(changes, told):
    assert churn_windows(page(**changes)) == [told]
