"""When are two addresses the same endpoint, and two names the same account?

The ledger knows rows by endpoint and account: another spelling must not make them new.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from rdimport.core.names import fold

_USUAL: Final = {"http": 80, "https": 443}


def is_loopback(host: str | None) -> bool:
    """Whether what is sent to this host stays on this machine."""
    name = (host or "").rstrip(".").lower()
    found = _ip(name)
    return name == "localhost" or (found is not None and found.is_loopback)


def spelt(base_url: str) -> str:
    """An address as we write it: small letters in the host, no usual port, nothing empty at its
    end. Raises ValueError for half an IPv6 address and an invalid port.
    """
    parts = urlsplit(base_url.strip())
    host = (parts.hostname or "").rstrip(".")
    found = _ip(host)
    host = str(found) if found is not None else host
    host = f"[{host}]" if ":" in host else host
    port = f":{parts.port}" if parts.port not in (None, _USUAL.get(parts.scheme)) else ""
    return urlunsplit((parts.scheme, host + port, parts.path, "", "")).rstrip("/")


def endpoint(base_url: str) -> str:
    """The one spelling of all addresses of one endpoint, for the ledger and the shared quota.

    The names of this machine itself are one: a server listens to all of them, or to the one that
    was meant.
    """
    parts = urlsplit(spelt(base_url))
    if parts.hostname not in ("localhost", "::1"):
        return urlunsplit(parts)
    port = f":{parts.port}" if parts.port is not None else ""
    return urlunsplit((parts.scheme, f"127.0.0.1{port}", parts.path, "", ""))


def identity(base_url: str, account: str) -> str:
    """What tells an account of an endpoint from others in the ledger."""
    return f"{endpoint(base_url)} {fold(account)}"


def _ip(host: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(host)
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found
