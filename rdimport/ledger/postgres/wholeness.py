"""Checks a shared ledger: sums that must agree. Its files are checked by the database."""

from __future__ import annotations

from typing import Final

from rdimport.ledger.wholeness import NO_HASH, UNKNOWN_STATE, strays

ACCEPTED: Final = "SELECT run, count(*) FROM rdimport.conversion WHERE state = 1 GROUP BY run"

QUESTIONS: Final = (
    *(
        (NO_HASH, table, f"SELECT count(*) FROM rdimport.{table} WHERE length(identity) <> 16")  # noqa: S608
        for table in ("conversion", "corrected", "outcome")
    ),
    (
        UNKNOWN_STATE,
        "conversion",
        "SELECT count(*) FROM rdimport.conversion WHERE state NOT IN (0, 1, 2, 3, 9)",
    ),
    *strays(
        ("conversion", "run", "corrected"), ("conversion", "outcome", "tally", "minute", "input")
    ),
)
BY_STATE: Final = """
SELECT CASE state WHEN 1 THEN 'accepted' WHEN 3 THEN 'refused' ELSE 'uncertain' END, count(*)
FROM rdimport.conversion WHERE state <> 9 GROUP BY 1 ORDER BY 1
"""
