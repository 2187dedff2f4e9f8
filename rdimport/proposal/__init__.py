"""Proposes a first mapping for a list from its headings and values; the user confirms it.

Pure: column names and sample rows in, the text of a mapping file out.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

from rdimport.core.messages import _
from rdimport.core.names import read_as_one
from rdimport.proposal.understand import SAMPLE_ROWS, understand
from rdimport.proposal.write import write

__all__ = ["SAMPLE_ROWS", "Proposal", "propose"]

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl

    from rdimport.proposal.column_guess import Guess


@dataclass(frozen=True, slots=True)
class Proposal:
    """The text of a mapping file, and the guesses behind it.

    `missing` is a sentence if no column contains e-mail addresses. Then the text names a column
    that does not exist, to be replaced by the user.
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

    `sample` has some of its rows as returned by the reader (`SAMPLE_ROWS` are enough). `hints` are
    keys of the mapping's `source` to include if they have a value. `look` is the command that shows
    what the mapping does.
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
    missing, whole = "", read_as_one(columns)
    if not has_email or whole:
        missing = _("{name}: no column seems to contain e-mail addresses.", name=name)
        missing = f"{missing} {whole}".rstrip()
    return Proposal(text, found.guesses, missing)
