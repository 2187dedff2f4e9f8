"""The text of an expression cut into words, names, texts, numbers and signs."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final, NamedTuple

from rdimport.core.messages import _
from rdimport.core.visible import shown

MOST_CHARACTERS: Final = 20_000
MOST_TOKENS: Final = 2_000


class Kind(StrEnum):
    """What a token is."""

    WORD = "word"
    NAME = "name"
    TEXT = "text"
    NUMBER = "number"
    SIGN = "sign"
    END = "end"


class Token(NamedTuple):
    """One token; `value` is without its quotes, and a word's `keyword` is in capitals."""

    kind: Kind
    value: str
    keyword: str = ""


END: Final = Token(Kind.END, "", "")

_TOKEN: Final = re.compile(
    r"""\s*(?:
    (?P<word>[^\W\d]\w*)
    | "(?P<name>(?:[^"]|"")+)"
    | `(?P<tick>[^`]+)`
    | '(?P<text>(?:[^']|'')*)'
    | (?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,2})?(?!\w))
    | (?P<sign>\|\||::|<>|!=|<=|>=|==|[-+*/%=<>(),])
    )""",
    re.VERBOSE,
)
_FORBIDDEN: Final = re.compile(r"\s*(?:--|/\*)")


def tokens(text: str) -> list[Token]:
    """Every token of the text, and `END`. Raises ValueError."""
    if len(text) > MOST_CHARACTERS:
        raise ValueError(_("an expression has at most {most} characters", most=MOST_CHARACTERS))
    found: list[Token] = []
    at, end = 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None or _FORBIDDEN.match(text, at):
            raise ValueError(_unreadable(text[at:].lstrip()))
        found.append(_token(match))
        at = match.end()
        if len(found) > MOST_TOKENS:
            raise ValueError(
                _("an expression has at most {most} words and signs", most=MOST_TOKENS)
            )
    return [*found, END]


def _token(match: re.Match[str]) -> Token:
    kind, value = str(match.lastgroup), str(match[str(match.lastgroup)])
    if kind == "word":
        return Token(Kind.WORD, value, value.upper() if value.isascii() else "")
    if kind == "name":
        return Token(Kind.NAME, value.replace('""', '"'))
    if kind == "tick":
        return Token(Kind.NAME, value)
    if kind == "text":
        return Token(Kind.TEXT, value.replace("''", "'"))
    return Token(Kind.NUMBER if kind == "number" else Kind.SIGN, value, value)


def _unreadable(rest: str) -> str:
    if rest[0] in "\"'`":
        return _("not an SQL expression: a quotation mark is opened and never closed")
    if rest.startswith(("--", "/*")):
        return _("an expression holds no comments")
    return _(
        "not an SQL expression: “{word}” is nothing that an expression can hold",
        word=beginning(rest[:20]),
    )


def beginning(text: str) -> str:
    """The beginning of a text as a message may hold it."""
    return shown(text[:40])
