"""Both senders over TLS, to a server whose certificate the system trusts or does not."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from pathlib import Path

import pytest
from support.peer import ACCEPTED, Peer, answering, both, sending, serving
from support.waiting import TIMEOUT

from rdimport.delivery.transport import Kind, NotAnswered, NotConnected


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1, and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("tls")
    command = f"{openssl} req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=x"
    command += " -addext subjectAltName=IP:127.0.0.1"
    command += f" -keyout {folder / 'key.pem'} -out {folder / 'cert.pem'}"
    done = subprocess.run(command.split(), check=False, capture_output=True, timeout=TIMEOUT)
    if done.returncode:
        pytest.skip("openssl does not make certificates here")
    return folder / "cert.pem"


@pytest.fixture(params=[ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def tls(request: pytest.FixtureRequest, certificate: Path) -> ssl.SSLContext:
    """The server's side; with TLS 1.3 it sends unsolicited session tickets."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))
    context.minimum_version = context.maximum_version = request.param
    return context


@pytest.fixture
def trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))


@both
@pytest.mark.usefixtures("trusted")
def test_rows_go_over_tls(kind: Kind, tls: ssl.SSLContext) -> None:
    async def main() -> None:
        async with serving(answering, tls) as server, sending(server, kind) as send:
            replies = await asyncio.gather(*(send() for _ in range(4)))
            replies += [await send() for _ in range(20)]
            assert {reply.status for reply in replies} == {200}
            assert server.connections < 24 if kind == "lean" else server.connections == 24

    asyncio.run(main())


@both
@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("said", [b"", ACCEPTED[:-1], b"HTTP/1.1 100 Continue\r\n\r\n"])
def test_a_close_before_a_whole_answer_proves_nothing(
    kind: Kind, said: bytes, tls: ssl.SSLContext
) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.say(said)

    async def main() -> None:
        async with serving(script, tls) as server, sending(server, kind) as send:
            with pytest.raises(NotAnswered, match=r"net\.closed"):
                await send()

    asyncio.run(main())


@both
@pytest.mark.usefixtures("trusted")
def test_a_server_that_closes_after_each_answer_costs_no_row(
    kind: Kind, tls: ssl.SSLContext
) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.say(ACCEPTED)

    async def main() -> None:
        async with serving(script, tls) as server, sending(server, kind) as send:
            for _ in range(20):
                assert (await send()).status == 200
            assert server.connections == 20

    asyncio.run(main())


@both
def test_a_certificate_that_is_not_trusted_proves_that_nothing_left(
    kind: Kind, tls: ssl.SSLContext
) -> None:
    async def script(peer: Peer) -> None:
        assert not await peer.request()

    async def main() -> None:
        async with serving(script, tls) as server, sending(server, kind) as send:
            with pytest.raises(NotConnected, match=r"net\.tls"):
                await send()

    asyncio.run(main())
