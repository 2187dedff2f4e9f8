"""Splits text into records, so that a malformed record does not affect its neighbours.

An unclosed quotation mark must cost one row, not the rest of the file. So each line is first
classified on its own, all at once in polars. The remaining lines are records with line breaks in a
cell, checked as a whole, again all at once, and a few malformed ones, examined one by one.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from rdimport.core.errors import SourceError
from rdimport.core.messages import _
from rdimport.core.row import DEFECT, ROW
from rdimport.source.text.lines import (
    Shape,
    cells_quoted,
    lines_of,
    marks_of,
    marks_of_cells,
    split,
    without_surplus,
)
from rdimport.source.text.suspects import Judged, Suspects

MAX_LINE: Final = 64 << 20
"""Maximum bytes of a line; a longer one does not belong to a table of contacts."""


MOST_UNSOUND: Final = 250_000
"""Number of blank or malformed lines that is always accepted, whatever their share."""


class Splitter:
    """Turns UTF-8 text, fed in chunks, into frames of `row.ROW`, `row.DEFECT` and the columns.

    `first_line` is the number of the first line that will be fed.
    """

    def __init__(self, shape: Shape, *, first_line: int) -> None:
        self._shape = shape
        self._line = self._first = first_line
        self._rest = b""
        self._unsound = 0

    def feed(self, data: bytes, *, final: bool) -> pl.DataFrame:
        """The records completed by the next chunk; an incomplete one is kept for the next call."""
        data = self._rest + data
        if not final:
            cut = data.rfind(b"\n") + 1
            data, self._rest = data[:cut], data[cut:]
            if len(self._rest) > MAX_LINE:
                raise SourceError(
                    _(
                        "Line {line} is longer than {max_line} MiB.",
                        line=self._line,
                        max_line=MAX_LINE >> 20,
                    ),
                    _("This is probably not a table; check the file, or name its --delimiter."),
                )
        lines = without_surplus(lines_of(data), self._shape)
        cells = None if b'"' in data else split(lines, self._shape)
        judged = self._judge(lines, cells, data, final=final)
        if judged.used < len(lines):
            exact = data.split(b"\n")
            self._rest = b"\n".join(exact[judged.used :]) + self._rest
        frame = self._frame(lines, cells, judged, data)
        self._line += judged.used
        self._unsound += len(judged.sound) - int(judged.sound.sum()) - len(judged.joined)
        self._refuse_no_table()
        return frame

    def _refuse_no_table(self) -> None:
        """Raise if most lines are blank or malformed, as in a file that is not a table."""
        lines = self._line - self._first
        if self._unsound > MOST_UNSOUND and self._unsound > 0.9 * lines:
            raise SourceError(
                _(
                    "Of the first {lines} lines, {unsound} are blank or malformed.",
                    lines=lines,
                    unsound=self._unsound,
                ),
                _("This is probably not a table; check the file, or name its --delimiter."),
            )

    def _judge(
        self, lines: pl.Series, cells: pl.DataFrame | None, data: bytes, *, final: bool
    ) -> Judged:
        shape = self._shape
        marks = marks_of(lines, shape) if cells is None else marks_of_cells(cells, shape)
        if marks["sound"].all():
            return Judged(marks["sound"], [], [], len(lines))
        return Suspects(marks, data, self._shape, final=final).judged()

    def _frame(
        self, lines: pl.Series, cells: pl.DataFrame | None, judged: Judged, data: bytes
    ) -> pl.DataFrame:
        count = len(judged.sound)
        at = judged.sound.arg_true()
        if cells is not None:
            whole = cells if len(at) == cells.height else cells.head(count).filter(judged.sound)
            parts = [self._numbered(at, whole.select(self._shape.columns))]
        else:
            text = data if len(at) == len(lines) and not self._shape.surplus else None
            parts = [self._part(at, lines.head(count).filter(judged.sound), text)]
        if judged.joined:
            at = pl.Series("at", [at for at, _ in judged.joined], dtype=pl.UInt32)
            parts.append(self._part(at, pl.Series("line", [text for _, text in judged.joined])))
        if judged.odd:
            schema = {ROW: pl.UInt32, DEFECT: pl.String}
            schema |= dict.fromkeys(self._shape.columns, pl.String)
            rows = [(self._line + odd.first, odd.defect, *odd.cells) for odd in judged.odd]
            parts.append(pl.DataFrame(rows, schema=schema, orient="row"))
        return parts[0] if len(parts) == 1 else pl.concat(parts).sort(ROW)

    def _part(self, at: pl.Series, records: pl.Series, text: bytes | None = None) -> pl.DataFrame:
        """Well-formed records, split into cells. `text` is all of them as one text, if known."""
        if records.str.contains('"', literal=True).any():
            return self._numbered(at, cells_quoted(records, self._shape, text))
        return self._numbered(at, split(records, self._shape).select(self._shape.columns))

    def _numbered(self, at: pl.Series, frame: pl.DataFrame) -> pl.DataFrame:
        """Cells with their row numbers; empty cells are null."""
        cell = pl.col(self._shape.columns)
        number = (at.cast(pl.UInt32) + self._line).alias(ROW)
        no_defect = pl.lit(None, pl.String).alias(DEFECT)
        return frame.select(number, no_defect, pl.when(cell != "").then(cell))
