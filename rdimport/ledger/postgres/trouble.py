"""Turns errors of the database and of the connection to it into LedgerErrors with a remedy."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psycopg
from psycopg import errors

from rdimport.core.errors import (
    ExitCode,
    LedgerBusyError,
    LedgerDamagedError,
    LedgerError,
    LedgerLostError,
)
from rdimport.core.messages import _
from rdimport.ledger.postgres.address import Address

_BUSY: Final = (errors.LockNotAvailable, errors.TooManyConnections, errors.DeadlockDetected)
_ENDS: Final = (
    errors.ReadOnlySqlTransaction,
    errors.IdleInTransactionSessionTimeout,
    errors.TransactionTimeout,
)
_DAMAGE: Final = (errors.DataCorrupted, errors.IndexCorrupted)
NOT_THERE: Final = (
    errors.UndefinedTable,
    errors.UndefinedColumn,
    errors.UndefinedFunction,
    errors.UndefinedObject,
    errors.InvalidSchemaName,
)
"""Tables are missing, or are those of another release."""

_BEGINNING: Final = re.compile(
    r"^(?:connection\s(?:failed|is\sbad):\s|consuming\sinput\sfailed:\s|sending\squery\sfailed:\s)*"
    r"(?:connection\sto\sserver\s(?:at|on\ssocket)\s.*?\sfailed:\s)?"
)
_UNKNOWN_HOST: Final = re.compile(r"^(?:connection\s\w+:\s)?failed\sto\sresolve\shost\s")
"""What libpq and psycopg say first."""

_RIGHTS: Final = (errors.InsufficientPrivilege, errors.InvalidAuthorizationSpecification)


class CutOffError(LedgerError):
    """The database cannot be reached, or the connection broke. It may come back."""

    exit_code = ExitCode.STOPPED


class NotWhereItWasError(CutOffError):
    """A write of a run was done before, or the timeline of the database has changed."""


class NotReplicatedError(LedgerError):
    """The database warned at a commit: it may be lost after a failover."""

    exit_code = ExitCode.STOPPED


class LeaseLostError(LedgerBusyError):
    """Another process has taken over the account."""


@contextmanager
def explained(address: Address) -> Iterator[None]:
    """Turn errors of psycopg into a LedgerError that names the ledger."""
    try:
        yield
    except psycopg.Error as error:
        raise as_ledger_error(address, error) from error


def as_ledger_error(address: Address, error: psycopg.Error) -> LedgerError:
    """The LedgerError for an error of psycopg."""
    why, where = said(error), address.shown
    if isinstance(error, NOT_THERE):
        return LedgerError(
            _(
                "The database {where} holds no ledger of this release: {said}.",
                where=where,
                said=why,
            ),
            _("Type: rdimport fleet init --ledger {where}", where=where),
        )
    if isinstance(error, _DAMAGE):
        return damaged(address, why)
    if isinstance(error, _RIGHTS):
        return LedgerError(
            _("Access to the ledger {where} was denied: {said}.", where=where, said=why),
            _(
                "Ask whoever runs the database for this permission, and for that to use the "
                "schemas `rdimport` and `rdimport_queue`, which `rdimport fleet init` creates "
                "unless they exist."
            ),
        )
    if isinstance(error, _BUSY):
        return LedgerBusyError(
            _("The ledger {where} is in use: {said}.", where=where, said=why),
            _("Try again later: exit code 75 tells cron so."),
        )
    if is_cut_off(error):
        return _cut_off(address, error)
    unusable = LedgerError(
        _("The ledger {where} cannot be used: {said}.", where=where, said=why),
        _("No row is sent that cannot be recorded. Run the same command again once it works."),
    )
    lacks_resources = (error.sqlstate or "").startswith("53")  # such as a full disk
    return unusable.with_code(ExitCode.STOPPED) if lacks_resources else unusable


def _cut_off(address: Address, error: psycopg.Error) -> CutOffError:
    if isinstance(error, errors.ReadOnlySqlTransaction):
        return _read_only(address, said(error))
    return CutOffError(
        _("The ledger {where} cannot be reached: {said}.", where=address.shown, said=said(error)),
        _(
            "No row is sent that cannot be recorded. Once the database responds again, "
            "run the same command: it continues."
        ),
    )


def damaged(address: Address, said: str) -> LedgerDamagedError:
    """The error for a damaged ledger."""
    return LedgerDamagedError(
        _("The ledger {where} is damaged: {said}.", where=address.shown, said=said),
        _("Nothing is sent from it. Ask whoever runs the database to restore it."),
    )


def too_old(address: Address, release: str, oldest: int) -> LedgerError:
    """The error for a server of an earlier release than the oldest that can be used."""
    return LedgerError(
        _(
            "The database {where} cannot hold the ledger: its server is PostgreSQL {release}, and "
            "rdimport needs {oldest} or later.",
            where=address.shown,
            release=release,
            oldest=oldest,
        ),
        _("Ask whoever runs it to upgrade it, or use another server."),
    )


def why_read_only(address: Address, is_standby: bool, source: str | None) -> CutOffError | None:
    """The error for a server that cannot be written to, because it is a standby or because a
    setting from that `source` (a word of `pg_settings`) forbids it; None if it can.
    """
    if is_standby:
        remedy = _("Name its primary with --ledger; a standby is enough for `status` and `report`.")
        return _read_only(address, _("it is a standby"), remedy)
    if source is None:
        return None
    return _read_only(
        address,
        _("default_transaction_read_only is on (a setting of: {source})", source=source),
        _(
            "Ask whoever runs the database why; some services set this while its disk is full. "
            "ALTER ROLE … RESET or ALTER DATABASE … RESET ends it. Until then only commands that "
            "change nothing work, such as `status` and `report`."
        ),
    )


def _read_only(address: Address, why: str, remedy: str | None = None) -> CutOffError:
    message = _("The ledger {where} is read-only: {said}.", where=address.shown, said=why)
    return CutOffError(
        message, remedy or _("Run the same command again once it can be written to.")
    )


def not_where_it_was(address: Address) -> NotWhereItWasError:
    """The error for a write that is not the next one of its run."""
    return NotWhereItWasError(
        _(
            "The ledger {where} cannot be reached: {said}.",
            where=address.shown,
            said=_("it is not where it was"),
        )
    )


def taken_over(address: Address) -> LeaseLostError:
    """The error for an account that was taken over before this run began to send."""
    return LeaseLostError(
        _("The ledger {where} has given the account to another run.", where=address.shown),
        _("Nothing was sent. Try again later: exit code 75 tells cron so."),
    )


def is_cut_off(error: psycopg.Error) -> bool:
    """Whether the connection broke or the server is not available, as opposed to a failed statement
    (SQLSTATE classes 08 and 57, what ends a connection, and 25006: a standby).
    """
    if isinstance(error, _ENDS):
        return True
    state = error.sqlstate
    return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError) and (
        state is None or state[:2] in ("08", "57")
    )


def not_replicated(address: Address, warnings: list[str]) -> NotReplicatedError:
    """The error for a commit that a standby may not have."""
    return NotReplicatedError(
        _(
            "The ledger {where} recorded a change, but with a warning: {said}. After a "
            "failover the change may be lost, so the rows that depend on it were not sent.",
            where=address.shown,
            said="; ".join(warnings),
        ),
        _("Check the database's standby, then run the same command again: it continues."),
    )


def timeline_changed(address: Address, noted: str, now: str) -> LedgerLostError:
    """The error for a changed timeline."""
    return LedgerLostError(
        _(
            "The ledger {where} was restored, or another server has taken its place "
            "(timeline {now}, not {noted}), and no run that was in progress then has found "
            "its last record in it. It may not know of rows that were sent, and they would "
            "be sent again.",
            where=address.shown,
            now=now,
            noted=noted,
        ),
        _(
            "Find out whether the promoted standby was a synchronous one, or how much of "
            "the log is missing. If nothing is missing: rdimport ledger accept --ledger "
            "{where}",
            where=address.shown,
        ),
    )


def restored(address: Address) -> LedgerLostError:
    """The error for tables that are a copy."""
    return LedgerLostError(
        _(
            "The ledger {where} is a copy, restored from a backup or moved from another database. "
            "It may not know of rows that were sent since that copy was made, and they would be "
            "sent again.",
            where=address.shown,
        ),
        _(
            "Use the database that it was copied from, or find out in RD Station who has "
            "arrived since then. If no row was sent since then: rdimport ledger accept "
            "--ledger {where}",
            where=address.shown,
        ),
    )


def notes_lost(address: Address, run: str) -> LedgerLostError:
    """The error of a run that did not find its own acknowledged record."""
    return LedgerLostError(
        _(
            "The ledger {where} has lost what run {run} had recorded in it: rows were sent "
            "that it does not know of. All accounts stop.",
            where=address.shown,
            run=run,
        ),
        _(
            "This happens after a failover to a standby that was not synchronous, after a backup "
            "was restored, or where the database was made anew. Restore its latest state, or look "
            "in RD Station which people arrived; then: rdimport ledger accept --ledger {where}",
            where=address.shown,
        ),
    )


def said(error: BaseException) -> str:
    """The first line of an error, as a part of a sentence, which names the ledger already: without
    what libpq and psycopg say of the server's place.
    """
    lines = str(error).strip().splitlines()
    if not lines:
        return type(error).__name__
    if _UNKNOWN_HOST.match(lines[0]):
        return _("the name is not known")
    return _BEGINNING.sub("", lines[0]).rstrip(".")
