"""A proxy named in the environment: used, bypassed or refused, and its password never shown."""

from __future__ import annotations

import asyncio
import base64
import logging
import socket
from collections.abc import Callable

import pytest
from support.command import Workspace
from support.peer import ACCEPTED, KEY, Peer, answering, exchange, sending, serving

from rdimport.core.errors import UsageError
from rdimport.delivery.transport import (
    NotConnected,
    Reply,
    Timeouts,
    connected,
)
from rdimport.delivery.transport.proxies import proxy_for
from rdimport.destination.rdstation.endpoint import RDStation

HTTPS = "https://api.example.com"
HTTP = "http://rd.example.com"
PASSWORD = "pr0xy/p4ss w0rd"
IN_URL = "ana:pr0xy%2Fp4ss%20w0rd@"
BASIC = base64.b64encode(f"ana:{PASSWORD}".encode()).decode()
NAMES = [
    f"{name}{tail}" for name in ("http", "https", "all", "no") for tail in ("_proxy", "_PROXY")
]


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Set exactly these proxies in the environment."""
    for name in [*NAMES, *(name.upper() for name in NAMES)]:
        monkeypatch.delenv(name, raising=False)

    def of(**variables: str) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return of


def through_proxy(say: bytes, base_url: str, environment: Callable[..., None]) -> tuple[str, bytes]:
    """The result of a row sent through a proxy that answers `say`, and the head that the proxy
    read.
    """
    seen = b""
    station = RDStation(KEY, base_url=base_url, insecure_http=True)

    async def script(peer: Peer) -> None:
        nonlocal seen
        if base_url == HTTP:
            seen = await peer.request()
        else:
            seen = await peer._reader.readuntil(b"\r\n\r\n")
        await peer.say(say)

    async def main() -> str:
        async with serving(script) as server:
            address = server.base_url.replace("//", f"//{IN_URL}")
            environment(HTTP_PROXY=address, HTTPS_PROXY=address)
            async with connected(base_url, {"api_key": KEY}, 1, Timeouts()) as transport:
                try:
                    reply = await exchange(transport, station.build("{}"))
                except NotConnected as error:
                    return str(error)
                return reply.body.decode()

    return asyncio.run(main()), seen


@pytest.mark.parametrize("base_url", [HTTP, HTTPS])
@pytest.mark.parametrize("host", ["127.0.0.1", "proxy.invalid"])
def test_a_proxy_that_cannot_be_reached_is_named_and_not_the_endpoint(
    environment: Callable[..., None], host: str, base_url: str
) -> None:
    async def main(address: str) -> None:
        environment(HTTP_PROXY=f"http://{IN_URL}{address}", HTTPS_PROXY=f"http://{IN_URL}{address}")
        station = RDStation(KEY, base_url=base_url, insecure_http=True)
        async with connected(base_url, {"api_key": KEY}, 1, Timeouts()) as transport:
            await exchange(transport, station.build("{}"))

    with socket.socket() as taken:  # bound, but nobody listens
        taken.bind(("127.0.0.1", 0))
        address = f"{host}:{taken.getsockname()[1]}"
        with pytest.raises(NotConnected, match=f"^net.proxy_unreached {address}$"):
            asyncio.run(main(address))


def test_a_row_goes_through_a_proxy_with_its_password(environment: Callable[..., None]) -> None:
    reply, seen = through_proxy(ACCEPTED, HTTP, environment)
    assert "event_uuid" in reply
    line = f"POST {HTTP}/platform/conversions?api_key={KEY} HTTP/1.1\r\n"
    assert seen.startswith(line.encode())
    assert f"Proxy-Authorization: Basic {BASIC}".encode() in seen


def test_a_proxy_that_opens_no_tunnel_proves_that_nothing_left(
    environment: Callable[..., None],
) -> None:
    refusal = b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n"
    end, seen = through_proxy(refusal, HTTPS, environment)
    assert end == "net.proxy_error 407 Who are you"
    assert seen.startswith(b"CONNECT api.example.com:443 HTTP/1.1\r\n")
    assert KEY.encode() not in seen


@pytest.mark.parametrize(
    "say",
    [
        b"",
        b"HTTP/1.1 200",
        b"\x00",
        b"HTTP/1.1 200 OK\r\n\r\nno TLS",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 502 X\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_whatever_a_proxy_says_instead_of_opening_a_tunnel_proves_the_same(
    say: bytes, environment: Callable[..., None]
) -> None:
    end, _ = through_proxy(say, HTTPS, environment)
    assert end.startswith("net."), end


@pytest.mark.parametrize(
    "repeated",
    [
        PASSWORD,
        f"ana:{PASSWORD}",
        f"Basic {BASIC}",
        "pr0xy%2Fp4ss%20w0rd",
        "pr0xy\\/p4ss w0rd",
    ],
)
@pytest.mark.parametrize("base_url", [HTTP, HTTPS])
def test_no_proxy_gives_its_password_away(
    repeated: str,
    base_url: str,
    environment: Callable[..., None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore", "asyncio"):
        caplog.set_level(logging.DEBUG, logger=name)
    body = f'{{"errors":[{{"error_message":"{repeated}"}}]}}'.encode()
    size = len(body)
    said = f"HTTP/1.1 407 {repeated}\r\nX: {repeated}\r\nContent-Length: {size}\r\n\r\n".encode()
    end, _ = through_proxy(said + body, base_url, environment)
    shown = [end, *(record.getMessage() + str(record.args) for record in caplog.records)]
    for text in shown:
        assert "p4ss" not in text
        assert BASIC not in text
    if base_url == HTTP:
        assert "***" in end


@pytest.mark.parametrize(
    ("base_url", "variables", "used"),
    [
        (HTTPS, {"HTTPS_PROXY": "http://p:1"}, "http://p:1"),
        (HTTPS, {"https_proxy": "p:1"}, "http://p:1"),
        (HTTPS, {"ALL_PROXY": "https://p"}, "https://p"),
        (HTTPS, {"HTTPS_PROXY": "http://p:1", "ALL_PROXY": "socks5://q:1"}, "http://p:1"),
        (HTTPS, {"HTTP_PROXY": "http://p:1"}, None),
        (HTTPS, {"HTTPS_PROXY": ""}, None),
        (HTTPS, {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "example.com"}, None),
        (HTTPS, {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "localhost, .example.com"}, None),
        (HTTPS, {"HTTPS_PROXY": "http://p:1", "no_proxy": "*"}, None),
        (HTTPS, {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "ample.com"}, "http://p:1"),
        (HTTPS + ":8443", {"ALL_PROXY": "p:1", "NO_PROXY": "api.example.com:8443"}, None),
        (
            "https://ana:p4ss@api.example.com:8443",
            {"ALL_PROXY": "p:1", "NO_PROXY": "api.example.com:8443"},
            None,
        ),
        ("http://127.0.0.1:9", {"HTTP_PROXY": "http://p:1"}, None),
        ("http://localhost:9", {"ALL_PROXY": "socks5://p:1"}, None),
        ("http://[::1]:9", {"ALL_PROXY": "nonsense://"}, None),
    ],
)
def test_the_proxy_is_the_one_that_the_environment_names(
    base_url: str,
    variables: dict[str, str],
    used: str | None,
    environment: Callable[..., None],
) -> None:
    environment(**variables)
    proxy = proxy_for(base_url)
    assert (proxy and str(proxy.url)) == used


UNUSABLE = [
    "socks5://ana:p4ss@p:1",
    "socks5h://ana:p4ss@p:1",
    "SOCKS4://ana:p4ss@p:1",
    "socks://ana:p4ss@p:1",
    "ftp://ana:p4ss@p:1",
    "http://",
    "http://ana:p4ss@",
    "http://ana:p4ss@p:0",
    "http://ana:p4ss@p:99999",
    "http://ana:p4ss@p:port",
    "http://ana:p4ss#p4ss@p:1",
    "http://ana:1234/p4ss@p:1",
    "http://ana:1234?p4ss@p:1",
    "http://[p4ss:1",
    f"http://ana:p4ss@{'p' * 64}.com:1",
]


@pytest.mark.parametrize("named", UNUSABLE)
def test_a_proxy_that_cannot_be_used_is_refused_and_not_repeated(
    named: str, environment: Callable[..., None]
) -> None:
    environment(HTTPS_PROXY=named)
    with pytest.raises(UsageError) as refused:
        proxy_for(HTTPS)
    shown = f"{refused.value} {refused.value.remedy}"
    assert "HTTPS_PROXY" in shown
    assert "NO_PROXY=api.example.com" in shown
    assert "p4ss" not in shown
    assert ("SOCKS" in shown) == named.lower().startswith("socks")


def test_a_run_that_would_need_a_socks_proxy_ends_with_2_before_anything_is_sent(
    workspace: Workspace, environment: Callable[..., None]
) -> None:
    environment(ALL_PROXY="socks5://ana:p4ss@127.0.0.1:1")
    workspace.key = KEY
    workspace.write("list.csv", "E-mail\na@exemplo.com.br\n")
    workspace.write("map.yaml", "conversion_identifier: x\nfields: {email: E-mail}\n")
    done = workspace.do("run", "list.csv", "--mapping", "map.yaml", "--base-url", HTTPS)
    assert done.code == 2
    assert "SOCKS proxies are not supported" in done.err
    assert "p4ss" not in done.err


def test_a_loopback_endpoint_needs_no_proxy(environment: Callable[..., None]) -> None:
    environment(ALL_PROXY="socks5://p:1", HTTP_PROXY="http://127.0.0.1:1")

    async def main() -> Reply:
        async with serving(answering) as server, sending(server, "httpx") as send:
            return await send()

    assert asyncio.run(main()).status == 200
