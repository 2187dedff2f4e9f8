"""The one catalogue of what can be wrong with a row: code, sentence, remedy.

A code never changes its meaning. Sentences may use `{field}`, `{column}`, `{value}`, `{detail}`.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from rdimport.row import Problem


class Reason(NamedTuple):
    """What happened, and what a person can do about it."""

    sentence: str
    remedy: str


REASONS: Final[dict[str, Reason]] = {
    "row.too_long": Reason(
        "the row has more cells than the header",
        "look for a delimiter inside a cell that is not quoted",
    ),
    "row.too_short": Reason(
        "the row has fewer cells than the header",
        "look for a line break inside a cell that is not quoted",
    ),
    "row.stray_quote": Reason(
        "a quotation mark in the row is never closed",
        "close or remove it",
    ),
}


def explain(problem: Problem) -> str:
    """The sentence for a problem; a code that is not in the catalogue speaks for itself."""
    reason = REASONS.get(problem.code)
    if reason is None:
        return problem.detail or problem.code
    return reason.sentence.format(**problem._asdict())


def remedy(code: str) -> str:
    """What to do about problems of that code; empty for a code that is not in the catalogue."""
    reason = REASONS.get(code)
    return reason.remedy if reason else ""
