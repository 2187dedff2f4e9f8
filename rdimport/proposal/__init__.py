"""A first mapping for a list, from its headings and values; a person confirms it.

Pure: column names and some rows in, the text of a mapping file out.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

from rdimport.core.messages import _
from rdimport.proposal.understand import SAMPLE_ROWS, understand
from rdimport.proposal.write import write

__all__ = ["SAMPLE_ROWS", "Proposal", "propose"]

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl

    from rdimport.proposal.column_guess import Guess


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
    found, shown = understand(columns, sample), PurePath(name).name
    text, has_email = write(
        columns,
        found.guesses,
        found.evidence,
        shown,
        hints or {},
        people=found.people,
        look=look,
        findings=found.findings,
    )
    missing = ""
    if not has_email:
        missing = _("{name}: no column seems to hold e-mail addresses.", name=name)
    return Proposal(text, found.guesses, missing)
