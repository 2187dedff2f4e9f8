"""Chooses the sender for the rows of a run, without importing one."""

from __future__ import annotations

from typing import Final, Literal

from rdimport.destination.named_proxy import named_proxy

Kind = Literal["auto", "lean", "httpx"]
"""The sender to use. `auto` chooses by the pace. Behind a proxy it is always httpx."""

_UNHURRIED: Final = 10.0
"""Requests per second up to which `auto` prefers the safety of new connections."""

_DISPATCHER: Final = "rdimport.delivery.dispatcher"
_HTTPX: Final = "rdimport.delivery.transport.httpx_sender"


def takes_httpx(kind: Kind, base_url: str, per_second: float | None) -> bool:
    """Whether httpx sends. `per_second` is the request rate; None means unlimited."""
    unhurried = per_second is not None and per_second <= _UNHURRIED
    return kind == "httpx" or (kind == "auto" and unhurried) or named_proxy(base_url) is not None


def libraries(kind: Kind, base_url: str, per_second: float | None) -> tuple[str, ...]:
    """The modules that sending loads when it begins; a caller may load them while it plans."""
    return (_DISPATCHER, _HTTPX) if takes_httpx(kind, base_url, per_second) else (_DISPATCHER,)


def refuse_unusable_proxy(base_url: str) -> None:
    """Raise UsageError if the environment names a proxy that cannot be used."""
    if named_proxy(base_url) is not None:
        from rdimport.delivery.transport.proxies import proxy_for  # noqa: PLC0415  imports httpx

        proxy_for(base_url)
