"""Access control for the page, which shows personal data and API keys.

A foreign web page can make the browser call a loopback address. So the Host header must be a
loopback name or the server's own, and a request that changes anything must have this origin. Every
request needs the token, because other users of the machine can connect to loopback too.
"""

from __future__ import annotations

import hmac
from http.cookies import CookieError, SimpleCookie
from typing import Final, Literal
from urllib.parse import parse_qs, urlsplit

from rdimport.core.messages import gettext, language_of, speaking, untranslated
from rdimport.sandbox.app import ASGIApp, Receive, Scope, Send
from rdimport.sandbox.page import words

_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


class Access:
    """ASGI middleware around the page and its API."""

    def __init__(self, app: ASGIApp, token: str, *, local: bool) -> None:
        self._app = app
        self._token = token
        self._local = local

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or respond with the reason for the refusal."""
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        host = headers.get("host", "")
        name, origin = _part("hostname", f"//{host}"), _part("netloc", headers.get("origin", ""))
        if name is None or origin is None:
            await _refuse(send, headers, 400, untranslated("Host or Origin is malformed."))
        elif self._local and name not in _LOOPBACK:
            await _refuse(
                send, headers, 403, untranslated("The sandbox answers to localhost only.")
            )
        elif not _same_origin(scope, headers, origin, host):
            await _refuse(send, headers, 403, untranslated("The request comes from another site."))
        elif self._is_token(_token_of_query(scope)):
            await self._enter(scope, send)
        elif self._is_token(_token_of_headers(scope, headers)):
            await self._app(scope, receive, send)
        else:
            await _refuse(
                send,
                headers,
                401,
                untranslated("Open the address with its token, as the sandbox printed it."),
            )

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self._token.encode())

    async def _enter(self, scope: Scope, send: Send) -> None:
        """Move the token from the URL, which is copied and logged, to a cookie."""
        secure = "; Secure" if scope["scheme"] == "https" else ""
        cookie = f"{_cookie(scope)}={self._token}; Path=/; HttpOnly; SameSite=Strict{secure}"
        # Not a redirect: on one, a browser withholds a strict cookie that a foreign link has set.
        headers = ((b"set-cookie", cookie.encode()), (b"refresh", b"0; url=/"))
        await _say(send, 200, "Welcome.", headers)


def _part(part: Literal["hostname", "netloc"], url: str) -> str | None:
    """A part of a URL; empty if absent, None if the URL is malformed."""
    try:
        split = urlsplit(url)
        _port = split.port
        return str(getattr(split, part) or "")
    except ValueError:
        return None


def _same_origin(scope: Scope, headers: dict[str, str], origin: str, host: str) -> bool:
    return scope["method"] in ("GET", "HEAD") or "origin" not in headers or origin == host


def _token_of_query(scope: Scope) -> str:
    query: bytes = scope["query_string"]
    return parse_qs(query.decode("latin-1")).get("token", [""])[0]


def _cookie(scope: Scope) -> str:
    """The cookie's name with the port, because browsers share cookies among all ports of a host."""
    return f"rdimport_sandbox_{scope['server'][1]}"


def _token_of_headers(scope: Scope, headers: dict[str, str]) -> str:
    scheme, _, bearer = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return bearer.strip()
    try:
        cookies: SimpleCookie = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return ""
    name = _cookie(scope)
    return str(cookies[name].value) if name in cookies else ""


async def _refuse(send: Send, headers: dict[str, str], status: int, text: str) -> None:
    """Respond with the reason, in the browser's language."""
    with speaking(language_of(words.choose("", headers.get("accept-language", "")))):
        translated = gettext(text)
    await _say(send, status, translated)


async def _say(
    send: Send, status: int, text: str, headers: tuple[tuple[bytes, bytes], ...] = ()
) -> None:
    body = text.encode()
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", b"text/plain; charset=utf-8"),
                (b"content-length", b"%d" % len(body)),
                *headers,
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})
