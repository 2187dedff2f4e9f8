"""The tokenizer: words, names, texts, numbers and symbols."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final, NamedTuple

from rdimport.core.messages import _
from rdimport.core.visible import shown

MOST_CHARACTERS: Final = 20_000
MOST_TOKENS: Final = 2_000


class Kind(StrEnum):
    """The kind of a token."""

    WORD = "word"
    NAME = "name"
    TEXT = "text"
    NUMBER = "number"
    SIGN = "sign"
    END = "end"


class Token(NamedTuple):
    """One token. `value` has no quotes; `keyword` is a word in upper case."""

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
    """All tokens of the text, followed by `END`. Raises ValueError."""
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
            raise ValueError(_("an expression has at most {most} tokens", most=MOST_TOKENS))
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
        return _("an expression must not contain comments")
    return _(
        "not an SQL expression: “{word}” cannot be part of an expression",
        word=beginning(rest[:20]),
    )


def beginning(text: str) -> str:
    """The beginning of a text, for a message."""
    return shown(text[:40])
