"""The running sandbox: its process, its socket, its faults, and how it ends."""

from __future__ import annotations

import contextlib
import http.client
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from support.posix import interrupt
from support.processes import Process, dying_with_parent
from support.waiting import TIMEOUT, until
from support.web import NO_TLS

from rdimport.sandbox import Faults, SandboxOptions, running
from rdimport.sandbox.embedded import RunningSandbox, SandboxError
from rdimport.sandbox.faults import GARBAGE

HEADERS = {"content-type": "application/json", "accept": "application/json"}


def body(email: str = "ana@exemplo.com.br", **payload: object) -> bytes:
    payload = {"conversion_identifier": "Feira", "email": email, **payload}
    envelope = {"event_type": "CONVERSION", "event_family": "CDP", "payload": payload}
    return json.dumps(envelope).encode()


def post(sandbox: RunningSandbox, content: bytes | None = None, key: str = "") -> httpx.Response:
    return httpx.post(
        f"{sandbox.base_url}/platform/conversions",
        params={"api_key": key or sandbox.api_key},
        content=body() if content is None else content,
        headers=HEADERS,
        timeout=TIMEOUT,
        verify=NO_TLS,
    )


@pytest.fixture(scope="module")
def shared() -> Iterator[RunningSandbox]:
    options = SandboxOptions(plan="none", lead_limit=0, accounts=("default", "filial"))
    with running(options) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(shared: RunningSandbox) -> RunningSandbox:
    shared.clear()
    shared.set_faults(Faults())
    return shared


def test_what_arrives_can_be_read_in_the_order_in_which_it_came(sandbox: RunningSandbox) -> None:
    emails = [f"p{number}@exemplo.com.br" for number in range(30)]
    assert {post(sandbox, body(email, nome="x")).status_code for email in emails} == {200}
    assert [payload["email"] for payload in sandbox.conversions()] == emails
    assert [contact["email"] for contact in sandbox.contacts()] == emails
    assert sandbox.dropped() == {"nome": 30}
    assert sandbox.requests == 30


def test_a_refused_request_is_there_to_be_read_with_its_reason(sandbox: RunningSandbox) -> None:
    assert post(sandbox, body("nobody")).status_code == 400
    (refused,) = sandbox.refused()
    assert (refused["status"], refused["reason"]) == (400, "fields")
    assert refused["detail"] == "$.payload.email: INVALID_EMAIL_FORMAT"
    assert sandbox.conversions() == []


def test_a_key_is_made_and_switched_at_run_time(sandbox: RunningSandbox) -> None:
    key = sandbox.create_key("loja", account="filial")
    assert post(sandbox, key=key).status_code == 200
    sandbox.switch_key(key, active=False)
    assert post(sandbox, key=key).status_code == 401
    assert sandbox.timeline()[0]["account"] == "filial"
    with pytest.raises(SandboxError, match="already has a key"):
        sandbox.create_key("loja", account="filial")


def test_a_body_over_the_limit_gets_413_even_while_it_is_still_being_sent(
    sandbox: RunningSandbox,
) -> None:
    assert post(sandbox, b" " * 3_000_000).status_code == 413
    assert post(sandbox, body() + b" " * (200_000 - len(body()))).status_code == 200


def test_only_the_conversions_count_as_requests_not_the_page(sandbox: RunningSandbox) -> None:
    sandbox.counts()
    assert sandbox.requests == 0


@pytest.mark.parametrize("fault", ["", "throttle", "reset_before", "hang_after"])
def test_what_was_sent_before_everything_is_cleared_never_counts_afterwards(
    sandbox: RunningSandbox, fault: str
) -> None:
    """From a client that waits for its answer, and from one that was killed."""
    faults = Faults(latency=0.3, **({fault: 1.0} if fault else {}))
    with contextlib.ExitStack() as open_ones:
        for number in range(20):
            sandbox.set_faults(faults)
            connection = open_ones.enter_context(connect(sandbox))
            connection.sendall(raw_request(sandbox))
            if number % 2:
                connection.close()
            sandbox.clear()
        sandbox.set_faults(Faults(latency=0.3))
        # Sent last, with the same latency: once it is answered, so is everything before it.
        assert post(sandbox, body("last@exemplo.com.br")).status_code == 200
    assert sandbox.counts() == {"requests": 1, "accepted": 1, "refused": 0, "throttled": 0}
    assert [payload["email"] for payload in sandbox.conversions()] == ["last@exemplo.com.br"]
    assert sandbox.refused() == []


# Faults at the socket. A client cannot know `stored`.


def connect(sandbox: RunningSandbox) -> socket.socket:
    where = urlsplit(sandbox.base_url)
    return socket.create_connection((where.hostname, where.port), timeout=TIMEOUT)


def raw_request(sandbox: RunningSandbox) -> bytes:
    return (
        f"POST /platform/conversions?api_key={sandbox.api_key} HTTP/1.1\r\nhost: x\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body())}\r\n\r\n"
    ).encode() + body()


def raw_answer(sandbox: RunningSandbox) -> tuple[bytes, bool]:
    """All bytes returned for one request, and whether the connection was reset."""
    with connect(sandbox) as connection:
        received = b""
        try:
            connection.sendall(raw_request(sandbox))
            while part := connection.recv(65_536):
                received += part
        except ConnectionResetError:
            return received, True
        return received, False


@pytest.mark.parametrize(("fault", "stored"), [("reset_before", 0), ("reset_after", 1)])
def test_a_reset_is_a_real_one_before_or_after_the_conversion_was_stored(
    sandbox: RunningSandbox, fault: str, stored: int
) -> None:
    sandbox.set_faults(Faults(**{fault: 1.0}))
    assert raw_answer(sandbox) == (b"", True)
    assert len(sandbox.conversions()) == stored
    assert sandbox.requests == 1


@pytest.mark.parametrize(("fault", "stored"), [("hang_before", 0), ("hang_after", 1)])
def test_a_hang_answers_nothing_until_the_client_gives_up(
    sandbox: RunningSandbox, fault: str, stored: int
) -> None:
    sandbox.set_faults(Faults(**{fault: 1.0}))
    url = f"{sandbox.base_url}/platform/conversions"
    given = httpx.Timeout(TIMEOUT, read=0.5)
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(
            url, params={"api_key": sandbox.api_key}, content=body(), headers=HEADERS, timeout=given
        )
    until(lambda: sandbox.requests and len(sandbox.conversions()) == stored)


def test_an_answer_that_is_cut_ends_before_the_length_that_it_promised(
    sandbox: RunningSandbox,
) -> None:
    sandbox.set_faults(Faults(cut=1.0))
    with pytest.raises(httpx.RemoteProtocolError, match="complete message body"):
        post(sandbox)
    assert len(sandbox.conversions()) == 1


@pytest.mark.parametrize("fault", ["fail_after", "garbage"])
def test_a_failing_answer_may_hide_a_stored_conversion(sandbox: RunningSandbox, fault: str) -> None:
    sandbox.set_faults(Faults(**{fault: 1.0}))
    answer = post(sandbox)
    assert answer.status_code >= 500 or answer.content in GARBAGE
    assert len(sandbox.conversions()) == 1


def test_slow_bytes_come_one_by_one_and_all_of_them(sandbox: RunningSandbox) -> None:
    sandbox.set_faults(Faults(slow=0.002))
    url = f"{sandbox.base_url}/platform/conversions"
    with httpx.stream(
        "POST", url, params={"api_key": sandbox.api_key}, content=body(), headers=HEADERS
    ) as answer:
        pieces = list(answer.iter_raw())
    read = b"".join(pieces)
    assert set(json.loads(read)) == {"event_uuid"}
    assert len(pieces) > 1  # a busy client finds several bytes at once
    assert answer.elapsed.total_seconds() >= 0.002 * (len(read) - 1)


def test_latency_delays_the_answer(sandbox: RunningSandbox) -> None:
    sandbox.set_faults(Faults(latency=0.2))
    assert post(sandbox).elapsed.total_seconds() >= 0.2


def test_an_idle_connection_is_closed_after_the_set_time_and_not_before(
    sandbox: RunningSandbox,
) -> None:
    where = urlsplit(sandbox.base_url)
    connection = http.client.HTTPConnection(str(where.hostname), where.port, timeout=TIMEOUT)
    path = f"/platform/conversions?api_key={sandbox.api_key}"
    for _ in range(2):
        connection.request("POST", path, body(), HEADERS)
        assert connection.getresponse().read()
    sandbox.set_faults(Faults(close_idle=0.05))
    connection.request("POST", path, body(), HEADERS)
    assert connection.getresponse().read()
    assert connection.sock.recv(1) == b""
    connection.close()


def test_faults_that_make_no_sense_are_refused_and_the_old_ones_stay(
    sandbox: RunningSandbox,
) -> None:
    url = f"{sandbox.base_url}/sandbox/api/faults"
    token = sandbox.page_url.partition("token=")[2]
    headers = {"authorization": f"Bearer {token}"}
    assert httpx.put(url, json={"boom": 1}, headers=headers).status_code == 400
    assert post(sandbox).status_code == 200


# Access.


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"authorization": "Bearer wrong"}, 401),
        ({"cookie": "rdimport_sandbox=wrong"}, 401),
        ({"host": "evil.example.com"}, 403),
    ],
)
def test_nobody_sees_the_data_without_the_token_or_through_a_foreign_name(
    sandbox: RunningSandbox, headers: dict[str, str], status: int
) -> None:
    answer = httpx.get(f"{sandbox.base_url}/sandbox/api/contacts", headers=headers)
    assert answer.status_code == status


def test_a_change_that_comes_from_another_site_is_refused(sandbox: RunningSandbox) -> None:
    token = sandbox.page_url.partition("token=")[2]
    headers = {"authorization": f"Bearer {token}", "origin": "https://example.com"}
    url = f"{sandbox.base_url}/sandbox/api/data"
    assert httpx.delete(url, headers=headers).status_code == 403
    headers["origin"] = sandbox.base_url
    assert httpx.delete(url, headers=headers).status_code == 204


# Start and end.


def test_it_is_gone_after_the_block_also_when_the_block_raises() -> None:
    class Boom(Exception):  # noqa: N818
        pass

    def use() -> None:
        nonlocal url
        with running(SandboxOptions(faults=Faults(hang_before=1.0))) as sandbox:
            url = sandbox.base_url
            waiting.append(clients.submit(raw_answer, sandbox))
            until(lambda: sandbox.requests == 1)  # it hangs, but the block still ends
            raise Boom

    url = ""
    waiting: list[Future[tuple[bytes, bool]]] = []
    with ThreadPoolExecutor(1) as clients:
        with pytest.raises(Boom):
            use()
        waiting[0].result(TIMEOUT)  # it has ended, however that is reported
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)


def test_it_ends_with_its_parent_even_when_that_is_killed() -> None:
    code = (
        "import sys\nfrom rdimport.sandbox import running\n"
        "with running() as s:\n    print(s.base_url, flush=True); sys.stdin.read()\n"
    )
    with Process(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=dying_with_parent(),
    ) as parent:
        assert parent.stdout is not None
        url = urlsplit(parent.stdout.readline().strip())
        with socket.create_connection((url.hostname, url.port), timeout=TIMEOUT) as connection:
            parent.kill()
            parent.wait()
            # A connection that was never accepted is reset, another one is closed.
            with contextlib.suppress(ConnectionResetError):
                assert connection.recv(1) == b""


def test_conversions_that_were_answered_are_in_the_directory_after_the_end(tmp_path: Path) -> None:
    options = SandboxOptions(data=tmp_path, new_key="import")
    with running(options) as sandbox:
        assert {post(sandbox, body(f"p{n}@exemplo.com.br")).status_code for n in range(20)} == {200}
        key = sandbox.api_key
    with running(SandboxOptions(data=tmp_path)) as sandbox:
        assert len(sandbox.conversions()) == 20
        assert post(sandbox, key=key).status_code == 200


def test_a_sandbox_that_cannot_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(SandboxError, match="cannot keep its data"),
        running(SandboxOptions(data=tmp_path / "file")),
    ):
        pass


def test_the_command_prints_its_address_and_ends_in_good_order_at_ctrl_c(tmp_path: Path) -> None:
    code = (
        "from rdimport.sandbox import *\n"
        "serve(SandboxOptions(port=0, new_key='demo', plan='none'))\n"
    )
    with Process(
        [sys.executable, "-c", code],
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        preexec_fn=dying_with_parent(),
    ) as process:
        assert process.stderr is not None
        lines = [process.stderr.readline() for _ in range(5)]
        url = lines[0].split()[-1].partition("?")[0]
        key = lines[2].split()[-1]
        answer = httpx.post(
            f"{url}platform/conversions", params={"api_key": key}, content=body(), headers=HEADERS
        )
        interrupt(process, signal.SIGINT)
        rest = process.stderr.read()
        assert process.wait() == 0
    assert answer.status_code == 200
    assert "Only this machine" in lines[1]
    assert key not in rest
    assert "Traceback" not in rest


def test_a_port_that_is_taken_is_a_sentence_and_no_traceback() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code = (
            "from rdimport.sandbox import *\nfrom rdimport.core.errors import *\n"
            f"try: serve(SandboxOptions(port={port}))\nexcept UsageError as e: print(e)\n"
        )
        result = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
    assert f"port {port}" in result.stdout
    assert "--port" in result.stdout


def test_a_request_that_waited_while_all_was_cleared_is_forgotten_too(
    sandbox: RunningSandbox,
) -> None:
    sandbox.set_faults(Faults(latency=3.0))  # cleared long before it ends
    where = urlsplit(sandbox.base_url)
    path = f"/platform/conversions?api_key={sandbox.api_key}"
    with contextlib.closing(
        http.client.HTTPConnection(str(where.hostname), where.port, timeout=TIMEOUT)
    ) as waiting:
        waiting.request("POST", path, body(), HEADERS)
        sandbox.clear()
        with pytest.raises(ConnectionError):
            waiting.getresponse()
    assert (sandbox.requests, sandbox.conversions()) == (0, [])
