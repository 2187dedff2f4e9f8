"""Finds the proxy that the environment names for an endpoint; `transport` decides whether it can be
used.
"""

from __future__ import annotations

import os
import sys
from urllib.parse import urlsplit

from rdimport.destination.address import is_loopback


def named_proxy(base_url: str) -> tuple[str, str] | None:
    """The environment variable that applies to the endpoint, and the proxy it names, if any."""
    address = urlsplit(base_url)
    host = address.hostname or ""
    if is_loopback(host) or not _may_name_one():
        return None
    from urllib.request import getproxies, proxy_bypass  # noqa: PLC0415  imports http.client

    proxies = getproxies()
    named = proxies.get(address.scheme) or proxies.get("all")
    if not named or proxy_bypass(address.netloc) or proxy_bypass(host):
        return None
    return f"{address.scheme.upper()}_PROXY" if proxies.get(address.scheme) else "ALL_PROXY", named


def _may_name_one() -> bool:
    """Whether there may be a proxy: macOS and Windows also have system settings."""
    is_told = sys.platform in ("darwin", "win32")
    return is_told or any(name.lower().endswith("_proxy") for name in os.environ)


def refuse_unusable_proxy(base_url: str) -> None:
    """Raise UsageError if the environment names a proxy that cannot be used."""
    if named_proxy(base_url) is not None:
        from rdimport.delivery.transport.proxies import proxy_for  # noqa: PLC0415  imports httpx

        proxy_for(base_url)
