"""Failed rows that a person corrected in a failure report, and imported from there."""

from __future__ import annotations

from typing import NamedTuple

from rdimport.core.row import Problem


class FailedRow(NamedTuple):
    """A row of an earlier run that failed, with its problems and its cells by column: none where
    the ledger no longer has them.
    """

    row: int
    cells: dict[str, str]
    problems: tuple[Problem, ...]


class Correction(NamedTuple):
    """A failed row, by its number and the keyed hash of its cells (`origin`), and the identity of
    the conversion that its corrected row is.
    """

    origin: bytes
    row: int
    identity: bytes


class Corrected(NamedTuple):
    """A failed row whose correction was accepted, in a run."""

    origin: bytes
    row: int
    run: str
