"""Ends connections that have been silent for too long."""

from __future__ import annotations

import os
import socket
import time
from contextlib import closing, suppress
from threading import Lock, Thread
from typing import Any, Final

import psycopg

_LOOKS: Final = 0.5
"""Seconds between two looks."""

_WORK: Final[dict[int, tuple[psycopg.Connection[Any], float]]] = {}
"""What is looked after, and until when it must have ended."""

_LOCK: Final = Lock()
_LOOKING: Final[list[Thread]] = []


def watch(owner: object, db: psycopg.Connection[Any], seconds: float) -> None:
    """Shut this connection down unless `rest` is called in time, for the same owner: one of them
    does one piece of work at a time. All are looked after by one thread of the process.
    """
    with _LOCK:
        _WORK[id(owner)] = db, time.monotonic() + seconds
        if not _LOOKING or not _LOOKING[-1].is_alive():  # as after a fork
            _LOOKING.append(Thread(target=_look, name="watchdog", daemon=True))
            _LOOKING[-1].start()


def rest(owner: object) -> None:
    """The work is done."""
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


def cut_short(db: psycopg.Connection[Any]) -> None:
    """Let whoever waits for this connection see its end; it is still to be closed."""
    with suppress(OSError, psycopg.Error):  # it is closed already
        number = os.dup(db.fileno())
        with closing(socket.socket(fileno=number)) as same:
            same.shutdown(socket.SHUT_RDWR)
