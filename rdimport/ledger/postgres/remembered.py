"""Records what this user sent last from a shared ledger, for each account. A database whose server
was set back in time, such as to a snapshot of its disk, does not know it.

The record is in the user's own folders. It contains no personal data.
"""

from __future__ import annotations

import os
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Final

from rdimport.core.names import fold
from rdimport.ledger import twins
from rdimport.ledger.postgres.database import Database
from rdimport.ledger.postgres.statements import LOST
from rdimport.ledger.postgres.trouble import notes_lost

_ASKED: Final = """
SELECT (SELECT value FROM rdimport.setting WHERE name = 'twin'),
    coalesce((SELECT value FROM rdimport.setting WHERE name = 'since'), ''),
    EXISTS (SELECT FROM rdimport.setting WHERE name = 'agreed'),
    (SELECT coalesce(w.writes, 0) FROM rdimport.run r LEFT JOIN rdimport.written w ON w.run = r.id
    WHERE r.name = %s)
"""


class Remembered:
    """The last run of an account. `since` distinguishes the losses that a person has accepted.

    A ledger that has other tables than those of that run, as after DROP DATABASE, lacks it like any
    other loss, unless a person has `agreed` (`ledger accept`, `ledger new`).
    """

    def __init__(self, ledger: Database, account: str) -> None:
        self._ledger = ledger
        self._path = _path(ledger, account)
        self._since = ""

    def refuse_behind(self) -> None:
        """Raise LedgerLostError if the ledger does not know all of that run, or is not in use."""
        since, run, writes = self._read()
        ((twin, self._since, agreed, known),) = self._ledger.query(_ASKED, run)
        where = self._ledger.session.address
        if twin is not None:
            raise twins.error(self._ledger.place, twin, ("--ledger", where.shown))
        made_anew = since != self._since and known is None and not agreed
        behind = since == self._since and (known is None or known < writes)
        if run and (behind or made_anew):
            self._ledger.session.change(LOST, (run,))  # stops its other users, too
            raise notes_lost(where, run)

    def note(self, run: str, writes: int) -> None:
        """Record how far a run has come; does nothing without a folder of the user's own."""
        if self._path is None:
            return
        with suppress(OSError):
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            half = self._path.with_suffix(f".{os.getpid()}")
            half.write_text(f"{self._since}\n{run}\n{writes}\n", encoding="utf-8")
            half.replace(self._path)

    def _read(self) -> tuple[str, str, int]:
        with suppress(OSError, ValueError):
            if self._path is not None:
                since, run, writes = self._path.read_text(encoding="utf-8").splitlines()
                return since, run, int(writes)
        return "", "", 0


def _path(ledger: Database, account: str) -> Path | None:
    from platformdirs import user_data_path  # noqa: PLC0415

    whose = f"{ledger.session.address.shown} {fold(account)}"
    name = blake2b(whose.encode(), key=ledger.key, digest_size=12).hexdigest()
    try:
        home = user_data_path("rdimport-ledgers", appauthor=False)
    except (OSError, RuntimeError):  # no home directory
        return None
    return home / "shared" / f"{name}.sent-last"
