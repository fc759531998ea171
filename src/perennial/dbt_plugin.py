"""What dbt-duckdb does for perennial before it connects, named in profiles.yml."""

from pathlib import Path
from typing import Any

from dbt.adapters.duckdb.plugins import BasePlugin


class Plugin(BasePlugin):
    """Prepares the place of the working file."""

    def initialize(self, plugin_config: dict[str, Any]) -> None:
        """Make the folder of the working file: DuckDB does not, and says so badly."""
        if self.creds is not None and self.creds.path != ":memory:":
            Path(self.creds.path).parent.mkdir(parents=True, exist_ok=True)
