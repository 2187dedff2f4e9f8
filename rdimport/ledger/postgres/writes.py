"""The changes of one write of the journal: rows that begin, rows that end. Each write is done
exactly once, even if the connection breaks.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from itertools import chain, repeat
from typing import Final, NamedTuple

from rdimport.core.errors import Bug
from rdimport.core.row import Problem, State
from rdimport.ledger.evidence import ClockRange
from rdimport.ledger.postgres import statements as sql
from rdimport.ledger.postgres.connection import SILENCE, Connection
from rdimport.ledger.postgres.gathered import PATIENCE, Answer, Gathered, Rows
from rdimport.ledger.postgres.lease import SECONDS, Lease, boottime
from rdimport.ledger.postgres.schema import ACCEPTED, ON_ITS_WAY, REFUSED, UNCERTAIN, timeline
from rdimport.ledger.postgres.trouble import CutOffError, notes_lost, timeline_changed
from rdimport.ledger.records import Counters, Outcome, RowResult, SendAttempt, problems_of, text_of
from rdimport.ledger.sql import NOTHING_FAILED, TALLY

_PAUSES: Final = (0.05, 0.1, 0.2, 0.5, 1.0)
Ends = Sequence[RowResult | SendAttempt]


class _Write(NamedTuple):
    number: int
    begun: Sequence[SendAttempt]
    ended: Ends
    counted: dict[str, object]
    asked: float
    clock: ClockRange | None


class Writes:
    """The writes of one run. Not thread-safe."""

    def __init__(
        self,
        gathered: Gathered,
        name: str,
        *,
        run: int,
        destination: int,
        lease: Lease,
        timeline: str,
        digests: Callable[[Sequence[str], int], list[bytes]],
    ) -> None:
        self._gathered = gathered
        self._name = name
        self._ids = {"run": run, "destination": destination}
        self._lease = lease
        self._timeline = timeline
        self._digests = digests
        self._counted = Counters()
        self.clock: ClockRange | None = None
        """Recorded with the next write."""
        self._open: dict[bytes, int] = {}
        """The attempts of this process's rows in flight."""
        self._again: dict[bytes, int] = {}
        """For rows that did not arrive, their current `SendAttempt.version`."""
        self.done = 0
        """The number of the last acknowledged write."""
        self.is_lost = False
        self.lists_doubts = False
        """Whether rows were listed that an earlier run left uncertain: they may be corrected."""
        self._sure_at = float("-inf")
        """The `boottime` at which the last successful claim was sent: the lease was held then."""

    def apply(
        self, begun: Sequence[SendAttempt], ended: Ends, counters: Counters
    ) -> list[SendAttempt]:
        """Record results, and claim rows; returns those that were claimed.

        Raises LedgerError, after which none of these rows may be sent; Bug for a result of a row
        that never began.
        """
        stray = [end for end in ended if _outgoing(end).identity not in self._open]
        if stray:
            raise Bug(f"{len(stray)} of {len(ended)} ended rows were never begun")
        if any(len(row.identity) != 16 for row in begun):
            raise Bug("an identity is not a hash of 16 bytes")
        new = [now - was for now, was in zip(counters, self._counted, strict=True)]
        names = ("requests", "retries", "throttled", "seconds")
        counted: dict[str, object] = dict(zip(names, new, strict=True))
        counted["minute"] = int(counters.seconds // 60)
        write = _Write(self.done + 1, begun, ended, counted, boottime(), self.clock)
        claimed = self._once(write)
        self.done, self.clock = write.number, None
        self._counted = counters
        return self._settled(write, claimed)

    def is_fresh(self) -> bool:
        """Whether the last claim is so recent that no other process can have taken the lease."""
        return boottime() - self._sure_at <= SECONDS

    def _once(self, write: _Write) -> dict[bytes, int]:
        """Do a write. If the connection breaks, a new one is used to find out whether the write was
        done. Returns the attempts of the claimed rows by identity.
        """
        end = time.monotonic() + PATIENCE
        unsure = False
        for pause in chain(_PAUSES, repeat(_PAUSES[-1])):
            try:
                noted = self._noted(write) if unsure else None
                return self._try(write) if noted is None else noted
            except CutOffError:
                unsure = True
                if time.monotonic() + pause > end:
                    raise
            time.sleep(pause)
        raise Bug("a write that never ended")

    def _try(self, write: _Write) -> dict[bytes, int]:
        """Send a write, together with those of other runs."""

        def send(db: Connection) -> list[Answer]:
            answers = self._end(db, write)
            if write.begun:
                answers.append(self._claim(db, write.begun))
            if write.clock is not None:
                db.execute(sql.NOTE_CLOCK, {**self._ids, "clock": json.dumps(write.clock)})
            return answers

        accepted, *others = self._gathered.write(send, self._ids["destination"])
        claimed: dict[bytes, int] = dict(others.pop()) if write.begun else {}
        if accepted[0][0] + sum(map(len, others)) < len(write.ended):
            self._note_late(write.ended)
        return claimed

    def _noted(self, write: _Write) -> dict[bytes, int] | None:
        """The claims of a write that was done although its answer was lost; None if it was not.
        Waits for the transaction of the broken connection to end.

        Raises LedgerLostError if writes that were acknowledged before are missing.
        """
        with self._gathered.alone() as session:
            address, run = session.address, self._ids["run"]
            now = timeline(session)
            if now != self._timeline and not self.done:
                raise timeline_changed(address, self._timeline, now)
            found = session.change(sql.COMMITTED, (run,))
            writes = found[0][0] if found else -1
            if writes < self.done:
                session.change(sql.LOST, (self._name,))
                raise notes_lost(address, self._name)
            if now != self._timeline:
                session.change(sql.FOLLOW, (now, self._timeline))
                self._timeline = now
            if writes != write.number:
                return None
            identities = [row.identity for row in write.begun]
            values = (self._ids["destination"], run, self._lease.epoch, identities)
            claimed = session.query(sql.MINE, values)
            self._note_late(write.ended)
            return dict(claimed)

    def _end(self, db: Connection, write: _Write) -> list[Answer]:
        """Record results. The first answer counts accepted rows; the others list theirs."""
        accepted = [end for end in write.ended if _state(end) is State.ACCEPTED]
        reverted = [end for end in write.ended if isinstance(end, SendAttempt)]
        given = self._given(accepted)
        guard = {
            "write": write.number,
            "timeline": self._timeline,
            "claims": bool(write.begun),
            "flying": self._flying(write),
        }
        if len(accepted) < len(write.ended) > 1:
            self._lock(db, write.ended)
        done = [db.execute(sql.WRITE, {**self._ids, **given, **write.counted, **guard})]
        if reverted:
            done.append(self._revert(db, reverted, ON_ITS_WAY))
        done += [
            self._fail(db, end, ON_ITS_WAY)
            for end in write.ended
            if isinstance(end, RowResult) and end.outcome.state is not State.ACCEPTED
        ]
        warned = [
            end.outcome for end in accepted if isinstance(end, RowResult) and end.outcome.warnings
        ]
        self.list_outcomes(db, warned)
        return done

    def _lock(self, db: Connection, ended: Ends) -> None:
        """Lock rows that several statements change: a takeover may change them too, and a late
        answer to an earlier run may change what this one has listed.
        """
        if self.lists_doubts:
            db.execute(sql.ACCOUNT_FIRST, self._ids)
        identities = [_outgoing(end).identity for end in ended]
        db.execute(sql.IN_ORDER, {**self._ids, "identities": identities})

    def _flying(self, write: _Write) -> bytes:
        """The identities of all rows that may be in flight after a write."""
        ended = {_outgoing(end).identity for end in write.ended}
        still = [identity for identity in self._open if identity not in ended]
        return b"".join([*still, *(row.identity for row in write.begun)])

    def _given(self, ended: Ends) -> dict[str, object]:
        given = sorted(
            (_outgoing(end).identity, end.receipt if isinstance(end, RowResult) else "")
            for end in ended
        )
        return {
            "identities": [identity for identity, _receipt in given],
            "attempts": _numbers([self._open[identity] for identity, _receipt in given]),
            "receipts": [receipt for _identity, receipt in given],
        }

    def _revert(self, db: Connection, ended: Ends, state: int) -> Answer:
        return db.execute(sql.REVERT, {**self._ids, **self._given(ended), "states": [state]})

    def _fail(self, db: Connection, end: RowResult, state: int) -> Answer:
        values = {
            **self._ids,
            **self._given([end]),
            **_listed(end.outcome),
            "states": [state],
        }
        if end.outcome.state is State.UNCERTAIN:
            return db.execute(sql.DOUBT, values)
        if end.outcome.state is not State.REFUSED:
            raise Bug(f"a row that was sent ended as {end.outcome.state}")
        return db.execute(sql.REFUSE, values)

    def _note_late(self, ended: Ends) -> None:
        """Record late answers to rows that a takeover has marked as uncertain, also for later runs
        that listed them.
        """
        with self._gathered.alone() as session, session.transaction(SILENCE) as db:
            db.execute(sql.ACCOUNT_FIRST, self._ids)
            states = dict(db.execute(sql.OURS, {**self._ids, **self._given(ended)}).fetchall())
            late = [
                end
                for end in ended
                if states.get(_outgoing(end).identity) == UNCERTAIN
                and _state(end) is not State.UNCERTAIN
            ]
            for end in late:
                row, values = _outgoing(end), {**self._ids, **self._given([end])}
                db.execute(sql.NO_LONGER_UNCERTAIN, {**values, "file": row.file, "row": row.row})
                if isinstance(end, SendAttempt):
                    self._revert(db, [end], UNCERTAIN)
                elif end.outcome.state is State.ACCEPTED:
                    db.execute(sql.LATE_ACCEPT, values)
                else:
                    self._fail(db, end, UNCERTAIN)
            self._correct(db, [_outgoing(end).identity for end in late])

    def _correct(self, db: Connection, identities: Sequence[bytes]) -> None:
        """Correct rows that later runs listed as uncertain, and that no longer are."""
        if not identities:
            return
        values = {**self._ids, "identities": identities}
        runs = db.execute(sql.CORRECT, values, prepare=False).fetchall()  # plan anew
        db.execute(sql.THEIR_ENDS, ([run for run, _is_to_be_sent in runs],))
        db.execute(sql.NOT_OVER, ([run for run, is_to_be_sent in runs if is_to_be_sent],))
        for run, _is_to_be_sent in runs:
            db.execute(NOTHING_FAILED, {"run": run})

    def _claim(self, db: Connection, begun: Sequence[SendAttempt]) -> Answer:
        hashes = self._digests([row.compared or row.payload for row in begun], 8)
        values = {
            **self._ids,
            "identities": b"".join([row.identity for row in begun]),
            "versions": _numbers([self._again.get(row.identity, row.version) for row in begun]),
            "payloads": b"".join(hashes),
            "files": _numbers([row.file for row in begun]),
            "rows": _numbers([row.row for row in begun]),
            "sources": _numbers([row.source for row in begun]),
            "left_at": int(time.time() * 1000),  # not the database's: see `note_clock`
            "quota": self._lease.quota,
            "epoch": self._lease.epoch,
        }
        return db.execute(sql.CLAIM, values)

    def _settled(self, write: _Write, claimed: dict[bytes, int]) -> list[SendAttempt]:
        """Update the state of this process after a write; returns the rows that may be sent."""
        for end in write.ended:
            row = _outgoing(end)
            attempt = self._open.pop(row.identity)
            self._again.pop(row.identity, None)
            if isinstance(end, SendAttempt) and row.version:
                self._again[row.identity] = attempt << 4 | row.version & 15
        self._open |= claimed
        mine = [row for row in write.begun if row.identity in claimed]
        if len(mine) < len(write.begun):
            self._explain([row for row in write.begun if row.identity not in claimed])
        if mine:
            self._sure_at = write.asked
        if mine and not self.is_fresh():  # it slept: another process may have the lease
            self.is_lost = True
            self.apply([], mine, self._counted)
            return []
        return mine

    def _explain(self, unclaimed: Sequence[SendAttempt]) -> None:
        """Record the results of rows that could not be claimed: those they had in another run. If
        the lease was taken over, they stay pending.
        """
        wanted = [row.identity for row in unclaimed]
        lease = self._lease
        with self._gathered.alone() as session, session.transaction(SILENCE) as db:
            found = db.execute(sql.EPOCH, (lease.quota,)).fetchone()
            if found != (lease.epoch,):
                self.is_lost = True
                return
            known = self._looked_up(db, wanted)
            states = {identity: (state, problems) for identity, state, problems in known}
            ends = []
            for row in unclaimed:
                state, problems = states.get(row.identity, (None, ""))
                if state == ACCEPTED:
                    self.tally(db, State.ALREADY_IMPORTED, 1)
                elif state is not None:
                    name = State.REFUSED if state == REFUSED else State.UNCERTAIN
                    found = problems_of(problems if state else sql.INTERRUPTED)
                    doubted = row.identity if name is State.UNCERTAIN else None
                    ends.append(Outcome(row.file, row.row, name, found, identity=doubted))
            self.record(db, ends)

    def _looked_up(self, db: Connection, identities: Sequence[bytes]) -> Rows:
        """What is known about conversions, which are locked until the transaction ends. Rows that
        an earlier run left in flight become uncertain.
        """
        values = {**self._ids, "epoch": self._lease.epoch, "identities": identities}
        db.execute(sql.ACCOUNT_FIRST, values)
        db.execute(sql.IN_ORDER, values)
        db.execute(sql.DOUBT_LATE, values)
        return db.execute(sql.FOUND, values).fetchall()

    def record(self, db: Connection, outcomes: Sequence[Outcome]) -> None:
        """Record the results of rows, and count them. If a conversion that an earlier run left
        uncertain got its answer since the plan was made, that result counts.
        """
        doubted = [end.identity for end in outcomes if end.identity is not None]
        if self.lists_doubts:
            db.execute(sql.ACCOUNT_FIRST, self._ids)
        if doubted:
            self.lists_doubts = True
            self._looked_up(db, doubted)
        self.list_outcomes(db, outcomes)
        for state in sorted({end.state for end in outcomes}):
            self.tally(db, state, sum(end.state is state for end in outcomes))
        self._correct(db, doubted)

    def list_outcomes(self, db: Connection, outcomes: Sequence[Outcome]) -> None:
        """Record the results of rows that a report lists individually."""
        if not outcomes:
            return
        lines = [
            (*_listed(end).values(), *(end.instead or (None, None)), end.identity)
            for end in outcomes
        ]
        columns = [list(column) for column in zip(*lines, strict=True)]
        db.execute(sql.LIST, (self._ids["run"], *columns))

    def tally(self, db: Connection, state: State, rows: int) -> None:
        """Count the results of rows."""
        db.execute(TALLY, {"run": self._ids["run"], "state": str(state), "rows": rows})


def _outgoing(end: RowResult | SendAttempt) -> SendAttempt:
    return end.outgoing if isinstance(end, RowResult) else end


def _state(end: RowResult | SendAttempt) -> State | None:
    return end.outcome.state if isinstance(end, RowResult) else None


def _numbers(values: Sequence[int | None]) -> str:
    """An array of PostgreSQL, in a quarter of the time that psycopg takes for a list."""
    return f"{{{','.join(['NULL' if value is None else str(value) for value in values])}}}"


def _listed(end: Outcome) -> dict[str, object]:
    return {
        "file": end.file,
        "row": end.row,
        "state": str(end.state),
        "cells": json.dumps(end.cells, ensure_ascii=False),
        "problems": plain(text_of(end.problems)),
        "warnings": plain(text_of(end.warnings)),
    }


def plain(text: str) -> str:
    """JSON without NUL, which PostgreSQL does not accept in text."""
    if "\\u0000" not in text:
        return text
    return text_of([Problem(*(v.replace("\0", "\ufffd") for v in p)) for p in problems_of(text)])
