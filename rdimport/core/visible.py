r"""Makes text from outside visible, so that it cannot control a terminal or forge a log.

File names, headings, archive members, mappings and responses may contain characters that colour,
move, hide or imitate what is shown. They are escaped as in Python: `\x1b`.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable
from typing import Final

_STEERS: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode categories that are escaped: control, format (direction, joining, invisible), surrogates,
line and paragraph separators.
"""


class Shown(str):
    """Text that has been made visible; its own line ends are intended."""

    __slots__ = ()


def shown(text: str) -> Shown:
    r"""The text on one line, with invisible characters escaped.

    >>> shown("leads\x1b[2J\u202e.csv\nrdimport: done"), shown("São Paulo – nº 1")
    ('leads\\x1b[2J\\u202e.csv\\nrdimport: done', 'São Paulo – nº 1')
    """
    if isinstance(text, Shown):
        return text
    return Shown(text if text.isprintable() else "".join(map(_visible, text)))


def shown_lines(lines: Iterable[str]) -> Shown:
    """Several lines, each made visible."""
    return Shown("\n".join(map(shown, lines)))


def shown_json(value: object, *, ensure_ascii: bool = False, **layout: object) -> str:
    """A value as JSON with such characters as escapes, so that parsing restores them."""
    text = json.dumps(value, ensure_ascii=ensure_ascii, **layout)  # type: ignore[arg-type]
    if text.replace("\n", "").isprintable():
        return text
    return "".join(_in_json(c) for c in text)


def cut(text: str, most: int = 200) -> str:
    """The beginning of a wrong value, as much as a message repeats of it."""
    return text if len(text) <= most else f"{text[:most]}…"


def is_utf8(text: str) -> bool:
    """Whether the text can be encoded; file names and arguments may contain any bytes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def steers(character: str) -> bool:
    """Whether the character is more than a visible one."""
    return unicodedata.category(character) in _STEERS


def _visible(character: str) -> str:
    if character.isprintable() or not steers(character):
        return character
    return character.encode("unicode_escape").decode("ascii")


def _in_json(character: str) -> str:
    if character in "\n " or character.isprintable() or not steers(character):
        return character
    return json.dumps(character)[1:-1]
