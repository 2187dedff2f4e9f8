"""Canonical endpoint addresses and account identities.

The ledger keys rows by endpoint and account, so a different spelling of the same address must not
make old rows look new.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from rdimport.core.names import fold

_ESCAPED: Final = re.compile("%([0-9A-Fa-f]{2})")
_USUAL: Final = {"http": 80, "https": 443}


def is_loopback(host: str | None) -> bool:
    """Whether `host` is this machine."""
    name = (host or "").rstrip(".").lower()
    found = _ip(name)
    return name == "localhost" or (found is not None and found.is_loopback)


def spelt(base_url: str) -> str:
    """The address in normal form: lower-case ASCII host, no default port, a path as clients
    send it, no trailing slash.

    Raises ValueError for an incomplete IPv6 address, an invalid port or no name of a host.
    """
    parts = urlsplit(base_url.strip())
    host = _ascii(parts.hostname or "").rstrip(".")
    found = _ip(host)
    host = str(found) if found is not None else host
    host = f"[{host}]" if ":" in host else host
    port = f":{parts.port}" if parts.port not in (None, _USUAL.get(parts.scheme)) else ""
    return urlunsplit((parts.scheme, host + port, _path(parts.path), "", "")).rstrip("/")


def endpoint(base_url: str) -> str:
    """The canonical form of an endpoint's address, for the ledger and the shared quota.

    All names of this machine are one endpoint: a server listens on all of them, or on the one that
    was meant.
    """
    parts = urlsplit(spelt(base_url))
    if parts.hostname not in ("localhost", "::1"):
        return urlunsplit(parts)
    port = f":{parts.port}" if parts.port is not None else ""
    return urlunsplit((parts.scheme, f"127.0.0.1{port}", parts.path, "", ""))


def identity(base_url: str, account: str) -> str:
    """The key of an endpoint's account in the ledger."""
    return f"{endpoint(base_url)} {fold(account)}"


def _ip(host: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(host)
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


def _ascii(host: str) -> str:
    """A host as it is looked up: `bücher.example` and full stops of other scripts in ASCII."""
    if host.isascii():
        return host
    import idna  # noqa: PLC0415  as httpx does it, and hardly any host needs it

    return idna.encode(host.lower()).decode("ascii")


def _path(path: str) -> str:
    """A path without `.` and `..`, and without escapes of what needs none (RFC 3986, 6.2.2)."""
    kept: list[str] = []
    for part in _ESCAPED.sub(_plain, path).split("/"):
        if part == "..":
            del kept[max(1, len(kept) - 1) :]
        elif part != ".":
            kept.append(part)
    return "/".join(kept)


def _plain(escape: re.Match[str]) -> str:
    character = chr(int(escape[1], 16))
    plain = character.isascii() and (character.isalnum() or character in "-._~")
    return character if plain else escape[0].upper()
