"""Canonical endpoint addresses and account identities.

The ledger keys rows by endpoint and account, so a different spelling of the same address must not
make old rows look new.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from rdimport.core.names import fold

_USUAL: Final = {"http": 80, "https": 443}
_IPV4: Final = re.compile(r"(?:[0-9]+\.){3}[0-9]+")
_NAME: Final = re.compile(r"[A-Za-z0-9._-]+")
_LABEL: Final = re.compile(r".{0,63}$")
_DOTS: Final = frozenset({".", ".."})
_PATH: Final = re.compile(r"[^\x00-\x1f\x7f]{0,2000}")


def is_loopback(host: str | None) -> bool:
    """Whether `host` is this machine."""
    name = (host or "").rstrip(".").lower()
    found = _ip(name)
    return name == "localhost" or (found is not None and found.is_loopback)


def is_sound(parts: SplitResult) -> bool:
    """Whether a request can be sent there: an HTTP client refuses other host names, such as one
    copied with an invisible character. A path with `.` or `..` is another spelling of one without.

    Raises ValueError for an invalid port.
    """
    host = parts.hostname or ""
    if ":" in host or _IPV4.fullmatch(host):
        is_name = _ip(host) is not None
    elif host.isascii() and "xn--" not in host:
        is_name = _NAME.fullmatch(host) is not None and all(map(_LABEL.match, host.split(".")))
    else:
        is_name = _is_idna(host)
    is_path = _PATH.fullmatch(parts.path) and _DOTS.isdisjoint(unquote(parts.path).split("/"))
    return parts.scheme in _USUAL and is_name and parts.port != 0 and bool(is_path)


def _is_idna(host: str) -> bool:
    import idna  # noqa: PLC0415  hardly any host needs it

    try:
        idna.decode(idna.encode(host))
    except idna.IDNAError:
        return False
    return True


def spelt(base_url: str) -> str:
    """The address in normal form: lower-case host, no default port, no trailing slash.

    Raises ValueError for an incomplete IPv6 address or an invalid port.
    """
    parts = urlsplit(base_url.strip())
    host = (parts.hostname or "").rstrip(".")
    found = _ip(host)
    host = str(found) if found is not None else host
    host = f"[{host}]" if ":" in host else host
    port = f":{parts.port}" if parts.port not in (None, _USUAL.get(parts.scheme)) else ""
    return urlunsplit((parts.scheme, host + port, parts.path, "", "")).rstrip("/")


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
