"""What follows the end of a job: nothing, a retry, or a person."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Final, NamedTuple

from rdimport.core.errors import ExitCode, LedgerDamagedError, LedgerError, LedgerLostError
from rdimport.core.stop import StopReason

_SOON: Final = timedelta(minutes=1)
_WHEN_RD_TAKES_ROWS: Final = timedelta(minutes=5)
_AGAIN_AFTER: Final[dict[str, timedelta]] = {
    StopReason.LEASE: _SOON,
    StopReason.ENDPOINT_DOWN: _WHEN_RD_TAKES_ROWS,
    StopReason.ENDPOINT_UNCLEAR: _WHEN_RD_TAKES_ROWS,
    StopReason.ACCOUNT_QUOTA: _WHEN_RD_TAKES_ROWS,
}
_UNTIL_ITS_TURN: Final = frozenset({StopReason.MAX_DURATION, StopReason.LIMIT, StopReason.CANARY})
"""The job continues when it is next due."""


@dataclass(frozen=True, slots=True)
class JobEnd:
    """How a run of a job ended: `stopped_by` is why it stopped early, `error` what it raised."""

    code: ExitCode
    stopped_by: str | None = None
    resume_at: datetime | None = None
    error: Exception | None = None


class Next(Enum):
    """Who acts next."""

    NOBODY = "nobody"
    AGAIN = "again"
    PERSON = "person"
    REST = "rest"
    """The account is paused until a person has checked its ledger."""


class After(NamedTuple):
    """What follows, and for AGAIN when."""

    next: Next
    at: datetime | None = None


def following(end: JobEnd, now: datetime, *, taken_away: bool = False) -> After:
    """Decide what follows. `taken_away`: the worker drains, or the account was paused."""
    if isinstance(end.error, LedgerLostError | LedgerDamagedError):
        return After(Next.REST)
    if end.code is ExitCode.BUSY or isinstance(end.error, LedgerError):
        return After(Next.AGAIN, now + _SOON)  # the database will be back
    if end.code is ExitCode.STOPPED:
        return After(Next.AGAIN, now) if taken_away else _stopped(end, now)
    fine = end.code in (ExitCode.DONE, ExitCode.FAILED_ROWS)
    return After(Next.NOBODY if fine else Next.PERSON)


def _stopped(end: JobEnd, now: datetime) -> After:
    """Decide what follows a run that stopped by itself."""
    if end.resume_at is not None:
        return After(Next.AGAIN, max(end.resume_at, now))
    wait = _AGAIN_AFTER.get(end.stopped_by or "")
    if wait is not None:
        return After(Next.AGAIN, now + wait)
    return After(Next.NOBODY if end.stopped_by in _UNTIL_ITS_TURN else Next.PERSON)
