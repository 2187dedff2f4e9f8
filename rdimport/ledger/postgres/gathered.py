"""One connection over which all runs of this process write what they claim and what ended: what
comes at the same time is committed together.
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
from rdimport.ledger.postgres.session import Connection, Session, roll_back
from rdimport.ledger.postgres.trouble import (
    CutOffError,
    NotWhereItWasError,
    explained,
    not_where_it_was,
)

PATIENCE: Final = 30.0
"""Seconds within which a database that went away may come back; the lease does not last longer."""

_AT_ONCE: Final = 200
"""Writes in one transaction."""

Answer = psycopg.Cursor[tuple[Any, ...]]
Rows = list[tuple[Any, ...]]


@dataclass(eq=False, slots=True)
class _Piece:
    """What one run writes, and what the database answered."""

    send: Callable[[Connection], Sequence[Answer]]
    is_done: bool = False
    answers: list[Rows] = field(default_factory=list)
    error: Exception | None = None


class Gathered:
    """Writes of several runs, each from a thread of its own."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._turn = RLock()
        """Who has it uses the connection."""
        self._adding = Lock()
        self._waiting: list[_Piece] = []

    @property
    def address(self) -> Address:
        """The database."""
        return self._session.address

    @contextmanager
    def alone(self) -> Iterator[Session]:
        """The connection, for something that no other write is together with."""
        with self._turn:
            try:
                yield self._session
            except CutOffError:
                self._session.close()
                raise

    def write(self, send: Callable[[Connection], Sequence[Answer]]) -> list[Rows]:
        """Do what `send` sends, together with what others send meanwhile; returns what it was
        answered. Raises LedgerError; what fails for one is done for the others.
        """
        piece = _Piece(send)
        with self._adding:
            self._waiting.append(piece)
        with self._turn:  # whoever has it writes for all that wait by then
            while not piece.is_done:
                with self._adding:
                    some, self._waiting = self._waiting[:_AT_ONCE], self._waiting[_AT_ONCE:]
                self._carry_out(some)
        if piece.error is not None:
            raise piece.error
        return piece.answers

    def _carry_out(self, some: Sequence[_Piece]) -> None:
        try:
            self._together(some)
        except Exception as error:  # noqa: BLE001  passed on to whoever wants it written
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
        """One of them failed: the others are not to suffer from it."""
        for number, piece in enumerate(some):
            self._carry_out([piece])
            if _is_cut_off(piece.error):
                for other in some[number + 1 :]:
                    other.error, other.is_done = piece.error, True
                return

    def _together(self, some: Sequence[_Piece]) -> None:
        """All of them, sent at once."""
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
    """Did the connection break, for all?"""
    return isinstance(error, CutOffError) and not isinstance(error, NotWhereItWasError)


_SHARED: Final[dict[Address, tuple[Gathered, int]]] = {}
_KNOWN: Final = Lock()


def join(address: Address) -> Gathered:
    """The writes of this process into a database, until `leave`."""
    with _KNOWN:
        gathered, users = _SHARED.get(address) or (Gathered(Session(address)), 0)
        _SHARED[address] = gathered, users + 1
    return gathered


def leave(gathered: Gathered) -> None:
    """One run writes no more."""
    with _KNOWN:
        _same, users = _SHARED.pop(gathered.address)
        if users > 1:
            _SHARED[gathered.address] = gathered, users - 1
            return
    with gathered.alone() as session:
        session.end()
