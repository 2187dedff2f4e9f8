"""Whose turn an account is: a lease with an epoch, for order and quick recovery. What keeps a row
from being sent twice is the claim, not this.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from typing import Final, NamedTuple

from rdimport.core.errors import LedgerBusyError, LedgerError
from rdimport.core.messages import _
from rdimport.ledger.postgres.address import Address
from rdimport.ledger.postgres.session import Session

SECONDS: Final = 30.0
"""How long a lease lasts unless it is renewed."""

_RENEWED_EVERY: Final = 10.0

_TAKE: Final = """
INSERT INTO rdimport.lease AS l (quota, epoch, holder, machine, process, since, until)
VALUES (%(quota)s, 1, %(holder)s, %(machine)s, %(process)s, %(since)s,
    clock_timestamp() + make_interval(secs => %(seconds)s))
ON CONFLICT (quota) DO UPDATE SET epoch = l.epoch + 1, holder = excluded.holder,
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
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


class Lease(NamedTuple):
    """A turn that was taken: nobody has had it since, as long as the epoch is this."""

    quota: bytes
    epoch: int


class Holder(NamedTuple):
    """Who has a turn: the name of a machine, what tells it from others, and a process of it."""

    host: str
    machine: str
    process: int
    since: str


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
    return Lease(quota, taken[0][0])


def is_taken(session: Session, quota: bytes) -> bool:
    """Has somebody the turn?"""
    found = session.query(
        "SELECT holder, machine, process, since FROM rdimport.lease"
        " WHERE quota = %s AND until > clock_timestamp()",
        (quota,),
    )
    return bool(found) and not is_gone(Holder(*found[0]), myself())


def myself() -> Holder:
    """This process, as others are told of it."""
    return Holder(socket.gethostname(), _machine(), os.getpid(), _begun(os.getpid()))


def is_gone(holder: Holder, me: Holder) -> bool:
    """Has a process of this very machine ended without letting go?"""
    if not me.machine or holder.machine != me.machine or sys.platform == "win32":
        return False
    try:
        os.kill(holder.process, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return _begun(holder.process) != holder.since  # its number went to another one


def _machine() -> str:
    """This start of this machine, and which of its processes can be seen from here."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _begun(process: int) -> str:
    try:
        told = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return told.rpartition(")")[2].split()[19]


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
