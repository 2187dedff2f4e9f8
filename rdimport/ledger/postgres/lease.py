"""Leases of accounts and quotas. A lease provides order and quick recovery; it is the claim of a
row that prevents it from being sent twice.
"""

from __future__ import annotations

import sys
import time
from hashlib import blake2b
from typing import Final, NamedTuple

from rdimport.core.errors import LedgerBusyError
from rdimport.core.messages import _
from rdimport.ledger.holds import LeftPace
from rdimport.ledger.postgres.address import Address
from rdimport.ledger.postgres.connection import SILENCE
from rdimport.ledger.postgres.holder import Holder, is_gone, myself
from rdimport.ledger.postgres.session import Session
from rdimport.ledger.records import Lost

SECONDS: Final = 30.0
"""Seconds for which a lease lasts unless it is renewed."""

_EVERYBODY: Final = b""
"""The lease of a process that prevents all runs, also of new accounts, from beginning."""

_TAKE: Final = """
INSERT INTO rdimport.lease AS l (quota, epoch, holder, machine, process, since, until)
SELECT %(quota)s, nextval('rdimport.epoch'), %(holder)s, %(machine)s, %(process)s, %(since)s,
    clock_timestamp() + make_interval(secs => %(seconds)s)
WHERE NOT EXISTS (SELECT 1 FROM rdimport.lease WHERE quota = %(everybody)s
    AND until >= clock_timestamp() AND epoch <> ALL(%(dead)s::bigint[]))
ON CONFLICT (quota) DO UPDATE SET epoch = excluded.epoch, holder = excluded.holder,
    machine = excluded.machine, process = excluded.process, since = excluded.since,
    until = excluded.until
WHERE l.until < clock_timestamp() OR l.epoch = ANY(%(dead)s::bigint[])
RETURNING epoch
"""
_MAY_SEE: Final = "SELECT has_table_privilege('pg_stat_activity', 'SELECT')"
_END_SESSIONS: Final = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()
    AND usename = current_user AND application_name = %s AND pid <> pg_backend_pid()
"""
WHOSE: Final = 8
"""Length in bytes of the part of a stored pace that identifies its destination."""

_LEFT: Final = """
SELECT standing, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint,
    (SELECT (extract(epoch FROM max(w.claimed)) * 1000000)::bigint FROM rdimport.destination d
    JOIN rdimport.run r ON r.destination = d.id JOIN rdimport.written w ON w.run = r.id
    WHERE d.identity = %s)
FROM rdimport.lease WHERE quota = %s
"""
WARY: Final = 15 * 60.0
"""Seconds for which `--resend uncertain` does not apply to the rows of a lost process."""

_LOST: Final = """
SELECT r.name, l.holder, l.machine, l.process, l.since,
    extract(epoch FROM clock_timestamp() - l.at)::bigint
FROM rdimport.lost l JOIN rdimport.run r USING (epoch) JOIN rdimport.destination d
    ON d.id = r.destination AND d.identity = %s
WHERE l.at > clock_timestamp() - make_interval(secs => %s) AND (EXISTS (
    SELECT 1 FROM rdimport.in_flight f WHERE f.run = r.id) OR EXISTS (
    SELECT 1 FROM rdimport.conversion c WHERE c.destination = r.destination AND c.run = r.id
    AND c.state = 2 AND c.problems IS NOT NULL))
ORDER BY l.at DESC
"""


def boottime() -> float:
    """Seconds since boot. On Linux this includes suspension (clock_gettime(2), CLOCK_BOOTTIME)."""
    if sys.platform == "linux":
        now = time.clock_gettime(time.CLOCK_BOOTTIME)
    else:
        now = time.monotonic()
    return now


class Lease(NamedTuple):
    """A lease that was taken. As long as its epoch is stored, no other process has had it since."""

    quota: bytes
    epoch: int


_ABANDONED: Final[set[tuple[Address, Lease]]] = set()
"""Leases that this process no longer needs, and could not release."""


def leave(address: Address, lease: Lease) -> None:
    """Let this process take a lease again at once that could not be released: nobody holds it."""
    _ABANDONED.add((address, lease))


def _is_free(address: Address, lease: Lease, holder: Holder) -> bool:
    """Whether a lease that still lasts has no holder any more."""
    return (address, lease) in _ABANDONED or is_gone(holder, myself())


def take(session: Session, quota: bytes, account: str, *, pace: bool = False) -> Lease:
    """Take the lease of an account or, with `pace`, of the quota of its key.

    Raises LedgerBusyError, naming the holder, if it is taken or all runs are prevented.
    """
    found = session.query(
        "SELECT quota, epoch, holder, machine, process, since, until > clock_timestamp()"
        " FROM rdimport.lease WHERE quota = ANY(%s)",
        ([quota, _EVERYBODY],),
    )
    me = myself()
    before: dict[bytes, tuple[int, Holder]] = {}
    for whose, epoch, *had, lasts in found:
        holder = Holder(*had)
        if lasts and not _is_free(session.address, Lease(whose, epoch), holder):
            raise _busy(session.address, account, holder, pace=pace)
        before[whose] = epoch, holder
    taken = session.change(
        _TAKE,
        {
            "quota": quota,
            "everybody": _EVERYBODY,
            "holder": me.host,
            "machine": me.machine,
            "process": me.process,
            "since": me.since,
            "seconds": SECONDS,
            "dead": [epoch for epoch, _holder in before.values()],
        },
    )
    if not taken:
        raise _busy(session.address, account, None, pace=pace)
    if quota in before:
        epoch, holder = before[quota]
        _ABANDONED.discard((session.address, Lease(quota, epoch)))
        _end_sessions(session, holder)
        _note_lost(session, epoch, holder, me)
    return Lease(quota, taken[0][0])


def _note_lost(session: Session, epoch: int, holder: Holder, me: Holder) -> None:
    """Record a holder that did not release its lease, and may come back."""
    if holder.host and holder != me and not is_gone(holder, me):
        session.change(
            "INSERT INTO rdimport.lost VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
            (epoch, *holder),
        )


def lost_lately(session: Session, destination: str) -> Lost | None:
    """The run of a destination whose process was lost last, if it may still send rows: within
    `WARY` seconds, and unless the process is known to have ended.
    """
    found = session.query(_LOST, (destination, WARY))
    me = myself()
    for name, host, machine, process, since, seconds in found:
        if not is_gone(Holder(host, machine, process, since), me):
            return Lost(name, host, process, WARY - seconds)
    return None


def _end_sessions(session: Session, holder: Holder) -> None:
    """Terminate the connections of a holder that did not release its lease: frozen within a
    transaction, it would keep its rows locked. If it comes back, it connects again. Does nothing
    where this user may not see the connections.
    """
    if holder.host and holder != myself() and session.query(_MAY_SEE)[0][0]:
        session.query(_END_SESSIONS, (holder.name,))


def what_is_left(session: Session, quota: bytes, destination: str) -> LeftPace | None:
    """The pace stored by the previous holder, for a run of a destination."""
    ((kept, now, claimed),) = session.query(_LEFT, (destination, quota))
    if kept is None:
        return None
    ago = max(0.0, (now - int.from_bytes(kept[:8], "big", signed=True)) / 1e6)
    mine = kept.startswith(whose(destination), 8)
    since = max(0.0, (now - claimed) / 1e6) if mine and claimed is not None else None
    return LeftPace(kept[8 + WHOSE :], ago, since)


def whose(destination: str) -> bytes:
    """Identifies whose pace is stored: two accounts with one key take turns with the quota."""
    return blake2b(destination.encode(), digest_size=WHOSE).digest()


def seize(session: Session, quota: bytes) -> Lease:
    """Take a lease over without holding it: for a caller that holds the account by other means,
    and only needs an epoch of its own.
    """
    found = session.change(
        "INSERT INTO rdimport.lease AS l (quota, epoch, holder, machine, process, since, until)"
        " VALUES (%s, nextval('rdimport.epoch'), '', '', 0, '', '-infinity')"
        " ON CONFLICT (quota) DO UPDATE SET epoch = excluded.epoch RETURNING epoch",
        (quota,),
    )
    return Lease(quota, found[0][0])


def take_all(session: Session) -> list[Lease] | None:
    """Take all leases, and the one that prevents runs of new accounts; the caller must renew them.
    Returns None, and takes none, if any is held.
    """
    me, address = myself(), session.address
    with session.transaction(SILENCE) as db:
        db.execute("LOCK TABLE rdimport.lease IN SHARE ROW EXCLUSIVE MODE")  # none can be taken
        had = db.execute(
            "SELECT quota, epoch, holder, machine, process, since FROM rdimport.lease"
            " WHERE until > clock_timestamp()"
        ).fetchall()
        if not all(_is_free(address, Lease(*one[:2]), Holder(*one[2:])) for one in had):
            return None
        db.execute(
            "INSERT INTO rdimport.lease (quota, epoch, holder, machine, process, since, until)"
            " VALUES (%s, 0, '', '', 0, '', '-infinity') ON CONFLICT DO NOTHING",
            (_EVERYBODY,),
        )
        taken = db.execute(
            "UPDATE rdimport.lease SET epoch = nextval('rdimport.epoch'), holder = %s,"
            " machine = %s, process = %s, since = %s,"
            " until = clock_timestamp() + make_interval(secs => %s) RETURNING quota, epoch",
            (*me, SECONDS),
        ).fetchall()
    return [Lease(*one) for one in taken]


def is_taken(session: Session, quota: bytes) -> bool:
    """Whether a lease is held."""
    found = session.query(
        "SELECT epoch, holder, machine, process, since FROM rdimport.lease"
        " WHERE quota = %s AND until > clock_timestamp()",
        (quota,),
    )
    return any(
        not _is_free(session.address, Lease(quota, epoch), Holder(*had)) for epoch, *had in found
    )


def _busy(address: Address, account: str, holder: Holder | None, *, pace: bool) -> LedgerBusyError:
    run = _("another run that has just started")
    if holder is not None:
        run = _("a run on {host} (process {process})", host=holder.host, process=holder.process)
    where = address.shown
    if pace:
        message = _(
            "The quota of account “{account}”, shared by all accounts with its API key, is in use: "
            "by {run}, in the ledger {where}.",
            account=account,
            run=run,
            where=where,
        )
    else:
        message = _(
            "Account “{account}” is in use: by {run}, in the ledger {where}.",
            account=account,
            run=run,
            where=where,
        )
    return LedgerBusyError(
        message,
        _(
            "Nothing was sent. Wait for it, or try again later: exit code 75 tells cron so. "
            "A machine that was switched off releases it within half a minute."
        ),
    )
