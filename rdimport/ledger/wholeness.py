"""Is a ledger whole? What each kind of ledger tells, and what must agree in all of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from rdimport.core.errors import Bug, ExitCode, LedgerError
from rdimport.core.messages import _
from rdimport.core.row import State

if TYPE_CHECKING:
    from rdimport.ledger.port import Ledger, Run


class Found(NamedTuple):
    """What a ledger holds, and what is wrong with it: nothing when it is whole."""

    runs: int
    conversions: dict[str, int]
    last: str
    wrong: list[str]


def sums(run: Run, accepted: int) -> Iterator[str]:
    """What is wrong with a run's sums: what it counts must add up to its rows, and it must have
    counted those that are known as `accepted`.
    """
    try:
        counts = run.counts()
    except Bug:
        yield f"run {run.name} counts more outcomes than rows"
        return
    left = counts[State.PENDING]
    if left and run.facts().exit_code in (ExitCode.DONE, ExitCode.FAILED_ROWS):
        yield f"run {run.name} came to its end, and {left} of its rows did not"
    if accepted > counts[State.ACCEPTED]:
        yield (
            f"run {run.name} counts {counts[State.ACCEPTED]} rows as accepted, and lists {accepted}"
        )


def damage_in(ledger: Ledger) -> LedgerError | None:
    """What is wrong with the ledger of a command that met a bug: then it may be no bug at all."""
    try:
        found = ledger.looked_through()
    except LedgerError as error:
        return error
    except Exception:  # noqa: BLE001  what cannot be looked through is not whole
        return ledger.damaged(_("it cannot be looked through"))
    return ledger.damaged("; ".join(found.wrong)) if found.wrong else None
