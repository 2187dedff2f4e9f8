"""Text files (csv, tsv, txt, any dialect) as tables, read in chunks in constant memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from rdimport.core.ahead import ahead
from rdimport.core.errors import SourceError
from rdimport.core.messages import _, ngettext, untranslated
from rdimport.core.row import FILE
from rdimport.source.encoding import Decoder
from rdimport.source.fingerprint import fingerprint
from rdimport.source.port import BATCH_ROWS, Facts, Hints
from rdimport.source.row_filter import RowFilter
from rdimport.source.text.dialect import SAMPLE_BYTES, find_dialect, without_end_mark
from rdimport.source.text.splitter import Splitter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rdimport.source.files import InputFile

CHUNK: Final = 4 << 20
"""Bytes decoded and split at a time; bounds memory however wide the rows are."""

_MOST_LINES: Final = 500_000
"""Lines split at a time: very short rows take many times their size in memory."""

_SHORT_ROWS: Final = untranslated(
    "Rows of this file omit empty cells at the end, so a row with fewer cells than the "
    "header is fine."
)


class TextTable:
    """A text file as a Table."""

    def __init__(self, file: InputFile, index: int, hints: Hints) -> None:
        self._file = file
        self._index = index
        self._repair = hints.repair
        self._print = file.fingerprint()
        sample = file.head(SAMPLE_BYTES)
        whole_file = len(sample) < SAMPLE_BYTES
        self._dialect = found = find_dialect(sample, hints, file.name, whole_file=whole_file)
        self._read_notes: tuple[str, ...] = ()
        kind = "tsv" if found.shape.delimiter == "\t" else "csv"
        self.name = file.name
        self.facts = Facts(kind, found.header.row, found.encoding, found.shape.delimiter)
        self.columns = found.header.columns

    @property
    def fingerprint(self) -> str:
        """Distinguishes the file from a later one of the same name."""
        return self._file.version or fingerprint(self._file.name)

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences about anything unusual in the file."""
        found = self._dialect
        short = (_(_SHORT_ROWS),) if found.shape.short_is_sound else ()
        return (*self._file.notes, *found.header.notes, *short, *self._read_notes)

    def batches(self, rows: int = BATCH_ROWS) -> Iterator[pl.DataFrame]:
        """All rows in order; reading begins at once. See `port.Table`."""
        return ahead(_joined(self._frames(), rows), "read")

    def _frames(self) -> Iterator[pl.DataFrame]:
        found = self._dialect
        decoder = Decoder(found.encoding)
        splitter = Splitter(found.shape, first_line=found.header.first_data)
        row_filter = RowFilter(self.columns, found.header.names, repair=self._repair)
        skip = found.header.first_data - 1
        for data, final in self._chunks():
            text = decoder.feed(data, final=final)
            text = without_end_mark(text) if final else text
            if found.old_mac:
                text = text.replace(b"\r", b"\n")
            if skip:
                text, skip = _without_lines(text, skip)
            for piece, last in _pieces(text):
                frame = row_filter.apply(splitter.feed(piece, final=final and last), piece)
                yield frame.select(pl.lit(self._index, pl.UInt32).alias(FILE), pl.all())
        self._read_notes = (*_decoding_notes(decoder, found.encoding), *row_filter.notes)

    def _chunks(self) -> Iterator[tuple[bytes, bool]]:
        with self._file.open() as stream:
            data = stream.read(CHUNK)
            while True:
                following = stream.read(CHUNK)
                yield data, not following
                if not following:
                    break
                data = following
        if self._file.fingerprint() != self._print:
            raise SourceError(
                _("{name} was changed while it was being read.", name=self.name),
                _("Wait until the program that writes it has finished, then start again."),
            )


def _joined(frames: Iterator[pl.DataFrame], rows: int) -> Iterator[pl.DataFrame]:
    """At most `rows` rows at a time; two small frames are joined, as a batch has a fixed cost."""
    held: list[pl.DataFrame] = []
    for frame in frames:
        held.append(frame)
        if len(held) == 2 or 2 * frame.height >= rows:
            whole = pl.concat(held, rechunk=True)
            held.clear()
            del frame  # while the batch waits to be used, nothing is in memory twice
            yield from whole.iter_slices(rows)
    if held:
        yield from held[0].iter_slices(rows)


def _pieces(text: bytes) -> Iterator[tuple[bytes, bool]]:
    """The text in pieces with a limited number of lines, each with whether it is the last one."""
    size = max(len(text) * _MOST_LINES // max(text.count(b"\n"), 1), 1 << 16)
    for at in range(0, max(len(text), 1), size):
        yield text[at : at + size], at + size >= len(text)


def _without_lines(text: bytes, count: int) -> tuple[bytes, int]:
    """The text after its first `count` lines, and how many of these lines were missing."""
    at = 0
    while count:
        end = text.find(b"\n", at)
        if end < 0:
            return b"", count
        at = end + 1
        count -= 1
    return text[at:], 0


def _decoding_notes(decoder: Decoder, encoding: str) -> Iterator[str]:
    if decoder.odd_bytes:
        yield ngettext(
            "{number} byte, on line {line}, is not valid {encoding}; it was read as "
            "Windows-1252 if possible.",
            "{number} bytes, the first on line {line}, are not valid {encoding}; they were "
            "read as Windows-1252 where possible.",
            decoder.odd_bytes,
            line=decoder.first_odd_line,
            encoding=encoding,
        )
    if decoder.nul_bytes:
        yield ngettext(
            "{number} NUL byte, which no text should have, was left out.",
            "{number} NUL bytes, which no text should have, were left out.",
            decoder.nul_bytes,
        )
