"""Publishes what dbt has built, and is killed before a line of it if that is wanted.

It is what `perennial build` does before and after dbt, in the same order, so that it
can be killed at every line without building each time.

    publishing.py CONNECTOR HOME MANIFEST RESULTS RUN_ID KILL_AT

KILL_AT counts the lines of perennial.publishing that are run for the first time, or is
FILE:LINE; 0 kills nowhere. At its end it prints how many there are.
"""

import json
import os
import signal
import sys
from pathlib import Path

import perennial.publishing
from perennial.faults import Fault
from perennial.project import Project
from perennial.publishing import building, run_log
from perennial.publishing.lock import held

#: What is traced: what publishes, and what stands in for parts of it.
TRACED = (
    str(Path(perennial.publishing.__file__).parent),
    str(Path(__file__).with_name("mutants.py")),
)


class Killer:
    """Counts lines, and kills this process before one of them."""

    def __init__(self, kill_at: str) -> None:
        file, _, line = kill_at.rpartition(":")
        self.kill_before = (file, int(line)) if file else None
        self.kill_at = None if file else int(line)
        self.seen: set[tuple[str, int]] = set()

    def __call__(self, frame, event, argument):
        """Trace what belongs to publishing, and nothing else."""
        if not frame.f_code.co_filename.startswith(TRACED):
            return None
        return self.line

    def line(self, frame, event, argument):
        """Look at a line that is about to be run."""
        if event == "line":
            place = (frame.f_code.co_filename, frame.f_lineno)
            self.seen.add(place)
            if len(self.seen) == self.kill_at or place == self.kill_before:
                os.kill(os.getpid(), signal.SIGKILL)
        return self.line


def main() -> None:
    """Publish, or die on the way."""
    connector, home, manifest, results, run_id, kill_at = sys.argv[1:7]
    if len(sys.argv) > 7:  # a mutant
        import mutants

        mutants.mutate(sys.argv[7])
    project = Project(Path(__file__).parents[2], Path(home), connector)
    killer = Killer(kill_at)
    sys.settrace(killer)
    try:
        with held(project, "torture"):
            building.prepare(project)
            journal = run_log.Journal(project)
            journal.name(run_id)
            for unique_id, status in json.loads(Path(results).read_text()).items():
                kind, _, name = unique_id.split(".")[:3]
                journal.add(name, kind, status)
            building.finish(
                project,
                Path(manifest),
                ["--selector", "full"],
                json.loads(Path(results).read_text()),
                journal,
            )
    except Fault as fault:
        sys.settrace(None)
        print(fault)
        sys.exit(fault.exit_code)
    sys.settrace(None)
    print(len(killer.seen))


if __name__ == "__main__":
    main()
