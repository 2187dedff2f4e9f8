"""What stops a run. A bad row is never one of these: it is a value in a table."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from enum import IntEnum
from typing import Self

from rdimport.core.visible import shown


class ExitCode(IntEnum):
    """What the command says to the shell; scripts and cron jobs rely on it."""

    DONE = 0
    """Every row was accepted now or earlier, was a duplicate of such a row, or was suppressed."""
    FAILED_ROWS = 1
    """Finished; some rows are invalid, refused or uncertain."""
    NOTHING_SENT = 2
    """Wrong usage, mapping, file, or no key."""
    STOPPED = 3
    """Stopped before the end; the same command again goes on."""
    BUG = 70
    """A mistake of rdimport's own (`EX_SOFTWARE` of sysexits.h); the ledger is right."""
    BUSY = 75
    """Another run, or a purge, holds this ledger (`EX_TEMPFAIL` of sysexits.h)."""


class RdimportError(Exception):
    """The one base: what happened, what to do next, and the exit code that says so.

    `message` names the file, row or column; `remedy` is an instruction. Neither ever holds the
    API key, and neither holds anything that steers a terminal: what comes from outside is shown.
    """

    exit_code: ExitCode = ExitCode.NOTHING_SENT
    summary: Mapping[str, object] | None = None
    """What is known of the run that it ended; None where none had begun."""

    def __init__(self, message: str, remedy: str = "") -> None:
        self.message: str = shown(message)
        self.remedy: str = shown(remedy)
        super().__init__(self.message)

    def with_code(
        self, exit_code: ExitCode, remedy: str = "", summary: Mapping[str, object] | None = None
    ) -> Self:
        """The same error with another exit code, one more thing to do, and its run's `summary`."""
        same = copy(self)
        same.exit_code = exit_code
        same.summary = summary or self.summary
        same.remedy = "\n".join(filter(None, (self.remedy, remedy)))
        return same

    def __str__(self) -> str:
        return f"{self.message}\n{self.remedy}" if self.remedy else self.message


class Bug(Exception):  # noqa: N818  it says what it is
    """rdimport contradicts itself: always exit code 70, with the stack. Not an `RdimportError`, so
    that it is not mistaken for a user error.
    """


class UsageError(RdimportError):
    """Options that do not fit together, or a key that is not there."""


class MappingError(RdimportError):
    """The mapping file is wrong, or does not fit the spreadsheet."""


class SourceError(RdimportError):
    """An input file cannot be read as a table."""


class LedgerError(RdimportError):
    """The ledger cannot record what would be sent, so nothing more is sent."""


class LedgerLostError(LedgerError):
    """The ledger vanished, was replaced, or knows less than was sent."""


class LedgerDamagedError(LedgerError):
    """What is in the ledger cannot be trusted."""


class LedgerBusyError(LedgerError):
    """Another run, or a purge, holds the ledger."""

    exit_code = ExitCode.BUSY


class OutputError(RdimportError):
    """What a command has to say cannot be written."""


class ReportError(RdimportError):
    """A report cannot be written; what became of every row is safe in the ledger."""

    exit_code = ExitCode.STOPPED
