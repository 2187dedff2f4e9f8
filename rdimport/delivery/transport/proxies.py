"""The proxy for an endpoint, from the environment."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

import httpx

from rdimport.core.errors import UsageError
from rdimport.core.messages import _
from rdimport.destination.named_proxy import named_proxy

_SOCKS: Final = "socks"
_HOST: Final = re.compile(r"[\w.-]+|[0-9A-Fa-f:.]+")


def proxy_for(base_url: str) -> httpx.Proxy | None:
    """The proxy named by `HTTPS_PROXY`, `HTTP_PROXY` or `ALL_PROXY`, unless `NO_PROXY` excludes the
    host. Loopback addresses never go through a proxy.

    Raises UsageError for a proxy that cannot be used. The message does not repeat its address,
    which may contain a password.
    """
    found = named_proxy(base_url)
    if found is None:
        return None
    variable, named = found
    host = urlsplit(base_url).hostname or ""
    proxy, trouble = _read(named)
    if proxy is None:
        raise UsageError(
            _(
                "The environment variable {variable} names a proxy that cannot be used: {trouble}.",
                variable=variable,
                trouble=trouble,
            ),
            _(
                "Name an HTTP proxy in {variable}, such as http://host:port, or reach "
                "{host} without one: NO_PROXY={host}",
                variable=variable,
                host=host,
            ),
        )
    return proxy


def secrets_of(proxy: httpx.Proxy | None) -> Iterator[str]:
    """The parts of a proxy's address that must not appear in logs and messages."""
    if proxy is not None and proxy.auth is not None and proxy.auth[1]:
        user, password = proxy.auth
        yield from (password, f"{user}:{password}")


def _read(named: str) -> tuple[httpx.Proxy | None, str]:
    """Parse a proxy address. Returns the proxy, or a description of what is wrong with it."""
    if named.lower().startswith(_SOCKS):
        return None, _("SOCKS proxies are not supported")
    try:
        proxy = httpx.Proxy(named)
        proxy.url.raw_host.decode("ascii").encode("idna")
    except (ValueError, httpx.InvalidURL):
        return None, _("it is not the address of an HTTP proxy")
    port = proxy.url.port
    if not _HOST.fullmatch(proxy.url.host) or not (port is None or 0 < port < 65_536):
        return None, _("its address has no host, or an invalid port")
    if proxy.url.path not in ("", "/") or proxy.url.query or proxy.url.fragment:
        return None, _(
            "there is more after its host and port (in a password, / ? and # are written "
            "%2F %3F %23)"
        )
    return proxy, ""
