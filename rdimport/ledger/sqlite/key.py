"""The key of a ledger's hashes: stored in its file, or kept apart by the user."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

from rdimport.core.errors import UsageError
from rdimport.core.messages import _
from rdimport.ledger.hashes import ledger_id
from rdimport.ledger.sqlite.schema import damaged

FindKey = Callable[[], bytes | None]
"""Returns the key kept on this machine, 32 bytes; None if there is none. May raise UsageError."""


def no_key() -> None:
    """A `FindKey` for which nothing is kept apart."""
    return


def key_in(path: Path, db: sqlite3.Connection, find: FindKey) -> bytes:
    """The key of an open ledger, 32 bytes.

    Raises UsageError if it is kept apart and missing here, or another key is here: with that one,
    every person would be new. Raises LedgerDamagedError if the ledger knows of no key.
    """
    settings = dict(
        db.execute("SELECT name, value FROM setting WHERE name IN ('hash_key', 'key_id')")
    )
    inside = settings.get("hash_key")
    if isinstance(inside, bytes):
        return inside
    if "key_id" not in settings:
        raise damaged(path, _("the key of its hashes is missing"))
    key = find()
    if key is None:
        raise UsageError(
            _(
                "The ledger {path} keeps the key of its hashes in another place, and the "
                "key was not found.",
                path=path,
            ),
            _remedy(),
        )
    if ledger_id(key) != settings["key_id"]:
        raise UsageError(
            _("The key that was found is not the key of the ledger {path}.", path=path), _remedy()
        )
    return key


def _remedy() -> str:
    return _(
        "Nothing was sent. Set RDIMPORT_LEDGER_KEY to it, or RDIMPORT_LEDGER_KEY_FILE to "
        "the file that contains it, as when the ledger was created. Without its key a "
        "ledger recognises nobody."
    )
