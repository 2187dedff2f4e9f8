"""Splits one record of a text file into cells, and checks its quotation marks."""

from __future__ import annotations

import re
from enum import Enum, auto
from functools import cache
from typing import NamedTuple


class Quotes(Enum):
    """The state of the quotation marks in a piece of text."""

    SOUND = auto()
    OPEN = auto()
    STRAY = auto()


class _Patterns(NamedTuple):
    cell: re.Pattern[str]
    opening: re.Pattern[str]
    unclosed: re.Pattern[str]


@cache
def _patterns(delimiter: str) -> _Patterns:
    # Possessive: an unclosed mark must not cause backtracking over the whole text.
    end = rf"(?={re.escape(delimiter)}|\Z)"
    return _Patterns(
        re.compile(rf' *+"([^"]*+(?:""[^"]*+)*+)" *+{end}'),
        re.compile(r' *+"'),
        re.compile(r' *+"[^"]*+(?:""[^"]*+)*+\Z'),
    )


def split_record(text: str, delimiter: str) -> tuple[list[str], Quotes]:
    """The cells of one record, and the state of its quotation marks.

    Pairs of marks inside an unquoted cell are text (`Ana "Nina" Reis`). There are no cells if the
    marks are inconsistent.
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
