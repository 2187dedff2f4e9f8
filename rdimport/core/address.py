"""Recognises addresses, and shows them without their credentials."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_HARMLESS: Final = frozenset({"gid", "usp", "format", "output", "single", "dl", "hl"})
"""Query parameters that describe the list; any other may be a signature or a token."""
_HIDDEN: Final = "***"


def is_address(word: str) -> bool:
    """Whether an argument is an address, not a file name."""
    return _SCHEME.match(word) is not None


def shown(word: str) -> str:
    """An address for messages and reports: without user, password and query. File names are
    unchanged.
    """
    if not is_address(word):
        return word
    scheme, where, path, _query, _fragment = _parts(word)
    return urlunsplit((scheme, where, path, "", ""))


def masked(word: str) -> str:
    """An address for printed commands; the reader has to fill in the masked parts."""
    if not is_address(word):
        return word
    scheme, where, path, query, fragment = _parts(word)
    user = f"{_HIDDEN}@" if "@" in re.split("[/?#]", word.partition("://")[2])[0] else ""
    pairs = parse_qsl(query, keep_blank_values=True)
    visible = [(key, value if key in _HARMLESS else _HIDDEN) for key, value in pairs]
    kept = fragment if re.fullmatch(r"(?:gid=\d+)?", fragment) else ""
    return urlunsplit((scheme, user + where, path, urlencode(visible, safe="*"), kept))


def _parts(word: str) -> tuple[str, str, str, str, str]:
    try:
        scheme, where, path, query, fragment = urlsplit(word)
    except ValueError:  # [ without ]
        scheme, _, rest = word.partition("://")
        return scheme, re.split("[/?#]", rest)[0].rpartition("@")[2], "", "", ""
    return scheme, where.rpartition("@")[2], path, query, fragment
