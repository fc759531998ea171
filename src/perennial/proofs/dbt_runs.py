"""Runs dbt on a project that was parsed once: ``python -m`` with this module."""

import sys
from pathlib import Path

from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest


def main(arguments: list[str]) -> int:
    """Run a command of dbt with what its target folder remembers of the project.

    Parameters
    ----------
    arguments : list of str
        The target folder, then what dbt is told.

    Returns
    -------
    int
        0 if all went well.
    """
    target, *told = arguments
    remembered = Path(target) / "partial_parse.msgpack"
    manifest = Manifest.from_msgpack(remembered.read_bytes())
    manifest.build_flat_graph()
    finished = dbtRunner(manifest=manifest).invoke(
        [told[0], f"--target-path={target}", *told[1:]]
    )
    if finished.exception:
        print(finished.exception, file=sys.stderr)
    return 0 if finished.success else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
