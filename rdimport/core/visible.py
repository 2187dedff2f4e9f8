"""Text from outside as a person can see all of it: nothing in it steers a terminal or a log.

A file, a heading, a member of an archive, a mapping, an endpoint's answer may hold characters that
colour, move, hide or forge what others read. They are shown as Python writes them: `\\x1b`.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable
from typing import Final

_STEERS: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Categories of Unicode: control, format (direction, joining, invisible), halves of characters,
and the ends of lines and paragraphs."""


class Shown(str):
    """Text in which all from outside was made visible, with line ends of ours."""

    __slots__ = ()


def shown(text: str) -> Shown:
    """The text in one line, with what cannot be seen written out.

    >>> shown("leads\\x1b[2J\\u202e.csv\\nrdimport: done"), shown("São Paulo – nº 1")
    ('leads\\\\x1b[2J\\\\u202e.csv\\\\nrdimport: done', 'São Paulo – nº 1')
    """
    if isinstance(text, Shown):
        return text
    return Shown(text if text.isprintable() else "".join(map(_visible, text)))


def shown_lines(lines: Iterable[str]) -> Shown:
    """Several lines of ours, each made visible."""
    return Shown("\n".join(map(shown, lines)))


def shown_json(value: object, **layout: object) -> str:
    """A value as JSON in which such characters are escapes: read, they are as they were."""
    text = json.dumps(value, ensure_ascii=False, **layout)  # type: ignore[arg-type]
    if text.isprintable():
        return text
    return "".join(_in_json(c) for c in text)


def is_utf8(text: str) -> bool:
    """Whether it can be written: a file's name, or a word of a command, may hold any bytes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def steers(character: str) -> bool:
    """Is it none that only shows itself?"""
    return unicodedata.category(character) in _STEERS


def _visible(character: str) -> str:
    if character.isprintable() or not steers(character):
        return character
    return character.encode("unicode_escape").decode("ascii")


def _in_json(character: str) -> str:
    if character in "\n " or character.isprintable() or not steers(character):
        return character
    return json.dumps(character)[1:-1]
