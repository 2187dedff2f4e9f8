"""Whose turn an account is: a lease with an epoch, for order and quick recovery. What keeps a row
from being sent twice is the claim, not this.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from threading import Event, Thread
from typing import Final, NamedTuple

from rdimport.core.errors import LedgerBusyError, LedgerError
from rdimport.core.messages import _
from rdimport.ledger.postgres.address import Address
from rdimport.ledger.postgres.holder import Holder, is_gone, myself
from rdimport.ledger.postgres.session import Session

SECONDS: Final = 30.0
"""How long a lease lasts unless it is renewed."""

_RENEWED_EVERY: Final = 10.0

_TAKE: Final = """
INSERT INTO rdimport.lease AS l (quota, epoch, holder, machine, process, since, until)
VALUES (%(quota)s, nextval('rdimport.epoch'), %(holder)s, %(machine)s, %(process)s, %(since)s,
    clock_timestamp() + make_interval(secs => %(seconds)s))
ON CONFLICT (quota) DO UPDATE SET epoch = excluded.epoch, holder = excluded.holder,
    machine = excluded.machine, process = excluded.process, since = excluded.since,
    until = excluded.until
WHERE l.until < clock_timestamp() OR l.epoch = %(dead)s
RETURNING epoch
"""
_RENEW: Final = """
UPDATE rdimport.lease SET until = clock_timestamp() + make_interval(secs => %s)
WHERE quota = %s AND epoch = %s RETURNING 1
"""
_RELEASE: Final = "UPDATE rdimport.lease SET until = '-infinity' WHERE quota = %s AND epoch = %s"


def boottime() -> float:
    """Seconds that go on while the machine sleeps, where the system has such a clock."""
    if sys.platform == "linux":
        now = time.clock_gettime(time.CLOCK_BOOTTIME)
    else:
        now = time.monotonic()
    return now


class Lease(NamedTuple):
    """A turn that was taken: nobody has had it since, as long as the epoch is this."""

    quota: bytes
    epoch: int


class Held:
    """A lease that is renewed until it is let go of."""

    def __init__(self, lease: Lease, session: Session) -> None:
        self.lease = lease
        self._session = session
        self._renewed = boottime()
        self._lost = False
        self._ended = Event()
        self._thread = Thread(target=self._renew, name="lease", daemon=True)

    def is_held(self) -> bool:
        """Is it, as far as is known here?"""
        return not self._lost and boottime() - self._renewed < SECONDS

    def start(self) -> None:
        """Renew it from now on."""
        self._thread.start()

    def release(self) -> None:
        """Let the next one have it at once."""
        self._ended.set()
        self._thread.join()
        with suppress(LedgerError):
            self._session.change(_RELEASE, (self.lease.quota, self.lease.epoch))
        self._session.end()

    def _renew(self) -> None:
        while not self._ended.wait(_RENEWED_EVERY):
            asked = boottime()
            try:
                found = self._session.change(_RENEW, (SECONDS, self.lease.quota, self.lease.epoch))
            except LedgerError:  # tried again; until then the others see it run out
                self._session.close()
                continue
            if not found:
                self._lost = True
                return
            self._renewed = asked


@contextmanager
def hold(address: Address, quota: bytes, account: str) -> Iterator[Held]:
    """Have the turn of an account. Raises LedgerBusyError that names who has it."""
    session = Session(address)
    try:
        held = Held(take(session, quota, account), session)
    except BaseException:
        session.end()
        raise
    held.start()
    try:
        yield held
    finally:
        held.release()


def take(session: Session, quota: bytes, account: str) -> Lease:
    """Take a turn that nobody has. Raises LedgerBusyError."""
    found = session.query(
        "SELECT epoch, holder, machine, process, since, until > clock_timestamp()"
        " FROM rdimport.lease WHERE quota = %s",
        (quota,),
    )
    me = myself()
    dead = None
    if found:
        epoch, *had, lasts = found[0]
        holder = Holder(*had)
        if lasts and not is_gone(holder, me):
            raise _busy(session.address, account, holder)
        dead = epoch
    taken = session.change(
        _TAKE,
        {
            "quota": quota,
            "holder": me.host,
            "machine": me.machine,
            "process": me.process,
            "since": me.since,
            "seconds": SECONDS,
            "dead": dead,
        },
    )
    if not taken:
        raise _busy(session.address, account, None)
    if found:
        _end_sessions(session, holder)
    return Lease(quota, taken[0][0])


def _end_sessions(session: Session, holder: Holder) -> None:
    """End what the one before has begun and not ended: frozen in the middle of it, it would keep
    its rows from everybody. If it comes back, it connects again.
    """
    if holder != myself():
        session.query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND usename = current_user"
            " AND application_name = %s AND pid <> pg_backend_pid()",
            (holder.name,),
        )


def seize(session: Session, quota: bytes) -> Lease:
    """Take a turn from whoever has it, and keep it from nobody: who has an account by other means
    wants nothing but an epoch of its own.
    """
    found = session.change(
        "INSERT INTO rdimport.lease AS l (quota, epoch, holder, machine, process, since, until)"
        " VALUES (%s, nextval('rdimport.epoch'), '', '', 0, '', '-infinity')"
        " ON CONFLICT (quota) DO UPDATE SET epoch = excluded.epoch RETURNING epoch",
        (quota,),
    )
    return Lease(quota, found[0][0])


def take_all(session: Session) -> list[Lease] | None:
    """Take all turns that there ever were; None, and none is taken, where somebody has one."""
    me = myself()
    had = session.query(
        "SELECT holder, machine, process, since FROM rdimport.lease WHERE until > clock_timestamp()"
    )
    if not all(is_gone(Holder(*one), me) for one in had):
        return None
    taken = session.change(
        "UPDATE rdimport.lease SET epoch = nextval('rdimport.epoch'), holder = %s, machine ="
        " %s, process = %s,"
        " since = %s, until = clock_timestamp() + interval '10 minutes' RETURNING quota, epoch",
        me,
    )
    return [Lease(*one) for one in taken]


def release_all(session: Session, leases: Sequence[Lease]) -> None:
    """Let the next ones have them."""
    for one in leases:
        session.change(_RELEASE, one)


def is_taken(session: Session, quota: bytes) -> bool:
    """Has somebody the turn?"""
    found = session.query(
        "SELECT holder, machine, process, since FROM rdimport.lease"
        " WHERE quota = %s AND until > clock_timestamp()",
        (quota,),
    )
    return bool(found) and not is_gone(Holder(*found[0]), myself())


def _busy(address: Address, account: str, holder: Holder | None) -> LedgerBusyError:
    run = _("another run that has just begun")
    if holder is not None:
        run = _("a run on {host} (process {process})", host=holder.host, process=holder.process)
    return LedgerBusyError(
        _(
            "Account “{account}” is in use: by {run}, in the ledger {where}.",
            account=account,
            run=run,
            where=address.shown,
        ),
        _(
            "Nothing was sent. Wait for it, or try again later: exit code 75 says so to cron. A "
            "machine that was switched off lets go of it within half a minute."
        ),
    )
