"""Consistency checks common to all kinds of ledgers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, LiteralString

from rdimport.core.errors import Bug, ExitCode, LedgerError
from rdimport.core.messages import _, ngettext, untranslated
from rdimport.core.row import State
from rdimport.ledger.port import Ledger, Run
from rdimport.ledger.records import Found

Question = tuple[str, str, LiteralString]
"""A possible error, its table, and a query that counts it."""

NO_HASH: Final = untranslated("lines of `{table}` with an identity that is not a hash: {number}")
UNKNOWN_STATE: Final = untranslated("lines of `{table}` with an unknown state: {number}")

_COUNTED: Final = """
SELECT r.name, s.state, (SELECT coalesce(sum(rows), 0) FROM rdimport.tally t WHERE t.run = r.id
    AND t.state = s.state), (SELECT count(*) FROM rdimport.outcome o WHERE o.run = r.id
    AND o.state = s.state)
FROM rdimport.run r CROSS JOIN (SELECT 'invalid' AS state UNION ALL SELECT 'refused'
    UNION ALL SELECT 'uncertain') AS s WHERE r.forgotten_at IS NULL
"""
"""Counters of runs with personal data, and the corresponding numbers of rows."""


def strays(
    of_destination: Sequence[LiteralString], of_run: Sequence[LiteralString]
) -> list[Question]:
    """Queries for lines of these tables whose destination or run does not exist."""
    no_destination = untranslated("lines of `{table}` that belong to no destination: {number}")
    no_run = untranslated("lines of `{table}` that belong to no run: {number}")
    count: LiteralString = "SELECT count(*) FROM rdimport."
    known: LiteralString = " NOT IN (SELECT id FROM rdimport."
    return [
        *(
            (no_destination, of, f"{count}{of} WHERE destination{known}destination)")
            for of in of_destination
        ),
        *((no_run, of, f"{count}{of} WHERE run{known}run)") for of in of_run),
    ]


def looked_through(
    ledger: Ledger,
    questions: Sequence[Question],
    *,
    accepted: LiteralString,
    by_state: LiteralString,
) -> Found:
    """The contents of a ledger and its errors. `accepted` asks for the number of accepted
    conversions of each run, `by_state` for that of all conversions in each state.
    """
    with ledger.snapshot():
        if wrong := list(_errors(ledger, questions, accepted)):
            return Found(0, {}, "", wrong)
        ((runs,),) = ledger.ask("SELECT count(*) FROM rdimport.run", {})
        return Found(runs, dict(ledger.ask(by_state, {})), "".join(ledger.latest(1)), wrong)


def _errors(
    ledger: Ledger, questions: Sequence[Question], accepted: LiteralString
) -> Iterator[str]:
    for what, table, question in questions:
        ((found,),) = ledger.ask(question, {})
        if found:
            yield _(what, table=table, number=found)
    for name, state, counted, listed in ledger.ask(_COUNTED, {}):
        if counted != listed:
            yield _miscounted(name, int(counted), State(state), listed)
    known = dict(ledger.ask(accepted, {}))
    for number, name in ledger.ask("SELECT id, name FROM rdimport.run ORDER BY id", {}):
        yield from _sums(ledger.run(name), known.get(number, 0))


def _sums(run: Run, accepted: int) -> Iterator[str]:
    """Errors in a run's sums: counters must add up to its rows, and cover those `accepted`."""
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
        yield _miscounted(run.name, counts[State.ACCEPTED], State.ACCEPTED, accepted)


def _miscounted(run: str, counted: int, state: str, listed: int) -> str:
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
    """Damage in the ledger of a command that raised Bug: it may be the cause."""
    try:
        found = ledger.looked_through()
    except LedgerError as error:
        return error
    except Exception:  # noqa: BLE001  a ledger that cannot be searched is damaged
        return ledger.damaged(_("it cannot be searched"))
    return ledger.damaged("; ".join(found.wrong)) if found.wrong else None
