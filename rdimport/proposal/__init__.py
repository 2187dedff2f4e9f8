"""A first mapping for a list, from its headings and values; a person confirms it.

Pure: column names and some rows in, the text of a mapping file out.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

from rdimport.core.row import ORIGIN
from rdimport.prepare.clean.text import column
from rdimport.proposal import consent
from rdimport.proposal.evidence import gather
from rdimport.proposal.guess import Guess, candidates, of_lead
from rdimport.proposal.people import lead
from rdimport.proposal.vocabulary import Holds
from rdimport.proposal.write import write

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl

SAMPLE_ROWS = 1_000
"""So many rows are enough to judge a column by."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A mapping file's text, and what it rests on.

    `missing` is a sentence where no column holds e-mail addresses: then the text names a column
    that is not there, and a person has to name the right one.
    """

    text: str
    guesses: dict[str, Guess]
    missing: str = ""


def propose(
    columns: Sequence[str],
    sample: pl.DataFrame,
    name: str,
    hints: Mapping[str, str | int | None] | None = None,
    look: str = "",
) -> Proposal:
    """Propose a mapping for the table `name` with these columns.

    `sample` are some of its rows as the reader gives them (`SAMPLE_ROWS` are enough); `hints`, keys
    of the mapping's `source`, are written down where they have a value; `look` is the command that
    shows what the mapping does.
    """
    rows = sample.head(SAMPLE_ROWS).drop([c for c in ORIGIN if c in sample.columns])
    evidence = gather(rows.select(column(name) for name in columns))
    findings = consent.find(columns, rows, evidence)
    doubtful = {found.column for found in findings if found.says is not consent.Says.CONSENT}
    found = lead(candidates(columns, evidence), evidence)
    guesses = {
        name: one
        for name, one in of_lead(columns, found, evidence).items()
        if one.holds is not Holds.CONSENT or name not in doubtful
    }
    people, shown = found.note(guesses.values()), PurePath(name).name
    text, has_email = write(
        columns,
        guesses,
        evidence,
        shown,
        hints or {},
        people=people,
        look=look,
        findings=findings,
    )
    missing = "" if has_email else f"{name}: no column seems to hold e-mail addresses."
    return Proposal(text, guesses, missing)
