"""Errors that stop a run. A bad row is not an error: it is a value in a table."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from enum import IntEnum
from typing import Self

from rdimport.core.visible import shown


class ExitCode(IntEnum):
    """The exit codes of the command; scripts and cron jobs rely on them."""

    DONE = 0
    """All rows are accepted, now or earlier, duplicates of such rows, or suppressed."""
    FAILED_ROWS = 1
    """Finished; some rows are invalid, refused or uncertain."""
    NOTHING_SENT = 2
    """Wrong usage, mapping or file, no key, or an incomplete installation."""
    STOPPED = 3
    """Stopped early; the same command continues."""
    BUG = 70
    """An error in rdimport itself (`EX_SOFTWARE` of sysexits.h); the ledger is correct."""
    BUSY = 75
    """Another run, or a purge, uses this ledger (`EX_TEMPFAIL` of sysexits.h)."""


class RdimportError(Exception):
    """Base class of all errors: what happened, what to do next, and the exit code.

    `message` names the file, row or column; `remedy` is an instruction. Neither contains the API
    key, and control characters in either are escaped.
    """

    exit_code: ExitCode = ExitCode.NOTHING_SENT
    summary: Mapping[str, object] | None = None
    """What is known about the run that it ended; None if no run had begun."""

    def __init__(self, message: str, remedy: str = "") -> None:
        self.message: str = shown(message)
        self.remedy: str = shown(remedy)
        super().__init__(self.message)

    def with_code(
        self, exit_code: ExitCode, remedy: str = "", summary: Mapping[str, object] | None = None
    ) -> Self:
        """A copy with another exit code, an additional remedy, and the run's `summary`."""
        same = copy(self)
        same.exit_code = exit_code
        same.summary = summary or self.summary
        same.remedy = "\n".join(filter(None, (self.remedy, remedy)))
        return same

    def __str__(self) -> str:
        return f"{self.message}\n{self.remedy}" if self.remedy else self.message


class Bug(Exception):  # noqa: N818  it says what it is
    """An internal contradiction: always exit code 70, with a traceback. Not an `RdimportError`, so
    that it is not mistaken for a user error.
    """


def is_unexpected(error: BaseException) -> bool:
    """Whether it is a bug, ours or a library's, and no request to end: an exception, or the panic
    of a Rust library, whose type cannot be imported and is no `Exception`.
    """
    return isinstance(error, Exception) or type(error).__name__ == "PanicException"


class UsageError(RdimportError):
    """Options that contradict each other, or a missing key."""


class KeyInNameError(UsageError):
    """An option or a name contains the key, so this error is recorded nowhere."""


class InstallationError(RdimportError):
    """A package, or a part of Python, is missing or cannot be loaded."""


class MappingError(RdimportError):
    """The mapping file is invalid, or does not fit the spreadsheet."""


class SourceError(RdimportError):
    """An input file cannot be read as a table."""


class LedgerError(RdimportError):
    """The ledger cannot record what would be sent, so nothing more is sent."""


class LedgerLostError(LedgerError):
    """The ledger has disappeared, was replaced, or lacks rows that were sent."""


class LedgerDamagedError(LedgerError):
    """The contents of the ledger are damaged."""


class LedgerBusyError(LedgerError):
    """Another run, or a purge, uses the ledger."""

    exit_code = ExitCode.BUSY


class OutputError(RdimportError):
    """The output of a command cannot be written."""


class ReportError(RdimportError):
    """A report cannot be written; the results of all rows are safe in the ledger."""

    exit_code = ExitCode.STOPPED
