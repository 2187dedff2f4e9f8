"""A connection that all runs of a process share for claims and results: what they write at the same
time is committed together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock, RLock
from typing import Any, Final

import psycopg
from psycopg.errors import DivisionByZero

from rdimport.ledger.postgres.address import Address
from rdimport.ledger.postgres.connection import Connection
from rdimport.ledger.postgres.session import Session, roll_back
from rdimport.ledger.postgres.settings import PLANNED_ONCE
from rdimport.ledger.postgres.trouble import (
    CutOffError,
    NotWhereItWasError,
    explained,
    not_where_it_was,
)

PATIENCE: Final = 30.0
"""Seconds to wait for a database that cannot be reached: as long as a lease lasts."""

_AT_ONCE: Final = 200
"""Maximum number of writes in one transaction."""

Answer = psycopg.Cursor[tuple[Any, ...]]
Rows = list[tuple[Any, ...]]


@dataclass(eq=False, slots=True)
class _Piece:
    """A write of one run, and the result."""

    send: Callable[[Connection], Sequence[Answer]]
    destination: int
    is_done: bool = False
    answers: list[Rows] = field(default_factory=list)
    error: Exception | None = None


class Gathered:
    """Combines the writes of several runs, each from its own thread."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._turn = RLock()
        """Held while the connection is used."""
        self._adding = Lock()
        self._waiting: list[_Piece] = []

    @property
    def address(self) -> Address:
        """The database."""
        return self._session.address

    @contextmanager
    def alone(self) -> Iterator[Session]:
        """The connection, for exclusive use. It is closed if it breaks (CutOffError)."""
        with self._turn:
            try:
                yield self._session
            except CutOffError:
                self._session.close()
                raise

    def write(self, send: Callable[[Connection], Sequence[Answer]], destination: int) -> list[Rows]:
        """Execute what `send` sends, in one transaction with the waiting writes of other runs;
        returns the rows of each of its statements.

        Raises LedgerError. The failure of one write does not affect the others, unless the
        connection broke.
        """
        piece = _Piece(send, destination)
        with self._adding:
            self._waiting.append(piece)
        with self._turn:  # its holder writes for all runs that wait by then
            while not piece.is_done:
                with self._adding:
                    some, self._waiting = self._waiting[:_AT_ONCE], self._waiting[_AT_ONCE:]
                # one order: workers that write for the same accounts cannot deadlock
                self._carry_out(sorted(some, key=lambda piece: piece.destination))
        if piece.error is not None:
            raise piece.error
        return piece.answers

    def _carry_out(self, some: Sequence[_Piece]) -> None:
        try:
            self._together(some)
        except Exception as error:  # noqa: BLE001  raised again in the waiting run
            if _is_cut_off(error):
                self._session.close()
            elif len(some) > 1:
                self._one_by_one(some)
                return
            for piece in some:
                piece.error = error
        for piece in some:
            piece.is_done = True

    def _one_by_one(self, some: Sequence[_Piece]) -> None:
        """Repeat writes one by one, after one of them failed for all."""
        for number, piece in enumerate(some):
            self._carry_out([piece])
            if _is_cut_off(piece.error):
                for other in some[number + 1 :]:
                    other.error, other.is_done = piece.error, True
                return

    def _together(self, some: Sequence[_Piece]) -> None:
        """Send all of them in one transaction, with one round trip."""
        session = self._session
        with explained(session.address):
            db = session.connection
            try:
                with session.watched(db, PATIENCE), db.pipeline():  # committed at its end
                    session.prepare(db)
                    sent = [piece.send(db) for piece in some]
            except BaseException as error:
                roll_back(db)
                if isinstance(error, DivisionByZero) and len(some) == 1:
                    raise not_where_it_was(session.address) from error
                raise
            found = [[answer.fetchall() for answer in answers] for answers in sent]
        session.committed()
        for piece, answers in zip(some, found, strict=True):
            piece.answers = answers


def _is_cut_off(error: Exception | None) -> bool:
    """Whether the connection broke, which affects all writes."""
    return isinstance(error, CutOffError) and not isinstance(error, NotWhereItWasError)


_SHARED: Final[dict[Address, tuple[Gathered, int]]] = {}
_KNOWN: Final = Lock()


def join(address: Address) -> Gathered:
    """The shared connection of this process to a database, until `leave`."""
    with _KNOWN:
        gathered, users = _SHARED.get(address) or (Gathered(Session(address, PLANNED_ONCE)), 0)
        _SHARED[address] = gathered, users + 1
    return gathered


def leave(gathered: Gathered) -> None:
    """Release it; the last user closes the connection."""
    with _KNOWN:
        _same, users = _SHARED.pop(gathered.address)
        if users > 1:
            _SHARED[gathered.address] = gathered, users - 1
            return
    with gathered.alone() as session:
        session.end()
