"""Renews all leases of this process, with one statement and from one thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from threading import Event, Lock, Thread
from typing import Final

from rdimport.core.errors import LedgerError
from rdimport.ledger.holds import LeftPace
from rdimport.ledger.postgres.address import Address
from rdimport.ledger.postgres.lease import (
    SECONDS,
    WHOSE,
    Lease,
    boottime,
    leave,
    take,
    what_is_left,
    whose,
)
from rdimport.ledger.postgres.session import Session

EVERY: Final = 10.0
"""Seconds between two renewals."""

_KEPT: Final = """standing = coalesce(int8send((extract(epoch FROM clock_timestamp()) * 1000000)
    ::bigint) || {standing}, l.standing)"""

_RENEW: Final = f"""
WITH free AS (SELECT l.quota FROM rdimport.lease l
    JOIN unnest(%(quotas)s::bytea[], %(epochs)s::bigint[]) AS g(quota, epoch) USING (quota, epoch)
    FOR UPDATE OF l SKIP LOCKED)
UPDATE rdimport.lease l SET until = clock_timestamp() + make_interval(secs => %(seconds)s),
    {_KEPT.format(standing="g.standing")}
FROM unnest(%(quotas)s::bytea[], %(epochs)s::bigint[], %(standings)s::bytea[])
    AS g(quota, epoch, standing), free
WHERE l.quota = g.quota AND l.epoch = g.epoch AND l.quota = free.quota RETURNING l.quota, l.epoch
"""
"""Skips leases whose row another session has locked, as that session may be frozen."""

_STILL_OURS: Final = """
SELECT quota, epoch FROM rdimport.lease
JOIN unnest(%s::bytea[], %s::bigint[]) AS g(quota, epoch) USING (quota, epoch)
"""
_RELEASE: Final = f"""
UPDATE rdimport.lease l SET until = '-infinity', holder = '', machine = '', process = 0,
    {_KEPT.format(standing="%(standing)s::bytea")}
WHERE quota = %(quota)s AND epoch = %(epoch)s
"""


class Held:
    """A lease that is renewed until it is released.

    `left` is the pace that the previous holder stored, `whose` identifies the destination that the
    stored pace is for.
    """

    def __init__(
        self, lease: Lease, renewer: Renewer, left: LeftPace | None = None, whose: bytes = b""
    ) -> None:
        self.lease = lease
        self.left = left
        self._whose = whose.ljust(WHOSE, b"\0")
        self._renewer = renewer
        self._renewed = boottime()
        self._lost = False
        self._standing: Callable[[], bytes] | None = None
        self._on_lost: Callable[[], object] | None = None

    def is_held(self) -> bool:
        """Whether the lease is held, as far as this process knows."""
        return not self._lost and boottime() - self._renewed < SECONDS

    def keep(self, standing: Callable[[], bytes], lost: Callable[[], object]) -> None:
        """See `holds.HeldQuota`. The bytes are stored now and with each renewal."""
        self._standing, self._on_lost = standing, lost
        self.keep_now()

    def keep_now(self) -> None:
        """See `holds.HeldQuota`."""
        self._renewer.hurry(self)

    @property
    def standing(self) -> bytes | None:
        """The bytes to store of the pace; None until `keep` was called."""
        return self._whose + self._standing() if self._standing else None

    def renewed(self, asked: float) -> None:
        """Record a renewal; `asked` is the `boottime` at which its statement was sent."""
        self._renewed = asked

    def lost(self) -> None:
        """Record that another process has taken the lease."""
        if not self._lost and self._on_lost is not None:
            self._on_lost()
        self._lost = True


class Renewer:
    """Renews the leases that this process holds in one database."""

    def __init__(self, address: Address) -> None:
        self._held: set[Held] = set()
        self._hurried: set[Held] = set()
        self._changing = Lock()
        self._session = Session(address)
        self._asking = Lock()
        """Held while the session is used."""
        self._wake = Event()
        self._ended = False
        self._thread = Thread(target=self._work, name="leases", daemon=True)

    def start(self) -> None:
        """Start the thread that renews."""
        self._thread.start()

    def take_on(self, held: Held) -> None:
        """Renew a lease from now on."""
        with self._changing:
            self._held.add(held)

    def hurry(self, held: Held) -> None:
        """Renew a lease now, outside of the interval."""
        with self._changing:
            self._hurried.add(held)
        self._wake.set()

    def drop(self, held: Held) -> bool:
        """Stop renewing a lease; returns whether others are left."""
        with self._changing:
            self._held.discard(held)
            return bool(self._held)

    def let_go(self, held: Held) -> None:
        """Release a lease, so that others can take it at once. Without a database, it expires, and
        only this process can take it before.
        """
        lease = held.lease
        values = {"quota": lease.quota, "epoch": lease.epoch, "standing": held.standing}
        with self._asking:
            for _connection in ("open", "new"):  # that one may have broken since the last renewal
                with suppress(LedgerError):
                    self._session.change(_RELEASE, values)
                    return
                self._session.close()
        leave(self._session.address, lease)

    def end(self) -> None:
        """Stop the thread, and close the connection."""
        self._ended = True
        self._wake.set()
        self._thread.join()
        self._session.end()

    def _work(self) -> None:
        next_time = time.monotonic() + EVERY
        while not self._ended:
            self._wake.wait(max(0.0, next_time - time.monotonic()))
            self._wake.clear()
            all_of_them = time.monotonic() >= next_time
            with self._changing:
                some = set(self._held) if all_of_them else self._hurried & self._held
                self._hurried.clear()
            if all_of_them:
                next_time = time.monotonic() + EVERY
            if some and not self._ended:
                self._renew(some)

    def _renew(self, some: Collection[Held]) -> None:
        with self._asking:
            with self._changing:  # leases released since are not renewed
                leases = list(self._held.intersection(some))
            asked = boottime()
            try:
                done, kept = self._renewed(leases)
            except LedgerError:  # retried; until then the leases run down
                self._session.close()
                return
        for held in leases:
            if held.lease in done:
                held.renewed(asked)
            elif held.lease not in kept:
                held.lost()

    def _renewed(self, leases: Sequence[Held]) -> tuple[set[Lease], set[Lease]]:
        """Renew leases. Returns those that were renewed, and those not taken by another process
        since: this process may already hold a newer lease of the same quota.
        """
        if not leases:
            return set(), set()
        quotas, epochs = (
            [held.lease.quota for held in leases],
            [held.lease.epoch for held in leases],
        )
        standings = [held.standing for held in leases]
        values = {"quotas": quotas, "epochs": epochs, "standings": standings, "seconds": SECONDS}
        done = {Lease(*found) for found in self._session.change(_RENEW, values)}
        if len(done) == len(leases):
            return done, done
        kept = self._session.query(_STILL_OURS, (quotas, epochs))
        return done, {Lease(*found) for found in kept}


_RENEWERS: Final[dict[Address, Renewer]] = {}
_KNOWN: Final = Lock()


def begin(lease: Lease, address: Address, left: LeftPace | None = None, whose: bytes = b"") -> Held:
    """Renew a lease that was taken, until `end` is called; returns it as `Held`."""
    with _KNOWN:
        renewer = _RENEWERS.get(address)
        if renewer is None:
            renewer = _RENEWERS[address] = Renewer(address)
            renewer.start()
        held = Held(lease, renewer, left, whose)
        renewer.take_on(held)
    return held


def end(held: Held, address: Address) -> None:
    """Release a lease, and stop renewing it. The last one ends the thread."""
    with _KNOWN:
        renewer = _RENEWERS[address]
        others = renewer.drop(held)
        if not others:
            del _RENEWERS[address]
    renewer.let_go(held)
    if not others:
        renewer.end()


@contextmanager
def hold(
    address: Address, quota: bytes, account: str, *, pace_of: str | None = None
) -> Iterator[Held]:
    """Hold the lease of an account or, with the destination `pace_of`, of the quota of its key.

    Raises LedgerBusyError, which names the holder, if another process has it.
    """
    with Session(address) as session:
        lease = take(session, quota, account, pace=pace_of is not None)
        left = what_is_left(session, quota, pace_of) if pace_of is not None else None
    held = begin(lease, address, left, whose(pace_of) if pace_of is not None else b"")
    try:
        yield held
    finally:
        end(held, address)
