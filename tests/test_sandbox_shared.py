"""The sandbox on a machine with several users, or under attack."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest
from support.waiting import TIMEOUT

from rdimport.core.errors import UsageError
from rdimport.sandbox import SandboxOptions, running
from rdimport.sandbox.embedded import RunningSandbox

DEEP = b"[" * 200_000


@pytest.fixture(scope="module")
def sandbox() -> Iterator[RunningSandbox]:
    with running(SandboxOptions(plan="none", header_timeout=1)) as box:
        yield box


def headers(box: RunningSandbox, **more: str) -> dict[str, str]:
    return {"authorization": f"Bearer {box.page_url.partition('token=')[2]}", **more}


def test_on_loopback_too_nothing_is_shown_without_the_token(sandbox: RunningSandbox) -> None:
    for path in ("/", "/sandbox/api/keys", "/sandbox/api/conversions", "/sandbox/api/export.csv"):
        assert httpx.get(f"{sandbox.base_url}{path}").status_code == 401, path
        assert httpx.get(f"{sandbox.base_url}{path}", headers=headers(sandbox)).status_code == 200
    assert httpx.get(sandbox.page_url).status_code == 200


@pytest.mark.parametrize(
    "token", ["t", "fifteen-letters", "with a blank in it", "ação-ação-ação-ação"]
)
def test_a_token_that_can_be_guessed_or_is_no_part_of_an_address_is_refused(token: str) -> None:
    with pytest.raises(UsageError) as refused:
        SandboxOptions(token=token)
    assert "16" in str(refused.value)
    assert token not in str(refused.value).split()
    SandboxOptions(token="sixteen-letters-")


@pytest.mark.parametrize(
    "wrong", [{"host": "[::1"}, {"host": "["}, {"host": "a:b"}, {"origin": "http://["}]
)
def test_a_malformed_host_or_origin_is_the_clients_mistake(
    sandbox: RunningSandbox, wrong: dict[str, str]
) -> None:
    url = f"{sandbox.base_url}/sandbox/api/data"
    answer = httpx.delete(url, headers=headers(sandbox, **wrong))
    assert answer.status_code == 400


@pytest.mark.parametrize("body", [DEEP, b'{"a":' * 30_000, b"\xff", b"nobody", b"NaN"])
def test_a_document_that_cannot_be_read_is_the_clients_mistake(
    sandbox: RunningSandbox, body: bytes
) -> None:
    at = f"{sandbox.base_url}/sandbox/api"
    for method, path in (("POST", "keys"), ("PUT", "faults"), ("PUT", "webhook")):
        answer = httpx.request(method, f"{at}/{path}", content=body, headers=headers(sandbox))
        assert answer.status_code == 400, path
    answer = httpx.post(
        f"{sandbox.base_url}/platform/conversions?api_key={sandbox.api_key}",
        content=body,
        headers={"content-type": "application/json"},
    )
    assert answer.status_code == 400


@pytest.mark.parametrize("said", [b"", b"G", b"GET / HTTP/1.1\r\nHost: localhost\r\nX: "])
@pytest.mark.parametrize("earlier", [False, True])
def test_a_client_that_does_not_end_its_head_is_sent_away(
    sandbox: RunningSandbox, said: bytes, *, earlier: bool
) -> None:
    place = urlsplit(sandbox.base_url)
    with socket.create_connection((place.hostname, place.port), TIMEOUT) as connection:
        if earlier:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert connection.recv(65_536).startswith(b"HTTP/1.1 401")
            said = said or b"G"
        connection.sendall(said)
        try:
            while connection.recv(65_536):
                pass
        except ConnectionResetError:
            pass


def test_a_request_whose_body_takes_longer_than_its_head_may_is_answered(
    sandbox: RunningSandbox,
) -> None:
    def slowly() -> Iterator[bytes]:
        import time  # noqa: PLC0415

        yield b"no"
        time.sleep(1.5)
        yield b"body"

    url = f"{sandbox.base_url}/platform/conversions?api_key={sandbox.api_key}"
    answer = httpx.post(url, content=slowly(), headers={"content-type": "application/json"})
    assert answer.status_code == 400
