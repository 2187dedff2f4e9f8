"""Guesses what the columns of a list contain, for both `init` and `check`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from polars import selectors

from rdimport.core.schemas import ORIGIN
from rdimport.prepare.clean.text import column
from rdimport.proposal import consent
from rdimport.proposal.evidence import gather
from rdimport.proposal.guess import candidates, of_lead
from rdimport.proposal.people import lead
from rdimport.proposal.vocabulary import Holds

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from rdimport.proposal.column_guess import Guess
    from rdimport.proposal.consent import Finding
    from rdimport.proposal.evidence import ColumnEvidence

SAMPLE_ROWS: Final = 1_000
"""Number of rows that are enough for a guess."""

_SAMPLE_CHARACTERS: Final = 1_000
"""Characters of a cell that are enough: the patterns take long to search millions."""


class Understood(NamedTuple):
    """The guesses and their statistics. `people` is a comment on whom they are about."""

    guesses: dict[str, Guess]
    evidence: dict[str, ColumnEvidence]
    findings: Sequence[Finding]
    people: str


def understand(columns: Sequence[str], sample: pl.DataFrame) -> Understood:
    """Guess from the headings and from some rows as returned by the reader."""
    rows = sample.head(SAMPLE_ROWS).drop([c for c in ORIGIN if c in sample.columns])
    rows = rows.with_columns(selectors.string().str.head(_SAMPLE_CHARACTERS))
    evidence = gather(rows.select(column(name) for name in columns))
    findings = consent.find(columns, rows, evidence)
    doubtful = {found.column for found in findings if found.says is not consent.Says.CONSENT}
    found = lead(candidates(columns, evidence), evidence)
    guesses = {
        name: one
        for name, one in of_lead(columns, found, evidence).items()
        if one.holds is not Holds.CONSENT or name not in doubtful
    }
    return Understood(guesses, evidence, findings, found.note(guesses.values()))
