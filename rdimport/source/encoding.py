"""From bytes in any encoding to UTF-8, chunk by chunk; and which encoding that probably is."""

from __future__ import annotations

import codecs
import re
import threading
from typing import Final

_SINGLE_BYTE: Final = "rdimport.single-byte"
_ODD_BYTES = threading.local()

_LETTERS: Final = frozenset("áàâãéêíóôõúüçñÁÀÂÃÉÊÍÓÔÕÚÜÇÑ")
_MARKS: Final = frozenset("ºª°§–—’‘“”€´`•…")
_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def _read_as_windows_1252(error: UnicodeError) -> tuple[str, int]:
    """Error handler: a byte that its encoding does not have is what Windows-1252 has there."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    bad = error.object[error.start : error.end]
    _ODD_BYTES.found.append(error.start)
    text = bad.decode("cp1252", "ignore") if len(bad) == 1 else ""
    return text or "\ufffd", error.end


codecs.register_error(_SINGLE_BYTE, _read_as_windows_1252)


class Decoder:
    """Makes UTF-8 of a stream of bytes, never fails, and remembers what it had to guess."""

    def __init__(self, codec: str) -> None:
        self.odd_bytes = 0
        self.first_odd_line = 0
        self._is_utf8 = codecs.lookup(codec).name in ("utf-8", "utf-8-sig")
        self._decoder = codecs.getincrementaldecoder(codec)(_SINGLE_BYTE)
        self._rest = b""
        self._lines = 0
        self._started = False

    def feed(self, data: bytes, *, final: bool) -> bytes:
        """The next bytes as UTF-8, without a byte order mark; what is cut in two waits."""
        _ODD_BYTES.found = []
        out = self._utf8(data, final=final) if self._is_utf8 else self._other(data, final=final)
        if not self._started and out:
            self._started = True
            out = out.removeprefix(codecs.BOM_UTF8)
        self._lines += out.count(b"\n")
        return out

    def _utf8(self, data: bytes, *, final: bool) -> bytes:
        data = self._rest + data
        try:
            _, used = codecs.utf_8_decode(data, "strict", final)
            out = data[:used]
        except UnicodeDecodeError:
            text, used = codecs.utf_8_decode(data, _SINGLE_BYTE, final)
            out = text.encode()
            self._note(data, _ODD_BYTES.found)
        self._rest = data[used:]
        return out

    def _other(self, data: bytes, *, final: bool) -> bytes:
        out = self._decoder.decode(data, final).encode("utf-8", "replace")
        self._note(data, _ODD_BYTES.found)
        return out

    def _note(self, data: bytes, found: list[int]) -> None:
        if found and not self.odd_bytes:
            self.first_odd_line = self._lines + data.count(b"\n", 0, found[0]) + 1
        self.odd_bytes += len(found)


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
    """Latin text in UTF-16 has a zero in nearly every second byte; anything else has few."""
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    half = max(len(sample) // 2, 1)
    if odd > half * 0.6 and even < half * 0.1:
        return "utf-16-le"
    if even > half * 0.6 and odd < half * 0.1:
        return "utf-16-be"
    return ""


def _is_mostly_utf8(sample: bytes) -> bool:
    """Valid UTF-8; or so many valid sequences that the few bad bytes must be strangers."""
    _ODD_BYTES.found = []
    text, _ = codecs.utf_8_decode(sample, _SINGLE_BYTE, False)
    odd = len(_ODD_BYTES.found)
    if not odd:
        return True
    valid = sum(1 for c in text if ord(c) > 0x7F) - odd
    return valid > 10 * odd


def _guess_single_byte(sample: bytes) -> str:
    """Windows-1252 unless another code page makes clearly better Portuguese of these bytes."""
    high = re.sub(rb"[\x00-\x7f]+", lambda m: b" " if len(m[0]) > 1 else m[0], sample)
    scores = {codec: _portuguese(high, codec) for codec in ("cp1252", "mac_roman", "cp850")}
    best = max(scores, key=lambda codec: (scores[codec], codec == "cp1252"))
    if best != "cp1252" and scores[best] > scores["cp1252"] + 0.25:
        return best
    c1 = any(0x80 <= byte <= 0x9F for byte in sample)
    return "iso8859-15" if not c1 and b"\xa4" in sample else "cp1252"


def _portuguese(sample: bytes, codec: str) -> float:
    """The share of the bytes beyond ASCII that this code page turns into Portuguese, 0 to 1."""
    high = bytes(byte for byte in sample if byte > 0x7F)
    text = high.decode(codec, "replace")
    good = sum(1.0 if c in _LETTERS else 0.5 if c in _MARKS else 0.0 for c in text)
    return good / max(len(text), 1)
