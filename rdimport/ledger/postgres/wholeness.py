"""Checks a shared ledger: sums that must agree. Its files are checked by the database."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rdimport.core.messages import _, untranslated
from rdimport.core.row import State
from rdimport.ledger.postgres.database import Database
from rdimport.ledger.records import Found
from rdimport.ledger.wholeness import miscounted, sums

_LINES: Final = (
    (
        untranslated("lines of `{table}` with an identity that is not a hash: {number}"),
        "conversion",
        "SELECT count(*) FROM rdimport.conversion WHERE length(identity) <> 16",
    ),
    (
        untranslated("lines of `{table}` with an identity that is not a hash: {number}"),
        "corrected",
        "SELECT count(*) FROM rdimport.corrected WHERE length(identity) <> 16",
    ),
    (
        untranslated("lines of `{table}` with an identity that is not a hash: {number}"),
        "outcome",
        "SELECT count(*) FROM rdimport.outcome WHERE length(identity) <> 16",
    ),
    (
        untranslated("lines of `{table}` with an unknown state: {number}"),
        "conversion",
        "SELECT count(*) FROM rdimport.conversion WHERE state NOT IN (0, 1, 2, 3, 9)",
    ),
    *(
        (
            untranslated("lines of `{table}` that belong to no destination: {number}"),
            table,
            (
                f"SELECT count(*) FROM rdimport.{table} WHERE destination NOT IN"  # noqa: S608
                " (SELECT id FROM rdimport.destination)"
            ),
        )
        for table in ("conversion", "run", "corrected")
    ),
    *(
        (
            untranslated("lines of `{table}` that belong to no run: {number}"),
            table,
            (
                f"SELECT count(*) FROM rdimport.{table} WHERE run NOT IN"  # noqa: S608
                " (SELECT id FROM rdimport.run)"
            ),
        )
        for table in ("conversion", "outcome", "tally", "minute", "input")
    ),
)
"""Possible errors, each with its table and a query that counts it."""

_COUNTED: Final = """
SELECT r.name, s.state, (SELECT coalesce(sum(rows), 0) FROM rdimport.tally t WHERE t.run = r.id
    AND t.state = s.state), (SELECT count(*) FROM rdimport.outcome o WHERE o.run = r.id
    AND o.state = s.state)
FROM rdimport.run r CROSS JOIN (VALUES ('invalid'), ('refused'), ('uncertain')) AS s(state)
WHERE r.forgotten_at IS NULL
"""
_STATES: Final = """
SELECT CASE state WHEN 1 THEN 'accepted' WHEN 3 THEN 'refused' ELSE 'uncertain' END, count(*)
FROM rdimport.conversion WHERE state <> 9 GROUP BY 1 ORDER BY 1
"""


def looked_through(ledger: Database) -> Found:
    """Check the whole ledger. A run may be active."""
    with ledger.snapshot():
        wrong = list(_wrong(ledger))
        if wrong:
            return Found(0, {}, "", wrong)
        ((runs,),) = ledger.query("SELECT count(*) FROM rdimport.run")
        states = dict(ledger.query(_STATES))
        last = ledger.latest(1)
    return Found(runs, states, last[0] if last else "", wrong)


def _wrong(ledger: Database) -> Iterator[str]:
    for what, table, question in _LINES:
        ((found,),) = ledger.query(question)
        if found:
            yield _(what, number=found, table=table)
    for name, state, counted, listed in ledger.query(_COUNTED):
        if counted != listed:
            yield miscounted(name, int(counted), State(state), listed)
    accepted = dict(
        ledger.query("SELECT run, count(*) FROM rdimport.conversion WHERE state = 1 GROUP BY run")
    )
    for number, name in ledger.query("SELECT id, name FROM rdimport.run ORDER BY id"):
        yield from sums(ledger.run(name), accepted.get(number, 0))
