"""Ends connections that have been silent for too long."""

from __future__ import annotations

import os
import socket
import time
from contextlib import closing, suppress
from threading import Event, Lock, Thread
from typing import Any, Final

import psycopg

_LOOKS: Final = 0.5
"""Seconds between two looks."""


class Watchdog:
    """Looks after one piece of work at a time, from a thread of its own."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._work: tuple[psycopg.Connection[Any], float] | None = None
        self._ended = Event()
        Thread(target=self._look, name="watchdog", daemon=True).start()

    def watch(self, db: psycopg.Connection[Any], seconds: float) -> None:
        """Shut this connection down unless `rest` is called in time."""
        with self._lock:
            self._work = db, time.monotonic() + seconds

    def rest(self) -> None:
        """The work is done."""
        with self._lock:
            self._work = None

    def end(self) -> None:
        """Look no more."""
        self._ended.set()

    def _look(self) -> None:
        while not self._ended.wait(_LOOKS):
            with self._lock:
                if self._work is None or time.monotonic() < self._work[1]:
                    continue
                db, self._work = self._work[0], None
                cut_short(db)


def cut_short(db: psycopg.Connection[Any]) -> None:
    """Let whoever waits for this connection see its end; it is still to be closed."""
    with suppress(OSError, psycopg.Error):  # it is closed already
        number = os.dup(db.fileno())
        with closing(socket.socket(fileno=number)) as same:
            same.shutdown(socket.SHUT_RDWR)
