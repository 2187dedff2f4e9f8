"""Runs of one account on one machine share its quota: all take their slots from the same row.

A small SQLite file per account holds its `QuotaState` and the runs that are at work. It is
never synced to disk: what it says is worth a minute, and may be lost without harm. What a run
takes, it takes in one transaction of some 45 µs. A run that dies leaves at most the slots that it
had taken ahead, a fiftieth of a second's worth or one; its word counts for one window.
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
"""Seconds whose slots are taken at once where there are many: one at least, whatever the quota."""

_FRESH: Final = 0.05
"""Seconds for which a run need not look whether another one has to wait."""

_OPENS_WITHIN: Final = 0.25
"""Seconds to wait for another run that makes the file, or was halted while it wrote."""

_STANDS_STILL: Final = 0.02
"""The same for a run that sends, all of which stands still meanwhile: another one needs
microseconds, and a little longer where it waits for a core.
"""

_SILENCE: Final = 1.0
"""Seconds for which a run goes on by itself when it has waited in vain."""

_SPOILT: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)

_VALUES: Final = attrgetter(*(field.name for field in fields(QuotaState)))
_FORM: Final = struct.Struct(f"<{len(fields(QuotaState))}d")
_SCHEMA: Final = (
    "CREATE TABLE IF NOT EXISTS standing (one INTEGER PRIMARY KEY CHECK (one = 1), value BLOB)",
    "CREATE TABLE IF NOT EXISTS run (id BLOB PRIMARY KEY, open INTEGER, seen REAL) WITHOUT ROWID",
)


class SharedPacer:
    """A pace that runs of one account have in common; it answers as `EvenPacer` does.

    A slot is taken before it is waited for: so runs alternate, and none of them starves. What keeps
    one run from the endpoint (`hold`) is its own; that the quota is used up is everybody's news.
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
        """How often the others could not be reached, and why at last."""
        self._open = self._others_open = 0
        self._join(now)

    def wait(self, now: float) -> float:
        """Seconds until this run's next slot, 0 when it is there."""
        own = self._own.wait(now)
        while self._slots and self._slots[0] < now - _AHEAD - self._pace.interval / 2:
            self._slots.popleft()  # nobody used it then; now it would come on top
        due = not self._slots or self._slots[0] <= now
        if own == 0 and due and (not self._slots or now - self._looked >= _FRESH):
            self._together(now, lambda pace: self._queue(pace, now))
        slot = self._slots[0] if self._slots else now
        return max(own, self._pace.held(now), slot - now, 0.0)

    def acquire(self, now: float) -> float:
        """Use the slot that is there; returns its moment."""
        return self._slots.popleft() if self._slots else now

    def hold(self, now: float, seconds: float) -> None:
        """Let nobody of this run leave for so many seconds."""
        self._own.hold(now, seconds)

    def held(self, now: float) -> float:
        """Seconds for which the whole run still has to wait, 0 when it may go on."""
        return max(self._own.held(now), self._pace.held(now))

    def learn(self, now: float, limits: Limits, in_flight: int, *, counted: bool) -> None:
        """Take an answer's headers into account, as `EvenPacer` does, for all runs."""
        self._open = in_flight

        def learnt(pace: EvenPacer) -> None:
            pace.learn(now, limits, in_flight + self._others_open, counted=counted)

        self._together(now, learnt)

    def on_quota_exceeded(self, now: float, seconds: float, *, blind: bool) -> None:
        """The account's quota was used up: let all runs wait for its next window."""
        self._together(now, lambda pace: pace.on_quota_exceeded(now, seconds, blind=blind))

    def leave(self) -> None:
        """Take this run out of the account."""
        with closing(self._db):
            self._db.execute("DELETE FROM run WHERE id = ?", (self._id,))

    def _queue(self, pace: EvenPacer, now: float) -> None:
        """Take a place in the row, or leave it while the account has to wait."""
        if pace.held(now) > 0:
            self._slots.clear()
        elif not self._slots:
            ahead = int(_AHEAD / pace.interval) if pace.interval else 1
            self._slots.extend(pace.acquire(now) for _ in range(max(1, min(ahead, 64))))

    def _join(self, now: float) -> None:
        """Begin where the account stands, as far as anybody who knows is still at work."""
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
        """Change what all runs have in common; without them when they cannot be reached."""
        if now < self._alone_until:
            change(self._pace)
            return
        self._looked = now
        try:
            with self._transaction(now):
                change(self._pace)
        except (sqlite3.Error, struct.error) as error:
            self.alone = (self.alone[0] + 1 if self.alone else 1, str(error))
            self._alone_until = now + _SILENCE
            change(self._pace)

    @contextmanager
    def _transaction(self, now: float) -> Iterator[bool]:
        """Hold what all runs have in common; tells whether nobody else is at work."""
        db = self._db
        db.execute("BEGIN IMMEDIATE")
        try:
            others, self._others_open = db.execute(
                "SELECT count(*), coalesce(sum(open), 0) FROM run"
                " WHERE id <> ? AND seen BETWEEN ? AND ?",
                (self._id, now - self._window, now + self._window),
            ).fetchone()
            found = db.execute("SELECT value FROM standing").fetchone()
            if found:
                self._pace.state = QuotaState(*_FORM.unpack(found[0]))
            yield others == 0
            value = _FORM.pack(*_VALUES(self._pace.state))
            db.execute("INSERT OR REPLACE INTO standing VALUES (1, ?)", (value,))
            mine = (self._id, self._open, now)
            db.execute("INSERT OR REPLACE INTO run VALUES (?, ?, ?)", mine)
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise


@contextmanager
def shared(
    quota: Quota, to: Destination, place: Path, now: float, tell: Callable[[str], None]
) -> Iterator[EvenPacer | SharedPacer]:
    """The pace of a run. `place` is a directory of this machine and user, where all runs meet that
    send to the same endpoint with the same key. Where it cannot be used, `tell` gets a sentence
    that says so, at once or in the end, and the run keeps its pace alone.
    """
    try:
        pace = _met(quota, place / _name(to), now)
    except (sqlite3.Error, OSError, struct.error) as error:
        tell(
            _(
                "This run kept to its quota by itself: {folder}, where runs of one account on this "
                "machine share it, cannot be used ({error}).",
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
                    "This run kept to its quota by itself for {seconds} s: {folder}, where runs of "
                    "one account on this machine share it, could not be used then ({error}).",
                    seconds=f"{times * _SILENCE:g}",
                    folder=place,
                    error=why,
                )
            )


def _met(quota: Quota, path: Path, now: float) -> SharedPacer:
    """Join the runs that meet in a file, in a new one where that is torn: a power cut may do that,
    as it is never synced, and what it said may be lost.
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
    """The file of an account, made for its owner only."""
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
    """A file's name for an endpoint and a key on this machine; it reveals neither."""
    form = [field.name for field in fields(QuotaState)]  # another release may know other things
    facts = [platform.node(), endpoint(to.base_url), sorted(to.credentials().items()), form]
    return f"quota-1-{blake2b(json.dumps(facts).encode(), digest_size=12).hexdigest()}.sqlite3"
