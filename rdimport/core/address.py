"""Recognises addresses, and shows them without their credentials."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_HARMLESS: Final = frozenset({"gid", "usp", "format", "output", "single", "dl", "hl"})
"""Query parameters that describe the list; any other may be a signature or a token."""
_HIDDEN: Final = "***"
WITH_HOST: Final = frozenset(
    name + s for name in ("http", "json", "xml", "form", "mailto") for s in ("", "s")
)
"""Kinds of addresses of notifications whose first part is a host; elsewhere it may be a token."""
_HOST: Final = re.compile(r"(?:[\w.-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?")


def is_address(word: str) -> bool:
    """Whether an argument is an address, not a file name."""
    return _SCHEME.match(word) is not None


def shown(word: str) -> str:
    """An address without user, password and query, for messages. File names are unchanged."""
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


def place(address: str) -> str:
    """What a message may show of a notification's address: its kind and host, where it has one."""
    scheme, mark, rest = address.partition("://")
    if not mark:
        return "…"
    if scheme.lower() not in WITH_HOST:
        return f"{scheme}://…" if re.fullmatch("[A-Za-z]{1,12}", scheme) else "…"
    where, *beyond = re.split(r"[/?#]", rest.partition("?")[0], maxsplit=1)
    host = where.rpartition("@")[2]
    is_host = _HOST.fullmatch(host) and ("@" in where or "@" not in "".join(beyond))
    return f"{scheme}://{host}" if is_host else f"{scheme}://…"


def without_secrets(text: str, address: str) -> str:
    """A library's text about an address, with no word of it but what `place` shows."""
    words = re.findall(r"\w{3,}", f"{address} {unquote(address)}")
    hidden = {word for word in words if word not in place(address)}
    for word in sorted(hidden, key=len, reverse=True):
        text = text.replace(word, _HIDDEN)
    return text
