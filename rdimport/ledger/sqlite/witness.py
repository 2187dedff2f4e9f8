"""Witnesses: small files that record how far a ledger had come, so that a lost or replaced ledger
is noticed before anything is sent twice.

One is next to the ledger, one in the user's own folders, because a state directory can disappear as
a whole. Both contain the ledger's identifier and the number of writes that allowed rows to be sent.
The ledger counts these too, in the same transaction. They contain no personal data.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import IO, Final, NamedTuple, Self

from rdimport.core.errors import LedgerError, LedgerLostError
from rdimport.core.looking import is_folder, listed
from rdimport.core.messages import _, ngettext
from rdimport.core.messages.written import second
from rdimport.core.names import fold
from rdimport.core.shell import joined
from rdimport.core.small_file import read_record
from rdimport.core.visible import shown_lines
from rdimport.ledger.hashes import ledger_id

SUFFIX: Final = ".sent"

ACCEPTED: Final = ".accepted"
"""Suffix of a copied witness: a person has accepted that what it stands for is sent again."""

_SHORTEST: Final = 512
"""Minimum bytes of a ledger: SQLite's smallest page."""

_LOCK_IS_OLD: Final = 60.0
"""Seconds by which a lock must be older than an empty ledger to be from an earlier start."""

_TEXTS: Final = ("ledger", "run", "since", "directory")

Identity = tuple[int, int]


class Seen(NamedTuple):
    """The contents of one witness: ledger, number of writes, the run that made them, first and last
    time, the ledger's directory.
    """

    ledger: str
    writes: int
    run: str
    since: str
    until: str
    directory: str


def identity(path: Path | str) -> Identity | None:
    """Identifies the file at a path; None if there is none."""
    try:
        found = os.stat(path)  # noqa: PTH116  called before each write
    except OSError:
        return None
    return found.st_dev, found.st_ino


def outside(state_dir: Path) -> Path | None:
    """The user's folder for a state directory; None without a home directory."""
    from platformdirs import user_data_path  # noqa: PLC0415

    try:
        home = user_data_path("rdimport-ledgers", appauthor=False)
        return home / name_of(state_dir)
    except (OSError, RuntimeError):
        return None


def name_of(state_dir: Path) -> str:
    """The name of the folder for a state directory."""
    where = os.path.normcase(state_dir.resolve())
    return blake2b(os.fsencode(where), digest_size=12).hexdigest()


def seen(state_dir: Path) -> list[Seen]:
    """The contents of all readable witnesses of a state directory. Raises OSError as `files`."""
    return [found for path in files(state_dir) if (found := read(path))]


def files(state_dir: Path) -> list[Path]:
    """All witnesses of a state directory. Raises OSError for a folder that may not be listed: none
    would be seen there, and a lost ledger taken for a new one.
    """
    beyond = outside(state_dir)
    places = [state_dir, *([beyond] if beyond and is_folder(beyond) else ())]  # cron may have
    return [path for place in places for path in listed(place, f"*{SUFFIX}")]  # another's home


def read(path: Path) -> Seen | None:
    """The contents of a witness; None if it cannot be read."""
    try:
        seen = json.loads(read_record(path))
        until = datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(timespec="seconds")
        ledger, run, since, directory = (str(seen[name]) for name in _TEXTS)
        return Seen(ledger, int(seen["writes"]), run, since, until, directory)
    except (OSError, ValueError, LookupError, TypeError, OverflowError, RecursionError):
        return None


def refuse_remains(path: Path) -> None:
    """Raise LedgerLostError if a ledger has disappeared or was truncated."""
    try:
        size = path.stat().st_size
    except (FileNotFoundError, NotADirectoryError):
        size = None
    if size is not None and size >= _SHORTEST:
        return
    known = seen(path.parent)
    if size is None and known:
        raise LedgerLostError(
            _(
                "The ledger {path} no longer exists, and rows were sent from it: {last}. "
                "Without it, there is no record of who was already sent, and they would be "
                "sent again.",
                path=path,
                last=last_of(known),
            ),
            way_out(path),
        )
    if size is not None and (known or size or _older_than(path)):
        said = _("; rows were sent from it: {last}", last=last_of(known)) if known else ""
        raise LedgerLostError(
            ngettext(
                "The ledger {path} has been cut to {number} byte{said}. There is no longer "
                "any record of who was already sent, and they would be sent again.",
                "The ledger {path} has been cut to {number} bytes{said}. There is no longer "
                "any record of who was already sent, and they would be sent again.",
                size,
                path=path,
                said=said,
            ),
            way_out(path),
        )


def _older_than(path: Path) -> bool:
    """Whether an empty ledger replaced an earlier one, by its log or a much older lock."""
    with suppress(OSError):
        if path.with_name(path.name + "-wal").stat().st_size:
            return True
    made = path.stat().st_mtime
    with suppress(OSError):
        return any(p.stat().st_mtime < made - _LOCK_IS_OLD for p in listed(path.parent, "*.lock"))
    return False


def refuse_older(path: Path, known: Sequence[Seen], key: bytes, writes: int) -> None:
    """Raise LedgerLostError if more was sent than this ledger knows. `known` was read before
    `writes`, as a run may be active.
    """
    mine = ledger_id(key)
    same = [one for one in known if one.ledger == mine]
    if known and not same:
        raise LedgerLostError(
            _(
                "The ledger {path} is not the one from which rows were sent here: {last}. "
                "It does not know of them, and they would be sent again.",
                path=path,
                last=last_of(known),
            ),
            way_out(path, another=_("this one")),
        )
    later = [one for one in same if one.writes > writes]
    if later:
        raise LedgerLostError(
            _(
                "The ledger {path} is older than what was sent from it. It does not know all "
                "of {last}. Rows that were sent then would be sent again.",
                path=path,
                last=last_of(later),
            ),
            way_out(path, another=_("this older one")),
        )


def last_of(known: Sequence[Seen]) -> str:
    """The latest run among them, for a message."""
    last = max(known, key=lambda one: one.until)
    return _(
        "run {run}, started {since}, which last sent at {until}",
        run=last.run,
        since=second(last.since),
        until=second(last.until),
    )


def way_out(path: Path, another: str = "") -> str:
    """The remedy for a lost ledger."""
    where = joined(["--state-dir", str(path.parent.absolute())])
    lines = [
        _(
            "Restore it with the files next to it, or restore its newest copy; if its "
            "directory is on a disk that is not mounted, mount that disk."
        )
    ]
    if another:
        lines.append(
            _(
                "To continue with {another} anyway: rdimport ledger accept {where}",
                another=another,
                where=where,
            )
        )
    lines.append(
        _(
            "To start over, knowing that everyone is sent again: rdimport ledger new {where}",
            where=where,
        )
    )
    return shown_lines(lines)


def witness_name(key: bytes, account: str | None = None) -> str:
    """The file name of an account's witness, however the account is spelt; the pattern of all names
    if none is given.
    """
    suffix = "*"
    if account is not None:
        suffix = blake2b(fold(account).encode(), key=key, digest_size=4).hexdigest()
    return f"{ledger_id(key)[:8]}-{suffix}{SUFFIX}"


class Witness:
    """Records, in place and within microseconds, how far a ledger has come in one run."""

    def __init__(self, state_dir: Path, key: bytes, account: str, run: str, since: str) -> None:
        self._state_dir = state_dir
        self._place = state_dir.absolute()  # the program may change its current folder
        self._name = witness_name(key, account)
        seen = {
            "ledger": ledger_id(key),
            "run": run,
            "since": since,
            "directory": str(self._place),
        }
        text = json.dumps(seen).replace("%", "%%")[:-1]
        self._line = f'{text}, "writes": %20d}}\n'.encode()
        self._files: list[IO[bytes]] = []
        self._is_new = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files:
            file.close()
        self._files = []

    def note(self, writes: int) -> None:
        """Record that rows are sent which only a ledger with that many writes knows. Raises
        LedgerError.
        """
        self.open()
        line = self._line % writes
        try:
            for file in self._files:
                _put(file.fileno(), line)
                if self._is_new:
                    os.truncate(file.fileno(), len(line))
                    os.fsync(file.fileno())
            self._is_new = False
        except OSError as error:
            raise self._unrecorded(
                error,
                _("Free disk space or correct the permissions, then run the same command again."),
            ) from error

    def _unrecorded(self, error: OSError, remedy: str) -> LedgerError:
        message = _(
            "What is sent cannot be recorded in {state_dir}: {error}.",
            state_dir=self._state_dir,
            error=error,
        )
        return LedgerError(message, remedy)

    def open(self) -> None:
        """Open the witness next to the ledger and, if the user's home is writable, another one.

        Called before the rows of a write are recorded as in flight: they would remain so if it
        failed afterwards. Raises LedgerError.
        """
        if self._files:
            return
        try:
            files = [_made(self._place / self._name)]
        except OSError as error:
            remedy = _("Correct the permissions, then type the same command again.")
            raise self._unrecorded(error, remedy) from error
        beyond = outside(self._place)
        if beyond is not None:
            with suppress(OSError):
                beyond.mkdir(mode=0o700, parents=True, exist_ok=True)
                files.append(_made(beyond / self._name))
        self._files = files


def _put(number: int, line: bytes) -> None:
    """Write at the start of a file."""
    if sys.platform == "win32":
        os.lseek(number, 0, os.SEEK_SET)
        os.write(number, line)
    else:
        os.pwrite(number, line, 0)


def _made(path: Path) -> IO[bytes]:
    """Open a file to write in place, for its owner only."""
    number = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
    return os.fdopen(number, "r+b", buffering=0)


def moment() -> str:
    """The current time, for a folder's name."""
    return time.strftime("%Y%m%d-%H%M%S")
