"""Two builds of the same input are the same, table by table, also on other threads."""

from conftest import ROOT, run_build

from perennial.follow import follow
from perennial.project import Project


def test_threads_and_cores_change_nothing(master, tmp_path):
    other = run_build(
        tmp_path,
        environment={"PERENNIAL_THREADS": "4"},
        one_core=True,
        everything=True,
    )
    assert other.exit_code == 0, other.output + other.errors
    ours, theirs = master.digests(), other.digests()
    assert ours == theirs
    assert len(ours) > 25
    # what people read comes in one order, whatever the order of rows in the file
    paths = [
        follow(Project(ROOT, build.home, "cdnow"), customer)
        for build in (master, other)
        for customer in ("00004", "00001")
    ]
    assert paths[:2] == paths[2:]
    # who ordered once has no repeat order, and the path says so
    assert ("mean_repeat_order_day_amount", "NULL") in [row[2:] for row in paths[1]]


def test_building_again_changes_no_row(tmp_path):
    settings = {"cdnow_log": "sample"}
    first = run_build(tmp_path, settings=settings)
    before = first.digests()
    second = run_build(tmp_path, settings=settings)
    assert (first.exit_code, second.exit_code) == (0, 0)
    assert second.digests() == before
