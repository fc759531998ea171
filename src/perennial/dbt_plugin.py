"""What dbt-duckdb does for perennial before it connects, named in profiles.yml."""

import importlib.util
from pathlib import Path
from typing import Any

import duckdb
from dbt.adapters.duckdb.credentials import DuckDBCredentials
from dbt.adapters.duckdb.plugins import BasePlugin
from dbt.adapters.duckdb.secrets import Secret
from dbt_common.exceptions import DbtRuntimeError
from duckdb.sqltypes import VARCHAR

from perennial import keyed_hash

#: For each extension that a profile may ask for, its name at DuckDB. It comes in a
#: wheel of that name, pinned like every other dependency, and never from the network.
EXTENSIONS = {"postgres": "postgres_scanner"}


class Plugin(BasePlugin):
    """Prepares the connection.

    Its ``config`` in profiles.yml may name ``extensions``, a list of keys of
    `EXTENSIONS`, which are loaded before dbt-duckdb attaches databases; what an
    attached database needs is loaded without being named.
    """

    def initialize(self, plugin_config: dict[str, Any]) -> None:
        """Make the folder of the working file: DuckDB does not, and says so badly.

        Raises
        ------
        DbtRuntimeError
            If an extension is unknown, or its wheel is not installed.
        """
        attached = (self.creds.attach or []) if self.creds is not None else []
        needed = [one.type for one in attached if one.type in EXTENSIONS]
        named = {*(plugin_config.get("extensions") or []), *needed}
        self._extensions = {name: extension_file(name) for name in named}
        self._secrets: list[Secret] = []
        if self.creds is not None and self.creds.path != ":memory:":
            Path(self.creds.path).parent.mkdir(parents=True, exist_ok=True)

    def update_connection_config(
        self, creds: DuckDBCredentials, config: dict[str, Any]
    ) -> None:
        """Keep DuckDB from fetching code, and put off what needs an extension.

        dbt-duckdb makes the secrets of the profile before it calls
        `configure_connection`, but DuckDB knows no secret of type postgres until the
        extension is loaded.
        """
        config.setdefault("autoinstall_known_extensions", False)
        config.setdefault("autoload_known_extensions", False)
        self._secrets += [s for s in creds._secrets if s.type in self._extensions]
        creds._secrets = [s for s in creds._secrets if s.type not in self._extensions]

    def configure_connection(self, conn: duckdb.DuckDBPyConnection) -> None:
        """Load the extensions, make the secrets that wait for them, lend functions.

        What is registered here is known to every cursor of the process.
        """
        for file in self._extensions.values():
            conn.load_extension(str(file))
        for secret in self._secrets:
            conn.execute(secret.to_sql())
        keyed_hash.register(conn)
        conn.create_function("perennial_place", _place, [VARCHAR], VARCHAR)
        # a time with a zone is the same text on every machine
        conn.execute("set global TimeZone = 'UTC'")


def _place(files: str) -> str | None:
    # not before it is asked for: reading takes a second to import
    from perennial.reading import place

    return place(files)


def extension_file(name: str) -> Path:
    """Where the installed wheel of an extension keeps it.

    Raises
    ------
    DbtRuntimeError
        If the extension is unknown, or its wheel is not installed.
    """
    if name not in EXTENSIONS:
        raise DbtRuntimeError(
            f"profiles.yml asks perennial for the extension {str(name)[:60]!r}: "
            f"choose from {', '.join(EXTENSIONS)}."
        )
    package = importlib.util.find_spec(f"duckdb_extension_{EXTENSIONS[name]}")
    if package is not None:
        for folder in package.submodule_search_locations or []:
            file = (
                Path(folder)
                / f"extensions/v{duckdb.__version__}"
                / f"{EXTENSIONS[name]}.duckdb_extension"
            )
            if file.exists():
                return file
    raise DbtRuntimeError(
        f"The {name} extension of DuckDB {duckdb.__version__} is not installed: "
        f"pip install 'perennial[{name}]'."
    )
