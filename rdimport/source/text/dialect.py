"""Detects the dialect of a text file (encoding, delimiter, header) from its beginning."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rdimport.core.errors import SourceError
from rdimport.core.messages import _
from rdimport.core.names import fold
from rdimport.core.visible import cut
from rdimport.source.encoding import Decoder, charset, guess_encoding
from rdimport.source.header import (
    SEARCHED,
    FirstRow,
    Header,
    find_header,
    header_only,
    is_data,
    visible,
)
from rdimport.source.text.lines import Shape
from rdimport.source.text.records import Quotes, split_record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rdimport.source.port import Hints

SAMPLE_BYTES: Final = 1 << 20
"""Bytes of a file examined before its first row is read."""
SAMPLE_RECORDS: Final = 1_000
DELIMITERS: Final = ";\t,|"
_ADDRESS: Final = re.compile(r"[^@\s]@[^@\s]+\.[^@\s]")
_CONTROLS: Final = bytes((*range(1, 9), *range(14, 27), *range(28, 32)))
_FEW: Final = 20
"""Minimum share of rows with an address in an address column, as one in so many."""
_MOST_SHOWN: Final = 40
_LINE_ENDS: Final = frozenset("\n\r\x85")
_END: Final = 512
_END_MARK: Final = re.compile(rb"\x1a[\x1a\r\n\0 ]*\Z")
_MAX_LINES: Final = 200
"""Maximum lines of a record in the sample; affects only the detection."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """What was detected about a text file."""

    encoding: str
    old_mac: bool
    """Lines end with CR only."""
    header: Header
    shape: Shape
    notes: tuple[str, ...] = ()


def find_dialect(sample: bytes, hints: Hints, name: str, *, whole_file: bool) -> Dialect:
    """Detect the dialect from the first bytes of a file; `whole_file`: there are no more bytes.

    Raises SourceError if they contain no table.
    """
    encoding = _checked_encoding(hints.encoding) or guess_encoding(sample)
    decoded = Decoder(encoding).feed(sample, final=whole_file)
    text = (without_end_mark(decoded) if whole_file else decoded).decode()
    if hints.encoding:
        _refuse_encoding(encoding, text, sample, whole_file=whole_file, name=name)
    if _is_no_text(text):
        raise SourceError(
            _("{name} is not a text file and not a spreadsheet of a known kind.", name=name),
            _("Export the contacts as xlsx or csv and import that."),
        )
    old_mac = "\n" not in text and "\r" in text
    if not old_mac:
        text = text.replace("\r\n", "\n").removesuffix("\r")
    lines = text.split("\r" if old_mac else "\n")
    if not whole_file and len(lines) > 1:
        lines.pop()
    declared, skip = _declared_delimiter(lines)
    delimiter = (
        _checked_delimiter(hints.delimiter) or declared or _guess_delimiter(lines[skip:], hints)
    )
    rows = [row for row in sample_records(lines, delimiter, start=skip) if not row.is_blank]
    header = find_header(rows, hints, name)
    data = [row.cells for row in rows if row.number >= header.first_data]
    if whole_file and not data:
        raise header_only(name, header)
    columns = header.columns
    short_is_sound = _leaves_out_empty_cells(data, len(columns))
    addresses = _of_addresses(data, len(columns))
    shape = Shape(columns, delimiter, short_is_sound, _surplus(data, len(columns)), addresses)
    return Dialect(encoding, old_mac, header, shape)


def without_end_mark(text: bytes) -> bytes:
    """The text without a trailing Ctrl-Z, the end-of-file mark of DOS programs."""
    return _END_MARK.sub(b"", text) if b"\x1a" in text[-_END:] else text


def _is_no_text(text: str) -> bool:
    """Whether it is binary: over 1 % control characters other than tabs and line ends."""
    encoded = text.encode()
    strange = len(encoded) - len(encoded.translate(None, _CONTROLS))
    return strange * 100 > len(text)


def _short(text: str) -> str:
    """What a message repeats of a wrong value."""
    return cut(text, _MOST_SHOWN)


def _checked_encoding(name: str | None) -> str:
    """The codec given by the user. Raises SourceError if there is no such codec."""
    if not name:
        return ""
    codec = charset(name)
    if not codec:
        raise SourceError(
            _("There is no encoding “{name}”.", name=_short(name)),
            _("Common ones are utf-8, cp1252 (Windows), iso8859-1, utf-16; or omit it."),
        )
    return codec


def _refuse_encoding(codec: str, text: str, sample: bytes, *, whole_file: bool, name: str) -> None:
    """Raise SourceError if the file has lines, but none in the encoding given by the user, as with
    UTF-16 for a file in ASCII: its rows would be one row of garbage.
    """
    likely = guess_encoding(sample)
    guessed = Decoder(likely).feed(sample, final=whole_file).decode()
    if _LINE_ENDS & set(guessed) and not _LINE_ENDS & set(text):
        raise SourceError(
            _("{name} is not encoded in {codec}.", name=name, codec=codec),
            _("It looks like {likely}: name that encoding, or none.", likely=likely),
        )


def _checked_delimiter(text: str | None) -> str:
    """The delimiter given by the user. Raises SourceError if it cannot be one."""
    if not text:
        return ""
    delimiter = {"tab": "\t", "\\t": "\t"}.get(text.lower(), text)
    is_one = len(delimiter) == 1 and delimiter.isascii() and not delimiter.isalnum()
    if not is_one or delimiter in '"\r\n@':
        raise SourceError(
            _("“{text}” cannot be a delimiter.", text=_short(text)),
            _("Use one character: ; or , or | or tab."),
        )
    return delimiter


def _declared_delimiter(lines: list[str]) -> tuple[str, int]:
    """The delimiter declared by Excel's line `sep=;`, and the number of lines that takes."""
    first = lines[0].strip().strip('"') if lines else ""
    if first[:4].lower() == "sep=" and len(first) == 5:
        return first[4], 1
    return ("\t", 1) if lines and lines[0].lower() == "sep=\t" else ("", 0)


def sample_records(lines: list[str], delimiter: str, *, start: int = 0) -> list[FirstRow]:
    """The first records, with their lines; malformed ones are split as well as possible."""
    found: list[FirstRow] = []
    at = start
    while at < len(lines) and len(found) < SAMPLE_RECORDS:
        last = at
        cells, quotes = split_record(lines[at], delimiter)
        if quotes is Quotes.OPEN:
            last = _closing(lines, at)
            cells, quotes = split_record("\n".join(lines[at : last + 1]), delimiter)
        if quotes is not Quotes.SOUND:
            cells, last = lines[at].split(delimiter), at
        found.append(FirstRow(at + 1, last + 1, cells))
        at = last + 1
    return found


def _closing(lines: list[str], at: int) -> int:
    for last in range(at + 1, min(at + _MAX_LINES, len(lines))):
        if lines[last].count('"') % 2:
            return last
    return at


def _guess_delimiter(lines: list[str], hints: Hints) -> str:
    """The candidate that splits most records into the same number of cells, more than one."""
    wanted = {fold(column) for column in hints.columns}
    scores = {d: _evenness(sample_records(lines[:300], d), wanted) for d in DELIMITERS}
    best = max(DELIMITERS, key=lambda d: scores[d])
    return best if scores[best] > 0 else ";"


def _evenness(rows: Sequence[FirstRow], wanted: set[str]) -> float:
    """How well a delimiter fits the first rows; 0 if it does not occur.

    The share of rows split into the same number of cells. It is reduced if the first of these rows
    is not near the beginning (a comma in every address is not in the header) or does not look like
    a header. Names used by the mapping outweigh everything else.
    """
    rows = [row for row in rows if not row.is_blank]
    widths = Counter(len(row.cells) for row in rows if len(row.cells) > 1)
    if not widths:
        return 0.0
    width, count = max(widths.items(), key=lambda item: item[1] * math.log2(item[0] + 1))
    likely = rows[:SEARCHED]
    known = max(sum(fold(visible(cell or "")) in wanted for cell in row.cells) for row in likely)
    even = {at: _filled(row) for at, row in enumerate(rows) if len(row.cells) == width}
    # a spreadsheet program fills up the lines above the header with delimiters
    header = next((at for at, cells in even.items() if 2 * len(cells) > width), min(even))
    first = even[header]
    has_data = any(is_data(cell) or _ADDRESS.search(cell) for cell in first)
    like_header = len(first) / width * (0.6 if has_data else 1.0)
    share = count / len(rows)
    return known + share * like_header * 0.9 ** min(header, 5) * (1 - 0.1 / width)


def _filled(row: FirstRow) -> list[str]:
    return [cell for cell in row.cells if cell and cell.strip()]


def _leaves_out_empty_cells(rows: Sequence[Sequence[str | None]], width: int) -> bool:
    """Whether short rows are intended, because the program drops trailing empty cells.

    They are if most rows are short and no row ends with an empty cell.
    """
    if width < 2 or not rows:
        return False
    short = sum(1 for cells in rows if len(cells) < width)
    trailing = any(not (cells[-1] or "").strip() for cells in rows if len(cells) > 1)
    return short >= 3 and short * 2 >= len(rows) and not trailing


def _of_addresses(rows: Sequence[Sequence[str | None]], width: int) -> tuple[int, ...]:
    """The columns that contain e-mail addresses, the one with most of them first."""
    counts = Counter(
        at
        for cells in rows
        for at, cell in enumerate(cells[:width])
        if cell and "@" in cell and _ADDRESS.search(cell)
    )
    return tuple(at for at, count in counts.most_common() if count * _FEW >= len(rows))


def _surplus(rows: Sequence[Sequence[str | None]], width: int) -> int:
    """How many empty cells usually follow the last column."""
    lengths = sorted(len(cells) for cells in rows)
    return max(lengths[len(lengths) // 2] - width, 0) if lengths else 0
