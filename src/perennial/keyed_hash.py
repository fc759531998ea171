"""Ids as keyed hashes. Only this module ever sees the key, and it tells nobody."""

import functools
import hashlib
import hmac
import os

import duckdb
from duckdb.sqltypes import VARCHAR

#: dbt hides the values of variables that begin with DBT_ENV_SECRET_ wherever it writes.
KEY_VARIABLE = "DBT_ENV_SECRET_PERENNIAL_KEY"

#: A shorter key could be guessed.
KEY_LEAST_CHARACTERS = 16

#: Hex digits of a hash: 16 bytes, so that no two of a billion ids ever meet.
HASH_CHARACTERS = 32

#: What is hashed for what. Hashes of two kinds cannot be compared with each other.
KINDS = ("customer", "order", "erased customer", "key")


def has_key() -> bool:
    """Whether the environment holds a key, and one that is long enough."""
    return len(os.environ.get(KEY_VARIABLE, "")) >= KEY_LEAST_CHARACTERS


def keyed_hash(kind: str, text: str | None) -> str | None:
    """HMAC-SHA-256 of an id (RFC 2104), in hex, cut to 16 bytes.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    text : str or None
        The id.

    Returns
    -------
    str or None
        None where the id is.

    Raises
    ------
    ValueError
        If there is no key, or the kind is unknown.
    """
    if text is None:
        return None
    if not has_key():
        raise ValueError(f"{KEY_VARIABLE} is not set")
    begun = _begun(os.environ[KEY_VARIABLE], kind).copy()
    begun.update(text.encode())
    return begun.hexdigest()[:HASH_CHARACTERS]


@functools.lru_cache(maxsize=2 * len(KINDS))
def _begun(key: str, kind: str) -> hmac.HMAC:
    if kind not in KINDS:
        raise ValueError(f"there is no kind {kind!r}")
    # the length keeps one kind's hashes apart from those of any other
    return hmac.new(key.encode(), f"{len(kind)} {kind} ".encode(), hashlib.sha256)


def key_check() -> str | None:
    """Tell one key from another without telling either; None where there is none."""
    return keyed_hash("key", "check") if has_key() else None


def register(connection: duckdb.DuckDBPyConnection) -> None:
    """Give SQL ``perennial_keyed_hash(kind, id)`` and ``perennial_key_check()``."""
    connection.create_function(
        "perennial_keyed_hash",
        keyed_hash,
        [VARCHAR, VARCHAR],
        VARCHAR,
        null_handling="special",
    )
    connection.create_function(
        "perennial_key_check", key_check, [], VARCHAR, null_handling="special"
    )
