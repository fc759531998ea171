"""The door through which dbt-duckdb reads raw files, named in profiles.yml."""

from pathlib import Path
from typing import Any

import pandas as pd
from dbt.adapters.duckdb.plugins import BasePlugin
from dbt.adapters.duckdb.utils import SourceConfig
from dbt_common.exceptions import DbtRuntimeError

from perennial import cdnow
from perennial.faults import Fault


class Plugin(BasePlugin):
    """Reads raw files for sources that say ``plugin: perennial``."""

    def initialize(self, plugin_config: dict[str, Any]) -> None:
        """Make the folder of the working file: DuckDB does not, and says so badly."""
        if self.creds is not None and self.creds.path != ":memory:":
            Path(self.creds.path).parent.mkdir(parents=True, exist_ok=True)

    def load(self, source_config: SourceConfig) -> pd.DataFrame:
        """Lines of the raw file behind a source.

        Raises
        ------
        DbtRuntimeError
            If the file cannot be used; dbt shows its one line and stops.
        """
        try:
            return cdnow.read_log(source_config["log"])
        except Fault as fault:
            raise DbtRuntimeError(str(fault)) from None
