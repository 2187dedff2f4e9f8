"""Repairs UTF-8 text that was read as Windows-1252 and saved: `SÃ£o Paulo`.

A sequence is repaired only if it cannot be anything else: a character for the lead byte of a UTF-8
sequence, followed by exactly the characters for its continuation bytes.
"""

from __future__ import annotations

import re
from typing import Final

import polars as pl

LEADS: Final = ("Ã", "Â", "â", "ð")
"""Cells without one of these characters need no check."""


_OF_LIBREOFFICE: Final = 0xF100


def _shown(byte: int) -> str:
    """All characters for this byte: in Windows-1252, and in Latin-1 where they differ. LibreOffice
    has private ones for the five that Windows-1252 does not define, such as that of `Á`.
    """
    known = bytes([byte]).decode("cp1252", "ignore")
    return (known or chr(_OF_LIBREOFFICE + byte)) + chr(byte)


_BYTE: Final = {char: byte for byte in range(0x80, 0x100) for char in _shown(byte)}
_TAIL: Final = sorted({char for byte in range(0x80, 0xC0) for char in _shown(byte)})
_REST: Final = f"[{re.escape(''.join(_TAIL))}]"
_MARKS: Final = "\xa0”’…–—"
"""Continuations that also occur after a complete word."""
_BROKEN: Final = re.compile(f"[ÂÃ]{_REST}|â{_REST}{{2}}|ð{_REST}{{3}}")


def is_broken(text: bytes) -> bool:
    """Whether this UTF-8 contains a broken sequence."""
    whole = pl.Series([text], dtype=pl.Binary).cast(pl.String)
    return bool(whole.str.contains(_BROKEN.pattern).any())


def repaired(text: str) -> str:
    """The text with all broken sequences repaired, even if it happened twice.

    >>> repaired("SÃ£o Paulo, 1Âº andar"), repaired("MAÃ‡ÃƒES"), repaired("MAÇÃS, ÂNGELA")
    ('São Paulo, 1º andar', 'MAÇÃES', 'MAÇÃS, ÂNGELA')
    """
    if text.isascii():
        return text
    for _ in range(2):
        better = _BROKEN.sub(_as_utf8, text)
        if better == text:
            break
        text = better
    return text


def _as_utf8(piece: re.Match[str]) -> str:
    if piece[0][1:] in _MARKS and _ends_word_in_capitals(piece):
        return piece[0]
    try:
        right = bytes(_BYTE[char] for char in piece[0]).decode()
    except UnicodeDecodeError:
        return piece[0]
    return piece[0] if "\x80" <= right < "\xa0" else right


def _ends_word_in_capitals(piece: re.Match[str]) -> bool:
    """`MAÇÃ` before a closing quotation mark or a hard space looks broken, but is not."""
    before, after = piece.string[: piece.start()][-1:], piece.string[piece.end() :][:1]
    return before.isupper() and (piece[0][1:] == "\xa0" or not after.isalpha())
