"""Ledgers of a state directory, for tests that look into the file itself."""

from __future__ import annotations

from pathlib import Path

from rdimport.ledger.sqlite.ledger import SqliteLedger
from rdimport.ledger.sqlite.store import SqliteStore


def sqlite_ledger(state_dir: Path) -> SqliteLedger:
    """The ledger of a state directory, open to write to."""
    return SqliteStore(state_dir).open()
