"""The store of a SQLite ledger: a state directory, with a lock file for each account."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path

from rdimport.core.errors import LedgerError, UsageError
from rdimport.core.key_file import read_key
from rdimport.core.looking import exists, in_words
from rdimport.core.messages import _
from rdimport.core.own_folders import refuse_no_folder
from rdimport.ledger import twins
from rdimport.ledger.content import Content
from rdimport.ledger.hashes import ledger_id
from rdimport.ledger.port import Elsewhere
from rdimport.ledger.sqlite import copies, files, key_move, namesakes, witness
from rdimport.ledger.sqlite.account_locks import Held, is_locked, locked, nobody_at_work
from rdimport.ledger.sqlite.content import take
from rdimport.ledger.sqlite.files import FILE_NAME, connect, read_only
from rdimport.ledger.sqlite.key import FindKey, no_key
from rdimport.ledger.sqlite.ledger import SqliteLedger
from rdimport.ledger.sqlite.parts import AccountBooks
from rdimport.ledger.sqlite.safety import see_that_it_is_ours
from rdimport.ledger.sqlite.schema import (
    ENDS,
    VERSION,
    damaged,
    explained,
    make,
    version_of,
    write_ahead,
)
from rdimport.ledger.sqlite.upgrade import back_up, brought_up, forget_copies, upgrade


class SqliteStore:
    """A state directory.

    `find_key` returns the key of an existing ledger that keeps it apart, `new_key` that of a new
    ledger; None if a new one is to hold its own.
    """

    def __init__(
        self, state_dir: Path, find_key: FindKey = no_key, new_key: FindKey = no_key
    ) -> None:
        self._state_dir = state_dir
        self._find_key = find_key
        self._new_key = new_key
        self._path = state_dir / FILE_NAME
        self._holding: str | None = None

    def __str__(self) -> str:
        return str(in_words(self._state_dir))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SqliteStore) and other._state_dir == self._state_dir

    def __hash__(self) -> int:
        return hash(self._state_dir)

    @property
    def location_options(self) -> tuple[str, ...]:
        """The options by which a command finds this ledger."""
        return ("--state-dir", str(self._state_dir.absolute()))

    def open(self, *, trusting: bool = False) -> SqliteLedger:
        """Open the ledger of a state directory; both are created for their owner only.

        Raises LedgerLostError if it is not the ledger, or not all of the ledger, that rows were
        sent from, unless `trusting`.
        """
        path, state_dir = self._path, self._state_dir
        refuse_no_folder(state_dir)
        with explained(path), ExitStack() as unless_open:
            namesakes.refuse(path)
            state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            known = witness.seen(state_dir)
            witness.refuse_remains(path)
            db = connect(path, self._kept_apart)
            unless_open.callback(db.close)
            write_ahead(db)
            db.execute("PRAGMA synchronous = FULL")  # a row in `sending` must survive a power cut
            db.execute("PRAGMA fullfsync = ON")  # on macOS fsync() leaves it in the disk's memory
            if known and not version_of(path, db):
                raise damaged(path, _("its tables are missing"))
            make(path, db, "" if version_of(path, db) else self._kept_apart())
            upgrade(path, db)
            db.execute(ENDS)
            ledger = SqliteLedger(path, db, self._find_key)
            unless_open.enter_context(ledger.closing)
            copies.refuse_other_name(ledger, self._holding)
            if not trusting:
                witness.refuse_older(path, known, ledger.key, ledger.writes())
            unless_open.pop_all()
        return ledger

    def bring_up(self) -> None:
        """See `port.Store`. Errors are reported when the ledger is opened."""
        path, version = self._path, 0
        with suppress(LedgerError), explained(path, reading=True):
            if self.is_there():
                with closing(read_only(path, wait=0.1)) as db:
                    version = version_of(path, db)
        if 0 < version < VERSION:
            with self.open():
                pass

    def is_there(self) -> bool:
        """Whether a state directory has a ledger. Raises LedgerLostError if it had one, or if one
        with a name that looks the same has.
        """
        path = self._path
        refuse_no_folder(self._state_dir)
        with explained(path, reading=True):  # another user's directory cannot be searched
            try:
                path.stat()
            except (FileNotFoundError, NotADirectoryError):
                witness.refuse_remains(path)
                namesakes.refuse(path)
                return False
        return True

    def if_there(self) -> SqliteLedger | None:
        """See `port.Store`. Directory and file may be read-only."""
        path, state_dir = self._path, self._state_dir
        if not self.is_there():
            return None
        with explained(path, reading=True), ExitStack() as unless_open:
            known = witness.seen(state_dir)
            witness.refuse_remains(path)
            db = read_only(path)
            unless_open.callback(db.close)
            if not version_of(path, db):
                if known:
                    raise damaged(path, _("its tables are missing"))
                return None
            db = brought_up(path, db)
            unless_open.callback(db.close)
            db.execute(ENDS)
            ledger = SqliteLedger(path, db, self._find_key, reading=True)
            witness.refuse_older(path, known, ledger.key, ledger.writes())
            unless_open.pop_all()
        return ledger

    @contextmanager
    def hold(self, account: str, *, at_once: bool = False) -> Iterator[Held]:
        """See `port.Store`. Raises LedgerError for a state directory in which another user's runs
        could not open our lock file, or whose name only looks like that of another one.
        """
        refuse_no_folder(self._state_dir)
        see_that_it_is_ours(self._path)
        with explained(self._path):
            namesakes.refuse(self._path)  # before the directory is made
        with locked(self._state_dir, account, self._who_has, at_once=at_once) as held:
            self._holding = account
            try:
                yield held
            finally:
                self._holding = None

    def hold_of_quota(self, name: str, account: str, destination: str) -> None:
        """Runs on one machine share a quota in a file of their own (`pacing.shared`)."""

    def is_held(self, account: str) -> bool:
        """Whether a run of this account is active."""
        return is_locked(self._state_dir, account)

    def elsewhere(self) -> list[Elsewhere]:
        """See `port.Store`. Those that are not there any more are omitted."""
        found = copies.latest_elsewhere(self._state_dir)
        there = [one for one in found if exists(Path(one.directory, FILE_NAME))]
        stores = [SqliteStore(Path(one.directory), self._find_key) for one in there]
        return [
            Elsewhere(one.ledger, one.run, one.until, store, store.has_sent)
            for one, store in zip(there, stores, strict=True)
        ]

    def has_sent(self, destination: str) -> bool:
        """Whether rows were sent there; the key of the hashes is not needed. There must be a
        ledger.
        """
        with explained(self._path, reading=True), ExitStack() as opened:
            db = read_only(self._path)
            opened.callback(db.close)
            db = brought_up(self._path, db)
            opened.callback(db.close)
            found = db.execute("SELECT id FROM destination WHERE identity = ?", (destination,))
            return any(
                db.execute(AccountBooks.sent, {"destination": number}).fetchone()[0]
                for (number,) in found.fetchall()
            )

    def nobody_at_work(self) -> AbstractContextManager[bool]:
        """See `port.Store`. Raises LedgerError as `hold` does."""
        refuse_no_folder(self._state_dir)
        see_that_it_is_ours(self._path)
        return nobody_at_work(self._state_dir)

    def put_away(self) -> list[Path]:
        """The folders of ledgers that were moved aside."""
        return files.put_away(self._state_dir)

    def forget_copies(self, before: datetime) -> int:
        """Delete the backups with personal data of runs before that time."""
        return forget_copies(self._state_dir, before)

    def move_key(self, to: Path) -> list[Path]:
        """Move the key of the hashes out of the ledger into the file `to`, after a backup.

        Returns the older copies in the directory that still hold it. The key stays the same, so
        everybody is recognised as before. No run may be active or begin. Raises UsageError if there
        is no ledger, it holds no key, or `to` cannot be used; LedgerError if anything fails, with
        the backup still there.
        """
        if not self.is_there():
            raise UsageError(
                _("There is no ledger in {source}.", source=self),
                _("Name the state directory of the runs, or the file."),
            )
        with self.open() as ledger:
            key, was = key_move.inside(ledger), ledger.looked_through()
            if was.wrong:
                raise damaged(self._path, "; ".join(was.wrong))
            key_move.keep(key, to, self._state_dir)
            copy = back_up(self._path)
            erased = key_move.take_out(ledger)
        with SqliteStore(self._state_dir, lambda: bytes.fromhex(read_key(to))).open() as ledger:
            if ledger.looked_through() != was:
                raise damaged(self._path, _("it has changed; see {copy}", copy=copy))
            erased = erased or ledger.people.empty_log()
        copy.unlink()
        if not erased:
            raise LedgerError(
                _(
                    "The key is now in {file}, but has not been erased from {path} yet.",
                    file=to,
                    path=self,
                ),
                _(
                    "Another command is reading the ledger; the key is erased when that command "
                    "ends."
                ),
            )
        return list(key_move.holding(key, self._state_dir))

    def take(self, content: Content) -> None:
        """Make a ledger with the contents of another one. Raises UsageError if there is one."""
        take(self._path, content)

    def accept(self) -> str:
        """Accept the ledger as it is: set its witnesses aside, and note those of its copies."""
        with self.open(trusting=True) as ledger, explained(self._path):
            twins.forget(ledger)
            copies.accept(self._state_dir, ledger.key)
        return str(files.put_witnesses_aside(self._state_dir) or "")

    def begin_anew(self) -> str:
        """Move the remains of a ledger to a folder next to it."""
        return str(files.put_aside(self._state_dir) or "")

    def _kept_apart(self) -> str:
        """The id of the key that a new ledger keeps apart; empty if it holds its own."""
        key = self._new_key()
        return "" if key is None else ledger_id(key)

    def _who_has(self, account: str) -> tuple[int, str] | None:
        """Read the holder from the ledger, which that process may be writing."""
        ledger = self.if_there()
        if ledger is None:
            return None
        with ledger:
            return ledger.at_work(account)
