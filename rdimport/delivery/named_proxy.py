"""Which proxy the environment names for an endpoint; whether it can be used, `transport` tells."""

from __future__ import annotations

from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from rdimport.destination.address import is_loopback


def named_proxy(base_url: str) -> tuple[str, str] | None:
    """The environment variable that counts for the endpoint, and the proxy it names, if any."""
    address = urlsplit(base_url)
    host = address.hostname or ""
    proxies = getproxies()
    named = proxies.get(address.scheme) or proxies.get("all")
    if not named or is_loopback(host) or proxy_bypass(address.netloc) or proxy_bypass(host):
        return None
    return f"{address.scheme.upper()}_PROXY" if proxies.get(address.scheme) else "ALL_PROXY", named


def refuse_unusable_proxy(base_url: str) -> None:
    """Raises UsageError where the environment names a proxy that cannot be used."""
    if named_proxy(base_url) is not None:
        from rdimport.delivery.transport.proxies import proxy_for  # noqa: PLC0415  with it comes httpx

        proxy_for(base_url)
