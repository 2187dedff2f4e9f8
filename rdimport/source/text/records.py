"""One record of a text file: its cells, and whether its quotation marks make sense."""

from __future__ import annotations

import re
from enum import Enum, auto
from functools import cache
from typing import NamedTuple


class Quotes(Enum):
    """What the quotation marks of a piece of text say about it."""

    SOUND = auto()
    OPEN = auto()
    STRAY = auto()


class _Patterns(NamedTuple):
    cell: re.Pattern[str]
    opening: re.Pattern[str]
    unclosed: re.Pattern[str]


@cache
def _patterns(delimiter: str) -> _Patterns:
    # Possessive, for a mark that never closes must not make the search go back over all the text.
    end = rf"(?={re.escape(delimiter)}|\Z)"
    return _Patterns(
        re.compile(rf' *+"([^"]*+(?:""[^"]*+)*+)" *+{end}'),
        re.compile(r' *+"'),
        re.compile(r' *+"[^"]*+(?:""[^"]*+)*+\Z'),
    )


def split_record(text: str, delimiter: str) -> tuple[list[str], Quotes]:
    """One record's cells, and whether its quotation marks make sense.

    Marks in the middle of an unquoted cell are text when they come in pairs (`Ana "Nina" Reis`).
    There are no cells where the marks make no sense.
    """
    if '"' not in text:
        return text.split(delimiter), Quotes.SOUND
    cell, opening, unclosed = _patterns(delimiter)
    cells, at, quotes = [], 0, Quotes.SOUND
    while True:
        if quoted := cell.match(text, at):
            cells.append(quoted[1].replace('""', '"'))
            at = quoted.end()
        elif opening.match(text, at):
            is_open = unclosed.match(text, at)
            return [], Quotes.OPEN if is_open else Quotes.STRAY
        else:
            stop = text.find(delimiter, at)
            stop = len(text) if stop < 0 else stop
            plain = text[at:stop]
            if plain.count('"') % 2:
                quotes = Quotes.STRAY
            cells.append(plain)
            at = stop
        if at >= len(text):
            break
        at += 1
    return (cells, quotes) if quotes is Quotes.SOUND else ([], quotes)
