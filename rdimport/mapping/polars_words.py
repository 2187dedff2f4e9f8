"""What polars says of an expression or a pattern, in the reader's words.

Its own sentences are English and about its types (`dyn int`, `is_in`): a reader who wrote `Valor >
5` needs to know that the cells are text.
"""

from __future__ import annotations

import re
from typing import Final

from rdimport.core.messages import _, untranslated

_OF_EXPRESSIONS: Final = (
    (
        r"arithmetic\son|division\swith|(?:add|sub|mul|div|rem|neg)\w*\soperation",
        untranslated("it calculates with text"),
    ),
    (r"cannot\scompare|is_in", untranslated("it compares text with a number or a date")),
    (
        r"bit(?:and|or|xor)|expected\s`Boolean`|boolean",
        untranslated("it needs a comparison where it has a text or a number"),
    ),
)
_OF_PATTERNS: Final = (
    (r"unclosed\sgroup", untranslated("a round bracket is opened and never closed")),
    (r"unopened\sgroup", untranslated("a round bracket is closed that was never opened")),
    (r"unclosed\scharacter\sclass", untranslated("a square bracket is opened and never closed")),
    (r"unclosed\scounted\srepetition", untranslated("a curly bracket is opened and never closed")),
    (r"repetition", untranslated("`*`, `+`, `?` or `{}` has nothing before it, or wrong numbers")),
    (r"look-around", untranslated("`(?=`, `(?!` and `(?<` are not supported")),
    (r"backreferences", untranslated("backreferences such as `\\1` are not supported")),
    (r"escape|Unicode\sproperty", untranslated("what follows a `\\` is not known")),
    (r"exceeds\ssize\slimit|too\s(?:big|large)", untranslated("it is too large")),
    (r"class\srange", untranslated("a range such as `z-a` is the wrong way round")),
)


def why_not_computed(error: BaseException) -> str:
    """Why an expression cannot be computed, as a part of a sentence."""
    return _found(error, _OF_EXPRESSIONS, _("a value is of the wrong kind"))


def why_no_pattern(error: BaseException) -> str:
    """Why a text is no regular expression, as a part of a sentence."""
    return _found(error, _OF_PATTERNS, _("it is not of the syntax of Rust's `regex`"))


def _found(error: BaseException, known: tuple[tuple[str, str], ...], otherwise: str) -> str:
    text = str(error).rpartition("error: ")[2].partition("\n")[0]  # not the pattern itself
    return next((_(told) for sign, told in known if re.search(sign, text)), otherwise)
