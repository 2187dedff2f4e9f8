"""Checks a ledger: SQLite's own check of the file, and sums that must agree."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

from rdimport.core.messages import _, untranslated
from rdimport.core.row import State
from rdimport.ledger.records import Found
from rdimport.ledger.sqlite.database import LedgerFile
from rdimport.ledger.wholeness import miscounted, sums

_STATES: Final = json.dumps([str(state) for state in State])

_LINES: Final = (
    (
        untranslated("lines of `{table}` with an identity that is not a hash: {number}"),
        "posted",
        "SELECT count(*) FROM posted WHERE typeof(identity) <> 'blob' OR length(identity) <> 16",
    ),
    (
        untranslated("lines of `{table}` with an identity that is not a hash: {number}"),
        "corrected",
        "SELECT count(*) FROM corrected WHERE typeof(identity) <> 'blob' OR length(identity) <> 16",
    ),
    (
        untranslated("lines of `{table}` with an identity that is not a hash: {number}"),
        "outcome",
        (
            "SELECT count(*) FROM outcome WHERE identity IS NOT NULL"
            " AND (typeof(identity) <> 'blob' OR length(identity) <> 16)"
        ),
    ),
    *(
        (
            untranslated("lines of `{table}` that belong to no destination: {number}"),
            table,
            f"SELECT count(*) FROM {table} WHERE destination NOT IN (SELECT id FROM destination)",  # noqa: S608
        )
        for table in ("posted", "run", "corrected")
    ),
    (
        untranslated("lines of `{table}` with unreadable facts: {number}"),
        "run",
        (
            "SELECT count(*) FROM run WHERE NOT json_valid(facts)"
            " OR json_type(CASE WHEN json_valid(facts) THEN facts END, '$.account') IS NOT 'text'"
        ),
    ),
    (
        untranslated("lines of `{table}` with unreadable cells or problems: {number}"),
        "outcome",
        (
            "SELECT count(*) FROM outcome"
            " WHERE NOT (json_valid(cells) AND json_valid(problems) AND json_valid(warnings))"
        ),
    ),
    *(
        (
            untranslated("lines of `{table}` that belong to no run: {number}"),
            table,
            f"SELECT count(*) FROM {table} WHERE run NOT IN (SELECT id FROM run)",  # noqa: S608
        )
        for table in ("posted", "daybook", "sending", "outcome", "tally", "minute", "input")
    ),
    *(
        (
            untranslated("lines of `{table}` with an unknown state: {number}"),
            table,
            (
                f"SELECT count(*) FROM {table} WHERE state NOT IN"  # noqa: S608
                f" (SELECT value FROM json_each('{_STATES}'))"
            ),
        )
        for table in ("posted", "outcome", "tally")
    ),
)
"""Possible errors, each with its table and a query that counts it."""

_COUNTED: Final = """
SELECT r.name, s.value, (SELECT coalesce(sum(rows), 0) FROM tally t WHERE t.run = r.id
    AND t.state = s.value), (SELECT count(*) FROM outcome o WHERE o.run = r.id
    AND o.state = s.value)
FROM run r CROSS JOIN json_each('["invalid", "refused", "uncertain"]') s
WHERE r.forgotten_at IS NULL
"""
"""Counters of runs with personal data, and the corresponding numbers of rows."""


def looked_through(ledger: LedgerFile) -> Found:
    """Check the whole ledger. A run may be active. Raises LedgerDamagedError if it cannot even be
    read.
    """
    wrong = [str(said) for (said,) in ledger.query("PRAGMA integrity_check(5)") if said != "ok"]
    if not wrong:
        ledger.query("BEGIN")  # all queries see the same moment
        wrong = list(_wrong(ledger))
        ledger.query("COMMIT")
    if wrong:
        return Found(0, {}, "", wrong)
    ((runs,),) = ledger.query("SELECT count(*) FROM run")
    states = ledger.query("SELECT state, count(*) FROM conversion GROUP BY state ORDER BY state")
    return Found(runs, dict(states), last_run(ledger) or "", wrong)


def last_run(ledger: LedgerFile) -> str | None:
    """The name of the latest run."""
    found = ledger.query("SELECT name FROM run ORDER BY id DESC LIMIT 1")
    return found[0][0] if found else None


def _wrong(ledger: LedgerFile) -> Iterator[str]:
    for what, table, question in _LINES:
        ((found,),) = ledger.query(question)
        if found:
            yield _(what, table=table, number=found)
    for name, state, counted, listed in ledger.query(_COUNTED):
        if counted != listed:
            yield miscounted(name, counted, state, listed)
    accepted = dict(
        ledger.query("SELECT run, count(*) FROM conversion WHERE state = 'accepted' GROUP BY run")
    )
    for number, name in ledger.query("SELECT id, name FROM run ORDER BY id"):
        yield from sums(ledger.run(name), accepted.get(number, 0))
