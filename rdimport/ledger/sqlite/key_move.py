"""Takes the key of its hashes out of a ledger that holds it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from rdimport.core.errors import LedgerError, UsageError
from rdimport.core.key_file import read_key, write_key
from rdimport.core.messages import _
from rdimport.ledger.hashes import ledger_id
from rdimport.ledger.sqlite.database import LedgerFile
from rdimport.ledger.sqlite.files import databases_aside
from rdimport.ledger.sqlite.schema import uri_of
from rdimport.ledger.sqlite.upgrade import copies


def inside(ledger: LedgerFile) -> bytes:
    """The key that the ledger holds. Raises UsageError if it holds none."""
    found = ledger.query("SELECT value FROM setting WHERE name = 'hash_key'")
    if not found:
        raise UsageError(
            _("The ledger {path} contains no key: it is already kept apart.", path=ledger.path)
        )
    return bytes(found[0][0])


def keep(key: bytes, file: Path, state_dir: Path) -> None:
    """Write the key to a new file for its owner only; a file that holds it already is left.

    Raises UsageError for a file within the state directory or with other contents, LedgerError if
    it cannot be written.
    """
    if file.resolve().is_relative_to(state_dir.resolve()):
        raise UsageError(
            _(
                "{file} is in the ledger's own folder: whoever copies the folder has both.",
                file=file,
            ),
            _("Choose a file in another folder."),
        )
    try:
        if not (os.path.lexists(file) and read_key(file) == key.hex()):
            write_key(file, key.hex())
    except (OSError, UnicodeDecodeError) as error:
        if os.path.lexists(file):
            raise UsageError(_("{to} already exists.", to=file), _("Name another place.")) from None
        raise LedgerError(
            _("The key of the ledger cannot be written to {path}: {error}.", path=file, error=error)
        ) from error


def take_out(ledger: LedgerFile) -> bool:
    """Leave no byte of the key in the ledger's files. No run may be active or begin.

    Returns False if another command is reading them: the bytes are then erased at its end.
    """
    ledger.query("PRAGMA secure_delete = ON")
    with ledger.transaction() as db:
        db.execute("DELETE FROM setting WHERE name = 'hash_key'")
        db.execute("INSERT INTO setting VALUES ('key_id', ?)", (ledger_id(ledger.key),))
    ledger.people.shrink()
    return ledger.people.empty_log()


def holding(key: bytes, state_dir: Path) -> Iterator[Path]:
    """The older copies of the ledger in its folder that hold the key too, or cannot be read."""
    for path in (*copies(state_dir), *databases_aside(state_dir)):
        try:
            with closing(sqlite3.connect(uri_of(path), uri=True)) as db:
                found = db.execute("SELECT value FROM setting WHERE name = 'hash_key'").fetchone()
        except sqlite3.Error:
            found = (key,)
        if found == (key,):
            yield path
