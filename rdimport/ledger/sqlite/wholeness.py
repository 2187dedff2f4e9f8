"""Checks a ledger: SQLite's own check of the file, and sums that must agree."""

from __future__ import annotations

import json
from typing import Final

from rdimport.core.messages import untranslated
from rdimport.core.row import State
from rdimport.ledger import wholeness
from rdimport.ledger.records import Found
from rdimport.ledger.sqlite.database import LedgerFile
from rdimport.ledger.wholeness import NO_HASH, UNKNOWN_STATE, strays

_STATES: Final = json.dumps([str(state) for state in State])
_ACCEPTED: Final = "SELECT run, count(*) FROM conversion WHERE state = 'accepted' GROUP BY run"
_BY_STATE: Final = "SELECT state, count(*) FROM conversion GROUP BY state ORDER BY state"

_QUESTIONS: Final = (
    *(
        (
            NO_HASH,
            table,
            (
                f"SELECT count(*) FROM {table} WHERE identity IS NOT NULL"  # noqa: S608
                " AND (typeof(identity) <> 'blob' OR length(identity) <> 16)"
            ),
        )
        for table in ("posted", "corrected", "outcome")
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
            UNKNOWN_STATE,
            table,
            (
                f"SELECT count(*) FROM {table} WHERE state NOT IN"  # noqa: S608
                f" (SELECT value FROM json_each('{_STATES}'))"
            ),
        )
        for table in ("posted", "outcome", "tally")
    ),
    *strays(
        ("posted", "run", "corrected"),
        ("posted", "daybook", "sending", "outcome", "tally", "minute", "input"),
    ),
)


def looked_through(ledger: LedgerFile) -> Found:
    """See `port.Ledger`."""
    wrong = [
        str(message) for (message,) in ledger.query("PRAGMA integrity_check(5)") if message != "ok"
    ]
    if wrong:
        return Found(0, {}, "", wrong)
    return wholeness.looked_through(ledger, _QUESTIONS, accepted=_ACCEPTED, by_state=_BY_STATE)
