"""Two builds of the same input are the same, table by table, also on other threads."""

import shutil

from conftest import ROOT, SAMPLE, run_build

from perennial.follow import follow
from perennial.project import Project


def test_threads_and_cores_change_nothing(sample, tmp_path):
    other = run_build(
        tmp_path,
        settings=SAMPLE,
        environment={"PERENNIAL_THREADS": "4"},
        one_core=True,
        everything=True,
    )
    assert other.exit_code == 0, other.output + other.errors
    ours, theirs = sample.digests(), other.digests()
    assert ours == theirs
    assert len(ours) > 25
    # what people read comes in one order, whatever the order of rows in the file
    once, often = sample.row(
        "select min(customer_id) filter (where repeat_order_days_count = 0), "
        "min(customer_id) filter (where repeat_order_days_count > 0) "
        "from features.feat_purchases "
        "where as_of_date = (select max(as_of_date) from features.feat_purchases)"
    )
    paths = [
        follow(Project(ROOT, build.home, "cdnow"), customer)
        for build in (sample, other)
        for customer in (often, once)
    ]
    assert paths[:2] == paths[2:]
    # who ordered once has no repeat order, and the path says so
    assert ("mean_repeat_order_day_amount", "NULL") in [row[2:] for row in paths[1]]


def test_building_again_changes_no_row(sample, tmp_path):
    home = shutil.copytree(sample.home, tmp_path / "home")
    second = run_build(home, settings=SAMPLE, everything=True)
    assert second.exit_code == 0, second.output + second.errors
    assert second.digests() == sample.digests()
