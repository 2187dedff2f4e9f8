"""Guesses the encoding of bytes, and decodes them to UTF-8 chunk by chunk."""

from __future__ import annotations

import codecs
import re
import threading
from itertools import islice
from typing import Final

import polars as pl

_SINGLE_BYTE: Final = "rdimport.single-byte"
_ODD_BYTES = threading.local()

_LETTERS: Final = frozenset("áàâãéêíóôõúüçñÁÀÂÃÉÊÍÓÔÕÚÜÇÑ")
_MARKS: Final = frozenset("ºª°§–—’‘“”€´•…")
_HIGH: Final = re.compile(r"(?s)(?<=(.))([^\x00-\x7f])(?=(.?))")
_NO_CHARSETS: Final = frozenset(
    {"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "unicode-escape"}
    | {"raw-unicode-escape", "mbcs", "oem"}
)
_ENOUGH: Final = 5_000
"""Characters examined before an encoding is chosen."""
_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def _read_as_windows_1252(error: UnicodeError) -> tuple[str, int]:
    """Codec error handler: decodes undefined bytes as Windows-1252."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    bad = error.object[error.start : error.end]
    _ODD_BYTES.found.append(error.start)
    text = bad.decode("cp1252", "ignore") if len(bad) == 1 else ""
    return text or "\ufffd", error.end


codecs.register_error(_SINGLE_BYTE, _read_as_windows_1252)


class Decoder:
    """An incremental decoder to UTF-8 that never fails and records what it had to guess.

    NUL bytes are removed and counted.
    """

    def __init__(self, codec: str) -> None:
        self.odd_bytes = 0
        self.nul_bytes = 0
        self.first_odd_line = 0
        self._name = codecs.lookup(codec).name
        self._is_utf8 = self._name in ("utf-8", "utf-8-sig")
        self._decoder = codecs.getincrementaldecoder(codec)(_SINGLE_BYTE)
        self._rest = b""
        self._lines = 0
        self._started = False

    def feed(self, data: bytes, *, final: bool) -> bytes:
        """Decode the next bytes, without a byte order mark. An incomplete sequence is kept for
        later.
        """
        _ODD_BYTES.found = []
        out = self._utf8(data, final=final) if self._is_utf8 else self._other(data, final=final)
        if not self._started and out:
            self._started = True
            out = out.removeprefix(codecs.BOM_UTF8)
        if b"\x00" in out:
            size = len(out)
            out = out.translate(None, b"\x00")  # one pass, however many there are
            self.nul_bytes += size - len(out)
        self._lines += out.count(b"\n")
        return out

    def _utf8(self, data: bytes, *, final: bool) -> bytes:
        data = self._rest + data
        valid = _whole_characters(data, final=final)
        if valid is not None:
            self._rest = data[len(valid) :]
            return valid
        text, used = codecs.utf_8_decode(data, _SINGLE_BYTE, final)
        self._rest = data[used:]
        self._note(data, _ODD_BYTES.found)
        return text.encode()

    def _other(self, data: bytes, *, final: bool) -> bytes:
        try:
            text = self._decoder.decode(data, final)
        except UnicodeError:  # declared UTF-16 or UTF-32 without a byte order mark
            codec = _utf16_without_mark(data) or f"{self._name}-le"
            data = self._decoder.getstate()[0] + data
            self._decoder = codecs.getincrementaldecoder(codec)(_SINGLE_BYTE)
            text = self._decoder.decode(data, final)
        out = text.encode("utf-8", "replace")
        self._note(data, _ODD_BYTES.found)
        return out

    def _note(self, data: bytes, found: list[int]) -> None:
        if found and not self.odd_bytes:
            self.first_odd_line = self._lines + data.count(b"\n", 0, found[0]) + 1
        self.odd_bytes += len(found)


def _whole_characters(data: bytes, *, final: bool) -> bytes | None:
    """The bytes up to the last whole UTF-8 character; None if some are invalid.

    polars checks them: it needs a fifth of Python's time, and does not hold the GIL.
    """
    line = data.rfind(b"\n") + 1
    try:
        whole = data[: line + codecs.utf_8_decode(data[line:], "strict", final)[1]]
        pl.Series([whole]).cast(pl.String)
    except (UnicodeDecodeError, pl.exceptions.ComputeError):
        return None
    return whole


def charset(name: str) -> str:
    """The codec of that name; empty if there is none, or if it is not a text encoding (Python also
    lists compression, escapes and domain names).
    """
    try:
        codec = codecs.lookup(name)
    except (LookupError, ValueError):  # ValueError: an impossible codec name
        return ""
    is_text = getattr(codec, "_is_text_encoding", True)
    return codec.name if is_text and codec.name not in _NO_CHARSETS else ""


def guess_encoding(sample: bytes) -> str:
    """The Python codec that most probably wrote this beginning of a file."""
    for bom, codec in _BOMS:
        if sample.startswith(bom):
            return codec
    if wide := _utf16_without_mark(sample):
        return wide
    if _is_mostly_utf8(sample):
        return "utf-8"
    return _guess_single_byte(sample)


def _utf16_without_mark(sample: bytes) -> str:
    """The codec of UTF-16 without a mark: in Latin text every second byte is zero."""
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    half = max(len(sample) // 2, 1)
    if odd > half * 0.6 and even < half * 0.1:
        return "utf-16-le"
    if even > half * 0.6 and odd < half * 0.1:
        return "utf-16-be"
    return ""


def _is_mostly_utf8(sample: bytes) -> bool:
    """Whether it is UTF-8, with at most a few invalid bytes."""
    _ODD_BYTES.found = []
    text, _ = codecs.utf_8_decode(sample, _SINGLE_BYTE, False)
    odd = len(_ODD_BYTES.found)
    if not odd:
        return True
    valid = sum(1 for c in text if ord(c) > 0x7F) - odd
    return valid > 10 * odd


def _guess_single_byte(sample: bytes) -> str:
    """Windows-1252, by far the most common, unless another encoding fits clearly better."""
    scores = {codec: _sense(sample, codec) for codec in ("cp1252", "mac_roman", "cp850")}
    best = max(scores, key=lambda codec: scores[codec])
    if scores[best] > scores["cp1252"] + 0.2:
        return best
    has_c1 = bool(re.search(rb"[\x80-\x9f]", sample))
    return "iso8859-15" if b"\xa4" in sample and not has_c1 else "cp1252"


def _sense(sample: bytes, codec: str) -> float:
    """The share, 0 to 1, of non-ASCII characters that are plausible where they occur."""
    text = sample.decode(codec, "replace")
    found = [_makes_sense(*match.groups()) for match in islice(_HIGH.finditer(text), _ENOUGH)]
    return sum(found) / max(len(found), 1)


def _makes_sense(before: str, character: str, after: str) -> float:
    """Whether it is a Portuguese letter in a plausible place and case, or a common symbol."""
    is_inside = before.isalpha() and after.isalpha()
    if character in _MARKS:
        return 0.9 if not is_inside else 0.5 if character in "’´" else 0.0
    if character not in _LETTERS or not (before.isalpha() or after.isalpha()):
        return 0.0
    if character.isupper():
        return 0.0 if before.islower() else 1.0
    return 0.0 if before.isupper() and after.isupper() else 1.0
