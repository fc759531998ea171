"""Two builds of the same input are the same, table by table, also on other threads."""

from conftest import run_build


def test_threads_and_cores_change_nothing(master, tmp_path):
    other = run_build(tmp_path, environment={"PERENNIAL_THREADS": "4"}, one_core=True)
    assert other.exit_code == 0, other.output + other.errors
    ours, theirs = master.digests(), other.digests()
    assert ours == theirs
    assert len(ours) > 25


def test_building_again_changes_no_row(shared_build, tmp_path):
    settings = {"cdnow_log": "sample"}
    first = run_build(tmp_path, settings=settings)
    before = first.digests()
    second = run_build(tmp_path, settings=settings)
    assert (first.exit_code, second.exit_code) == (0, 0)
    assert second.digests() == before
