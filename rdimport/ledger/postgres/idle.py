"""Connections kept open between uses: connecting costs more than a query."""

from __future__ import annotations

import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Lock
from typing import Final, NamedTuple

import psycopg
from psycopg import pq

from rdimport.ledger.postgres.address import Address
from rdimport.ledger.postgres.connection import Connection

_MOST: Final = 8
"""Connections kept to one database."""


class Idle(NamedTuple):
    """A connection, and whether it leads to a pooler."""

    db: Connection
    pooled: bool


_KEPT: Final[dict[Address, list[Idle]]] = {}
_LOCK: Final = Lock()


@contextmanager
def keeping(address: Address) -> Iterator[None]:
    """Keep connections to a database until the block ends."""
    with _LOCK:
        is_outermost = address not in _KEPT
        _KEPT.setdefault(address, [])
    try:
        yield
    finally:
        left: list[Idle] = []
        if is_outermost:
            with _LOCK:
                left = _KEPT.pop(address)
        for one in left:
            _close(one)


def take(address: Address) -> Idle | None:
    """A kept connection that still works, if there is one."""
    while True:
        with _LOCK:
            kept = _KEPT.get(address)
            one = kept.pop() if kept else None
        if one is None or _is_usable(one):
            return one
        _close(one)


def give(address: Address, one: Idle) -> bool:
    """Keep a connection that is not in a transaction; False if it must be closed."""
    if one.db.closed or one.db.info.transaction_status is not pq.TransactionStatus.IDLE:
        return False
    with _LOCK:
        kept = _KEPT.get(address)
        if kept is None or len(kept) >= _MOST:
            return False
        kept.append(one)
    return True


def _is_usable(one: Idle) -> bool:
    """Whether a kept connection still works: a server only writes to an idle one to close it."""
    try:
        return not one.db.closed and not _has_something_to_read(one.db.fileno())
    except (OSError, psycopg.Error):
        return False


def _has_something_to_read(number: int) -> bool:
    if sys.platform == "win32":
        return bool(select.select([number], [], [], 0)[0])
    poll = select.poll()  # a worker may have more files open than `select` can handle
    poll.register(number, select.POLLIN)
    return bool(poll.poll(0))


def _close(one: Idle) -> None:
    with suppress(psycopg.Error):
        one.db.close()
