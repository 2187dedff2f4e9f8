"""Shuts down connections whose work takes too long, so that no caller waits forever."""

from __future__ import annotations

import math
import os
import socket
import time
from collections.abc import Callable
from contextlib import closing, suppress
from threading import Lock, Thread
from typing import Any, Final, NamedTuple
from weakref import WeakSet

from psycopg import BaseConnection, Error

_LOOKS: Final = 0.5
"""Seconds between two checks of all connections."""


class _Work(NamedTuple):
    """A connection that is working, and the `time.monotonic()` by which it must have finished. If
    `goes_on`, which may block for a while, then returns true, it gets as many `seconds` again.
    """

    db: BaseConnection[Any]
    until: float
    seconds: float
    goes_on: Callable[[], bool] | None


_WORK: Final[dict[int, _Work]] = {}
"""By the `id` of the owner."""

_SILENT: Final[WeakSet[BaseConnection[Any]]] = WeakSet()
"""The connections that were shut down."""

_LOCK: Final = Lock()
_LOOKING: Final[list[Thread]] = []


def watch(
    owner: object,
    db: BaseConnection[Any],
    seconds: float,
    goes_on: Callable[[], bool] | None = None,
) -> None:
    """Shut down connection `db` unless `rest(owner)` is called within `seconds`, or as long as the
    work `goes_on`.

    An owner does one piece of work at a time. One thread of the process watches all connections.
    """
    with _LOCK:
        _WORK[id(owner)] = _Work(db, time.monotonic() + seconds, seconds, goes_on)
        if not _LOOKING or not _LOOKING[-1].is_alive():  # as after a fork
            _LOOKING.append(Thread(target=_look, name="watchdog", daemon=True))
            _LOOKING[-1].start()


def rest(owner: object) -> None:
    """Stop watching the connection of this owner, because its work is done."""
    with _LOCK:
        _WORK.pop(id(owner), None)


def was_silent(db: BaseConnection[Any]) -> bool:
    """Whether a connection was shut down because its work took too long."""
    return db in _SILENT


def _look() -> None:
    while True:
        time.sleep(_LOOKS)
        with _LOCK:
            now = time.monotonic()
            for owner, work in [late for late in _WORK.items() if late[1].until <= now]:
                if work.goes_on is None:
                    _end(owner)
                else:
                    asked = _WORK[owner] = work._replace(until=math.inf)
                    Thread(target=_ask, args=(owner, asked, work.goes_on), daemon=True).start()


def _ask(owner: int, work: _Work, goes_on: Callable[[], bool]) -> None:
    more = goes_on()
    with _LOCK:
        if _WORK.get(owner) is not work:  # it is done meanwhile
            return
        if more:
            _WORK[owner] = work._replace(until=time.monotonic() + work.seconds)
        else:
            _end(owner)


def _end(owner: int) -> None:
    db = _WORK.pop(owner).db
    _SILENT.add(db)
    cut_short(db)


def cut_short(db: BaseConnection[Any]) -> None:
    """Shut down the socket of a connection, so that its user gets an error. The caller must still
    close it. Does nothing if it is closed already.
    """
    with suppress(OSError, Error):  # it is closed already
        number = os.dup(db.fileno())
        with closing(socket.socket(fileno=number)) as same:
            same.shutdown(socket.SHUT_RDWR)
