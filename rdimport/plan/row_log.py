"""What the planner asks of its record of rows: a run of the ledger, or the counts of a check."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rdimport.ledger import Correction, Input, Names, Outcome


class RowLog(Protocol):
    """Records the results of rows: in the ledger for a run, in memory for a check."""

    def record_input(self, file: int, table: Input) -> None:
        """Record one table of the input."""

    def record_rows(
        self, rows: int, left_out: int, outcomes: Sequence[Outcome], already: int = 0
    ) -> None:
        """Record rows that were read, with the results of those that end without being sent. Of
        rows imported `already`, only the number is recorded.
        """

    def count_filled(self, rows_by_field: Mapping[str, int]) -> None:
        """Record how many spooled rows have a value in each field, zeros included."""

    def count_suspects(self, cells_by_code: Mapping[str, int]) -> None:
        """Record how many cells of sendable rows look wrong, by code."""

    def note_corrections(self, corrections: Sequence[Correction]) -> None:
        """Record which failed rows of earlier runs are corrected by rows of a failure report."""

    def note_names(self, names: Names) -> None:
        """Record under which conversion_identifier rows are sent, and how many are known under
        it.
        """

    def adopt(self, payloads: Mapping[bytes, bytes], *, last: bool) -> None:
        """Record payload hashes by identity for conversions that an older release sent. If a
        conversion has several rows, the `last` or the first one counts.
        """

    def keep_adopted(self) -> None:
        """All rows have been read: use the adopted hashes from now on."""
