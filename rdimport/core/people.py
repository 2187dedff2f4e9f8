"""Finds and removes certain people, by their e-mail addresses, in any text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

ERASED: Final = "***"
"""The replacement for an address."""

_ENDINGS: Final = "bz2|csv|gz|html?|jsonl?|ods|parquet|tsv|txt|xls[bmx]?|ya?ml|zip|zst"
"""Endings of file names, which may be named after an address."""

_UNSEEN: Final = re.compile("[\xad\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufeff]")


class People:
    """A set of e-mail addresses to find in texts: in any case, with blanks around `@` and `.`, but
    not inside a longer address.
    """

    def __init__(self, emails: Iterable[str]) -> None:
        self.emails = tuple(dict.fromkeys(_plain(email).strip() for email in emails))
        found = "|".join(map(_pattern, self.emails)) or "(?!)"  # an empty set matches nothing
        longer = rf"[\w-]|\.(?!(?:{_ENDINGS})\b)\w"
        self._pattern = re.compile(rf"(?<![\w.%+-])(?:{found})(?!{longer})", re.IGNORECASE)

    def are_in(self, text: str) -> bool:
        """Whether a text contains one of them."""
        may_be = "@" in text or "%40" in text or "＠" in text or "#64;" in text or "#x40;" in text
        return may_be and self._pattern.search(_plain(text)) is not None

    def out_of(self, text: str) -> str:
        """The text without their addresses."""
        return self._pattern.sub(ERASED, _plain(text)) if self.are_in(text) else text


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", _UNSEEN.sub("", text))


def _pattern(email: str) -> str:
    at = r"\s*(?:@|%40|&#64;|&#x40;)\s*"
    signs = {"@": at, ".": r"\s*\.\s*"}
    return "".join(signs.get(sign, re.escape(sign)) for sign in email)
