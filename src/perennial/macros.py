"""What the project's macros say, read with plain Jinja: dbt is not asked."""

import re
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import jinja2

_MACRO = re.compile(r"{%-?\s*macro\s+(\w+)\(")


class _Returned(Exception):
    """What dbt's `return` does to the rest of a macro."""

    def __init__(self, value: object) -> None:
        self.value = value


def _return(value: object) -> None:
    raise _Returned(value)


class Macros:
    """Macros of the project as functions: they give what they return, or their text.

    Parameters
    ----------
    root : Path
        Of the project.
    **known
        What else the macros ask of dbt, by name.
    """

    def __init__(self, root: Path, **known: Any) -> None:
        self._files = {
            name: file
            for file in sorted((root / "macros").glob("*.sql"))
            for name in _MACRO.findall(file.read_text("utf-8"))
        }
        self._modules: dict[Path, Any] = {}
        self._environment = jinja2.Environment(extensions=["jinja2.ext.do"])
        self._environment.globals |= {
            **{name: partial(self._called, name) for name in self._files},
            **{"perennial": self, "return": _return, **known},
        }

    def __getattr__(self, name: str) -> Callable:
        """Give the macro of that name."""
        if name not in vars(self).get("_files", {}):
            raise AttributeError(name)
        return partial(self._called, name)

    def _called(self, name: str, *arguments: object, **options: object) -> Any:
        # a file is read when it is asked for: one may hold tags that only dbt knows
        file = self._files[name]
        if file not in self._modules:
            template = self._environment.from_string(file.read_text("utf-8"))
            self._modules[file] = template.module
        try:
            return getattr(self._modules[file], name)(*arguments, **options)
        except _Returned as returned:
            return returned.value

    def rendered(self, text: str) -> str:
        """Render text that calls macros."""
        return self._environment.from_string(text).render()


@cache
def macros_of(root: Path) -> Macros:
    """Macros of a project; those that ask nothing of dbt can be called."""
    return Macros(root)


def settings_catalogue(root: Path) -> dict[str, dict[str, Any]]:
    """Read every setting: its type, limits, default and meaning."""
    return macros_of(root).settings_catalogue()


@cache
def contract(root: Path) -> dict[str, dict[str, Any]]:
    """Read the input contract.

    Returns
    -------
    dict
        By domain: ``key``, ``time``, ``required``, ``columns`` with their types, and
        ``absence``, what a company misses that does not deliver it.
    """
    domains = settings_catalogue(root)["entities"]["choices"]
    return {entity: macros_of(root).contract(entity) for entity in domains}
