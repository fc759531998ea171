"""Let builds of tests share what dbt parsed: their homes differ, their models do not.

dbt imports every module whose name starts with ``dbt_``. It keeps what it parsed in the
target folder, and parses all anew where the path of the database is another one. Here
the path does not count, and a first build finds what an earlier one of the same project
and settings has left. Files and environment variables that changed are parsed as ever.
"""

import hashlib
import os
import shutil
from pathlib import Path

from dbt.adapters.duckdb.credentials import DuckDBCredentials
from dbt.parser.manifest import ManifestLoader

_FOLDER = os.environ.get("SHARED_PARSE_FOLDER")


def _parsed(loader: ManifestLoader) -> Path:
    """Find where dbt keeps what it parsed."""
    return Path(loader.root_project.project_target_path) / "partial_parse.msgpack"


def _shared(loader: ManifestLoader) -> Path:
    """Tell under which name builds of the same project and settings share it."""
    state = loader.manifest.state_check
    hashes = [
        loader.root_project.project_root,
        state.vars_hash.checksum,
        state.profile_hash.checksum,
        state.project_env_vars_hash.checksum,
    ]
    return Path(_FOLDER) / hashlib.sha256("\n".join(hashes).encode()).hexdigest()


def _share() -> None:
    keys = DuckDBCredentials._connection_keys
    read = ManifestLoader.read_manifest_for_partial_parse
    write = ManifestLoader.write_manifest_for_partial_parse

    def keys_without_path(credentials):
        return tuple(key for key in keys(credentials) if key != "path")

    def read_shared(loader):
        shared, parsed = _shared(loader), _parsed(loader)
        if shared.exists() and not parsed.exists():
            parsed.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(shared, parsed)
        return read(loader)

    def write_shared(loader):
        write(loader)
        shared = _shared(loader)
        unfinished = shared.with_suffix(f".{os.getpid()}")
        shutil.copyfile(_parsed(loader), unfinished)
        unfinished.replace(shared)

    DuckDBCredentials._connection_keys = keys_without_path
    ManifestLoader.read_manifest_for_partial_parse = read_shared
    ManifestLoader.write_manifest_for_partial_parse = write_shared


if _FOLDER:
    _share()
