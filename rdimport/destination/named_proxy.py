"""Finds the proxy that the environment names for an address.

With the standard library, which passes over an entry of NO_PROXY that it does not understand; httpx
raises an error, also for usual ones such as `[::1]` and `fe80::/10`.
"""

from __future__ import annotations

import os
import sys
from urllib.parse import urlsplit

from rdimport.destination.address import is_loopback


def named_proxy(url: str) -> tuple[str, str] | None:
    """The environment variable that applies to the address, and the proxy it names, if any."""
    address = urlsplit(url)
    host = address.hostname or ""
    if is_loopback(host) or not _may_name_one():
        return None
    from urllib.request import getproxies, proxy_bypass  # noqa: PLC0415  imports http.client

    proxies = getproxies()
    named = proxies.get(address.scheme) or proxies.get("all")
    if not named or proxy_bypass(address.netloc.rpartition("@")[2]) or proxy_bypass(host):
        return None
    variable = f"{address.scheme.upper()}_PROXY" if proxies.get(address.scheme) else "ALL_PROXY"
    return variable, named if "://" in named else f"http://{named}"


def _may_name_one() -> bool:
    """Whether there may be a proxy: macOS and Windows also have system settings."""
    is_told = sys.platform in ("darwin", "win32")
    return is_told or any(name.lower().endswith("_proxy") for name in os.environ)
