"""Consistency checks common to all kinds of ledgers."""

from __future__ import annotations

from collections.abc import Iterator

from rdimport.core.errors import Bug, ExitCode, LedgerError
from rdimport.core.messages import _, ngettext
from rdimport.core.row import State
from rdimport.ledger.port import Ledger, Run


def sums(run: Run, accepted: int) -> Iterator[str]:
    """Errors in a run's sums: its counters must add up to its rows and cover those known as
    `accepted`.
    """
    try:
        counts = run.counts()
    except Bug:
        yield _("run {run} counts more outcomes than rows", run=run.name)
        return
    left = counts[State.PENDING]
    if left and run.facts().exit_code in (ExitCode.DONE, ExitCode.FAILED_ROWS):
        yield ngettext(
            "run {run} finished, and {number} of its rows did not",
            "run {run} finished, and {number} of its rows did not",
            left,
            run=run.name,
        )
    if accepted > counts[State.ACCEPTED]:
        yield miscounted(run.name, counts[State.ACCEPTED], State.ACCEPTED, accepted)


def miscounted(run: str, counted: int, state: str, listed: int) -> str:
    """The message for counters that differ from the listed rows."""
    return ngettext(
        "run {run} counts {number} row as {state}, and lists {listed}",
        "run {run} counts {number} rows as {state}, and lists {listed}",
        counted,
        run=run,
        state=state,
        listed=listed,
    )


def damage_in(ledger: Ledger) -> LedgerError | None:
    """Damage in the ledger of a command that met a bug, which may then not be one."""
    try:
        found = ledger.looked_through()
    except LedgerError as error:
        return error
    except Exception:  # noqa: BLE001  what cannot be looked through is not whole
        return ledger.damaged(_("it cannot be searched"))
    return ledger.damaged("; ".join(found.wrong)) if found.wrong else None
