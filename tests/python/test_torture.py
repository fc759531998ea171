"""The short form of `make torture`: a build killed halfway, and promises broken."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from conftest import PERENNIAL, ROOT, SAMPLE

from perennial.project import Project
from perennial.publishing.lock import holder

sys.path.append(str(ROOT / "tests" / "torture"))

from mutants import MUTANTS
from stage import Stage

pytestmark = pytest.mark.publish

#: Models that are built before the build is killed; there are about 150.
BUILT_BEFORE = 80


@pytest.fixture
def stage(sample, tmp_path) -> Stage:
    """The sample, as it is published and as it would be once more."""
    stage = Stage(tmp_path, connector="cdnow")
    stage.old_home = stage.new_home = stage.built_home = sample.home
    stage.keep_results(sample.home)
    stage.reset()
    return stage


def start(stage: Stage) -> subprocess.Popen:
    return subprocess.Popen(
        [
            *[PERENNIAL, "build", "--connector=cdnow", "--"],
            f"--target-path={stage.home / 'target'}",
            f"--log-path={stage.home / 'logs'}",
            f"--vars={json.dumps(SAMPLE)}",
            *["--exclude", "resource_type:unit_test"],
        ],
        cwd=ROOT,
        env=os.environ | {"PERENNIAL_HOME": str(stage.home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def let_go(stage: Stage) -> None:
    """Until the system took the lock from dbt too, which dies a little after."""
    deadline = time.monotonic() + 30
    while holder(Project(ROOT, stage.home, "cdnow")) is not None:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_build_killed_halfway_harms_no_reader_and_the_next_one_ends_the_same(stage):
    before = stage.published.read_bytes()
    with stage.readers() as found:
        killed = start(stage)
        for _ in range(BUILT_BEFORE):
            assert " OK " in killed.stdout.readline()
        assert holder(Project(ROOT, stage.home, "cdnow")) is not None
        os.killpg(killed.pid, signal.SIGKILL)
        killed.communicate()
        assert stage.published.read_bytes() == before
        let_go(stage)
        again = start(stage)
        output, _ = again.communicate()
    assert again.returncode == 0, output
    assert "Published in " in output, output[-2000:]
    assert stage.wrong_with_published({stage.new.content}) == []
    assert stage.wrong_with_leftovers() == []
    assert stage.wrong_with_readers(found) == []
    assert found.looks_count > 50


@pytest.mark.parametrize("name", [n for n in MUTANTS if n != "lenient reading"])
def test_a_broken_promise_is_noticed(name, stage):
    """Without the mutant there is nothing to notice: test_publish.py holds that."""
    assert MUTANTS[name].check(stage, name) != []
