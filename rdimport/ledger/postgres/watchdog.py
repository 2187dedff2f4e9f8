"""Shuts down connections whose work takes too long, so that nobody waits for a silent server
forever.
"""

from __future__ import annotations

import os
import socket
import time
from contextlib import closing, suppress
from threading import Lock, Thread
from typing import Any, Final

from psycopg import BaseConnection, Error

_LOOKS: Final = 0.5
"""Seconds between two checks of all connections."""

_WORK: Final[dict[int, tuple[BaseConnection[Any], float]]] = {}
"""By the `id` of its owner: the connection that is working, and the `time.monotonic()` by which it
must have finished.
"""

_LOCK: Final = Lock()
_LOOKING: Final[list[Thread]] = []


def watch(owner: object, db: BaseConnection[Any], seconds: float) -> None:
    """Shut down connection `db` unless `rest(owner)` is called within `seconds`.

    An owner does one piece of work at a time. One thread of the process watches all connections.
    """
    with _LOCK:
        _WORK[id(owner)] = db, time.monotonic() + seconds
        if not _LOOKING or not _LOOKING[-1].is_alive():  # as after a fork
            _LOOKING.append(Thread(target=_look, name="watchdog", daemon=True))
            _LOOKING[-1].start()


def rest(owner: object) -> None:
    """Stop watching the connection of this owner, because its work is done."""
    with _LOCK:
        _WORK.pop(id(owner), None)


def _look() -> None:
    while True:
        time.sleep(_LOOKS)
        with _LOCK:
            now = time.monotonic()
            for owner in [owner for owner, (_, until) in _WORK.items() if until <= now]:
                db, _until = _WORK.pop(owner)
                cut_short(db)


def cut_short(db: BaseConnection[Any]) -> None:
    """Shut down the socket of a connection, so that its user gets an error. The caller must still
    close it. Does nothing if it is closed already.
    """
    with suppress(OSError, Error):  # it is closed already
        number = os.dup(db.fileno())
        with closing(socket.socket(fileno=number)) as same:
            same.shutdown(socket.SHUT_RDWR)
