"""Runs of one account on one machine share its quota by taking slots from one SQLite file.

There is one small file per account, holding its `QuotaState` and the active runs. It is never
synced to disk: its contents matter for a minute, and losing them does no harm. Each access is one
transaction of about 45 µs, or a single statement where no other run is active. A run that crashes
wastes the slots it had reserved ahead (those of 20 ms, of half a second if it was alone, at least
one), and is counted as active for one more window.
"""

from __future__ import annotations

import json
import os
import platform
import secrets
import sqlite3
import struct
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import fields
from hashlib import blake2b
from operator import attrgetter
from pathlib import Path
from typing import Final

from rdimport.core.messages import _
from rdimport.core.quota import Limits, Quota
from rdimport.delivery.pacing.pacer import EvenPacer, QuotaState
from rdimport.destination import Destination
from rdimport.destination.address import endpoint

_AHEAD: Final = 0.02
"""Seconds of slots reserved by one transaction at a high rate; always at least one slot."""

_FRESH: Final = 0.15
"""Seconds for which a run assumes that no 429 made another run wait. At 500 a minute the next
slot comes sooner, and a row costs one transaction, not two.
"""

_ALONE: Final = 0.5
"""Both of these for a run that met no other at its last check: one transaction for four rows at 500
a minute. A run that joins waits that much longer for its first slot.
"""

_SEEN_FOR: Final = 1 / 20
"""Fraction of a window after which a run that is alone records its activity again, and looks for
others that have changed nothing yet.
"""

_OPENS_WITHIN: Final = 0.25
"""SQLite busy timeout, in seconds, while opening: another run may be creating the file."""

_STANDS_STILL: Final = 0.02
"""SQLite busy timeout, in seconds, while sending, when the whole event loop is blocked. Another run
holds the lock for microseconds, or somewhat longer if it waits for a core.
"""

_SILENCE: Final = 1.0
"""Seconds for which a run paces itself alone after a timeout."""

_SPOILT: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)

_VALUES: Final = attrgetter(*(field.name for field in fields(QuotaState)))
_FORM: Final = struct.Struct(f"<{len(fields(QuotaState))}d")
_SCHEMA: Final = (
    "CREATE TABLE IF NOT EXISTS standing (one INTEGER PRIMARY KEY CHECK (one = 1), value BLOB)",
    "CREATE TABLE IF NOT EXISTS run (id BLOB PRIMARY KEY, open INTEGER, seen REAL) WITHOUT ROWID",
)


class SharedPacer:
    """An `EvenPacer` whose state is shared by the runs of one account.

    A slot is reserved before the run waits for it, so runs alternate and none of them starves. A
    `hold` pauses this run only; an exhausted quota pauses all of them.
    """

    def __init__(self, quota: Quota, db: sqlite3.Connection, now: float) -> None:
        self._pace = EvenPacer(quota)
        self._own = EvenPacer(None)
        self._window = quota.seconds
        self._db = db
        self._id = secrets.token_bytes(8)
        self._slots: deque[float] = deque()
        self._looked = self._alone_until = float("-inf")
        self.alone: tuple[int, str] | None = None
        """How many times the file was unavailable, and the last error."""
        self._open = self._others = self._others_open = 0
        self._seen = now
        self._kept = b""
        """The state in the file if this run was alone at its last check; otherwise empty."""
        self._join(now)

    def wait(self, now: float) -> float:
        """Seconds until this run's next slot; 0 if it is available."""
        own = self._own.wait(now)
        while self._slots and self._slots[0] < now - _AHEAD - self._pace.interval / 2:
            self._slots.popleft()  # an expired slot: using it now would exceed the pace
        due = not self._slots or self._slots[0] <= now
        fresh = _FRESH if self._others else _ALONE
        if own == 0 and due and (not self._slots or now - self._looked >= fresh):
            self._together(now, lambda pace: self._queue(pace, now))
        slot = self._slots[0] if self._slots else now
        return max(own, self._pace.held(now), slot - now, 0.0)

    def acquire(self, now: float) -> float:
        """Use the available slot, and return its time."""
        return self._slots.popleft() if self._slots else now

    def hold(self, now: float, seconds: float) -> None:
        """Pause this run for `seconds`."""
        self._own.hold(now, seconds)

    def held(self, now: float) -> float:
        """Seconds for which this run is still paused; 0 if it is not."""
        return max(self._own.held(now), self._pace.held(now))

    def learn(self, now: float, limits: Limits, in_flight: int, *, counted: bool) -> None:
        """Take the quota headers of a response into account, for all runs."""
        self._open = in_flight

        def learnt(pace: EvenPacer) -> None:
            pace.learn(now, limits, in_flight + self._others_open, counted=counted)

        self._together(now, learnt)

    def on_quota_exceeded(self, now: float, seconds: float, *, blind: bool) -> None:
        """Pause all runs until the account's next window."""
        self._kept = b""  # a run that joins must see this one
        self._together(now, lambda pace: pace.on_quota_exceeded(now, seconds, blind=blind))

    def leave(self) -> None:
        """Remove this run from the file, and close it."""
        with closing(self._db):
            self._db.execute("DELETE FROM run WHERE id = ?", (self._id,))

    def _queue(self, pace: EvenPacer, now: float) -> None:
        """Reserve the next slots; give them up while the account is paused."""
        if pace.held(now) > 0:
            self._slots.clear()
        elif not self._slots:
            seconds = _AHEAD if self._others else _ALONE
            ahead = int(seconds / pace.interval) if pace.interval else 1
            self._slots.extend(pace.acquire(now) for _ in range(max(1, min(ahead, 64))))

    def _join(self, now: float) -> None:
        """Start from the stored state if another active run vouches for it, otherwise afresh."""
        with self._transaction(now) as alone:
            state = self._pace.state
            at_most = now + self._window
            if alone:
                next_slot = min(state.next, now + self._pace.interval)
                self._pace.state = QuotaState(next=next_slot)
            else:
                state.next = min(state.next, at_most)
                state.held_until = min(state.held_until, at_most)

    def _together(self, now: float, change: Callable[[EvenPacer], None]) -> None:
        """Apply `change` to the shared state, or to a private copy while the file is
        unavailable.
        """
        if now < self._alone_until:
            change(self._pace)
            return
        self._looked = now
        try:
            if not self._unnoticed(now, change):
                with self._transaction(now):
                    change(self._pace)
        except (sqlite3.Error, struct.error) as error:
            self.alone = (self.alone[0] + 1 if self.alone else 1, str(error))
            self._alone_until = now + _SILENCE
            self._kept = b""
            change(self._pace)

    def _unnoticed(self, now: float, change: Callable[[EvenPacer], None]) -> bool:
        """Apply `change` by a single statement if this run is alone. Returns False, with everything
        as it was, if it is not, or if the state in the file has changed.
        """
        if not self._kept or not 0 <= now - self._seen < self._window * _SEEN_FOR:
            return False
        slots, kept = self._slots.copy(), self._kept
        self._kept = b""
        try:
            change(self._pace)
            value = _FORM.pack(*_VALUES(self._pace.state))
            changed = "UPDATE standing SET value = ? WHERE value = ?"
            if self._db.execute(changed, (value, kept)).rowcount == 1:
                self._kept = value
        finally:
            if not self._kept:
                self._slots, self._pace.state = slots, QuotaState(*_FORM.unpack(kept))
        return bool(self._kept)

    @contextmanager
    def _transaction(self, now: float) -> Iterator[bool]:
        """Read, change and write the shared state. Yields whether no other run is active."""
        db = self._db
        db.execute("BEGIN IMMEDIATE")
        try:
            self._others, self._others_open = db.execute(
                "SELECT count(*), coalesce(sum(open), 0) FROM run"
                " WHERE id <> ? AND seen BETWEEN ? AND ?",
                (self._id, now - self._window, now + self._window),
            ).fetchone()
            found = db.execute("SELECT value FROM standing").fetchone()
            if found:
                self._pace.state = QuotaState(*_FORM.unpack(found[0]))
            yield self._others == 0
            value = _FORM.pack(*_VALUES(self._pace.state))
            db.execute("INSERT OR REPLACE INTO standing VALUES (1, ?)", (value,))
            mine = (self._id, self._open, now)
            db.execute("INSERT OR REPLACE INTO run VALUES (?, ?, ?)", mine)
            db.execute("COMMIT")
            self._seen, self._kept = now, b"" if self._others else value
        except BaseException:
            self._kept = b""
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise


@contextmanager
def shared(
    quota: Quota, to: Destination, place: Path, now: float, tell: Callable[[str], None]
) -> Iterator[EvenPacer | SharedPacer]:
    """The pacer of a run.

    `place` is a directory of this user on this machine; runs that send to the same endpoint with
    the same key meet in a file there. If it cannot be used, the run paces itself alone, and `tell`
    is called with a message, at the start or at the end.
    """
    try:
        pace = _met(quota, place / _name(to), now)
    except (sqlite3.Error, OSError, struct.error) as error:
        tell(
            _(
                "This run kept to its quota by itself: {folder}, through which runs of one "
                "account on this machine share it, cannot be used ({error}).",
                folder=place,
                error=error,
            )
        )
        yield EvenPacer(quota)
        return
    try:
        yield pace
    finally:
        with suppress(sqlite3.Error):
            pace.leave()
        if pace.alone:
            times, why = pace.alone
            tell(
                _(
                    "This run kept to its quota by itself for {seconds} s: {folder}, "
                    "through which runs of one account on this machine share it, could not "
                    "be used then ({error}).",
                    seconds=f"{times * _SILENCE:g}",
                    folder=place,
                    error=why,
                )
            )


def _met(quota: Quota, path: Path, now: float) -> SharedPacer:
    """Join the file at `path`. A corrupt file, which a power cut can leave because it is never
    synced, is replaced; its contents are expendable.
    """
    try:
        return _joined(quota, path, now)
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF not in _SPOILT:
            raise
    for part in ("", "-wal", "-shm"):
        path.with_name(path.name + part).unlink(missing_ok=True)
    return _joined(quota, path, now)


def _joined(quota: Quota, path: Path, now: float) -> SharedPacer:
    db = _opened(path)
    try:
        pace = SharedPacer(quota, db, now)
        db.execute(f"PRAGMA busy_timeout = {int(_STANDS_STILL * 1000)}")
    except BaseException:
        db.close()
        raise
    return pace


def _opened(path: Path) -> sqlite3.Connection:
    """Open the file, readable and writable by its owner only."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    db = sqlite3.connect(path, timeout=_OPENS_WITHIN, isolation_level=None)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = OFF")
        for statement in _SCHEMA:
            db.execute(statement)
    except BaseException:
        db.close()
        raise
    return db


def _name(to: Destination) -> str:
    """The file name for an endpoint and a key. Being a hash, it reveals neither."""
    form = [field.name for field in fields(QuotaState)]  # another release may have other fields
    facts = [platform.node(), endpoint(to.base_url), sorted(to.credentials().items()), form]
    return f"quota-1-{blake2b(json.dumps(facts).encode(), digest_size=12).hexdigest()}.sqlite3"
