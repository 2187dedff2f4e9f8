"""Notifications of how jobs ended: by mail, by HTTP, by a dead man's switch, by metrics."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session
from support.command import Workspace
from support.lists import MAPPING, people

from rdimport.core.errors import ExitCode
from rdimport.notify import JobEnding, ping, send, text
from rdimport.sandbox.embedded import RunningSandbox

# apprise and its libraries use what Python 3.13 removes
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

RUN = ("jobs", "run", "--config", "rdimport.toml", "--quiet")
STATUS = {"busy": 503, "gone": 404}


class Web:
    """An HTTP server on loopback, and the requests it received."""

    def __init__(self) -> None:
        self.got: list[str] = []
        self.posted: list[dict[str, str]] = []
        web = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                web.got.append(self.path)
                self._answer()

            def do_POST(self) -> None:
                size = int(self.headers["Content-Length"])
                web.posted.append(json.loads(self.rfile.read(size)))
                self._answer()

            def _answer(self) -> None:
                status = STATUS.get(self.path.split("/")[1])
                self.send_response(status or 200)
                body = b"this is not gzip" if "no-gzip" in self.path else b""
                self.send_header("Content-Encoding", "gzip" if body else "identity")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port


@pytest.fixture
def web() -> Iterator[Web]:
    found = Web()
    thread = threading.Thread(target=found.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield found
    found.server.shutdown()
    thread.join()
    found.server.server_close()


class Mailbox:
    """What an SMTP server on loopback received."""

    def __init__(self) -> None:
        self.letters: list[bytes] = []

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.letters.append(bytes(envelope.content or b""))
        return "250 OK"


@contextmanager
def smtp(mailbox: Mailbox) -> Iterator[int]:
    """An SMTP server on loopback; its port."""
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(
        loop.create_server(lambda: SMTP(mailbox, loop=loop), "127.0.0.1", 0)
    )
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.fixture
def secret(key_of: Callable[[str], str]) -> str:
    return key_of("acme")


@pytest.fixture
def notifying(workspace: Workspace, secret: str, web: Web) -> Workspace:
    """One client whose job tells a web server and pings another one."""
    workspace.write("acme.key", secret)
    (workspace.home / "acme.key").chmod(0o600)
    workspace.key = None
    workspace.write("list.yaml", MAPPING)
    workspace.write("list.csv", people(3))
    settings(workspace, f"json://127.0.0.1:{web.port}/hook", web)
    return workspace


def settings(workspace: Workspace, url: str, web: Web, on: str = "") -> None:
    workspace.write("url", url)
    (workspace.home / "url").chmod(0o600)
    workspace.write(
        "rdimport.toml",
        f'[defaults]\nlang = "pt-BR"\nnotify = "ops"\nmetrics_file = "jobs.prom"\n'
        '[accounts.acme]\napi_key = {file = "acme.key"}\nquota = "none"\n'
        '[jobs.fair]\naccount = "acme"\nfiles = "list.csv"\nmapping = "list.yaml"\n'
        f'ping = "http://127.0.0.1:{web.port}/beat?a=1"\n'
        f'[notify.ops]\nurl = {{file = "url"}}\n{on}\n',
    )


def test_a_known_problem_is_reported_once_and_its_end_too(
    notifying: Workspace, box: RunningSandbox, web: Web
) -> None:
    assert notifying.here(*RUN).code == 0
    assert (web.posted, web.got) == ([], ["/beat?a=1"]), "nothing to tell"
    notifying.write("list.csv", people(3) + "ninguem-aqui,Fulano de Tal\n")
    failed = notifying.here(*RUN)
    assert failed.code == 1
    assert f"--base-url {box.base_url} " in failed.out, "a command is whole, whoever is pinged"
    (message,) = web.posted
    assert message["title"] == "rdimport: fair (conta acme): algumas linhas precisam de atenção"
    assert "- 1 linha: email." in message["message"]
    assert f"rdimport status --job fair --state-dir {notifying.state}" in message["message"]
    assert "ninguem" not in message["message"]
    assert "Fulano" not in message["message"]
    assert notifying.here(*RUN).code == 1
    assert len(web.posted) == 1, "known since the last night"
    notifying.write("list.csv", people(3) + "outro@exemplo.com.br,Fulano\n")
    assert notifying.here(*RUN).code == 0
    assert web.posted[1]["title"].endswith("todas as linhas chegaram")
    assert web.got == ["/beat?a=1"] * 4


def test_a_job_that_cannot_begin_is_reported_once_and_fails_the_switch(
    notifying: Workspace, web: Web
) -> None:
    (notifying.home / "list.csv").unlink()
    for _ in range(2):
        assert notifying.here(*RUN).code == 2
    (message,) = web.posted
    assert "list.csv" in message["message"]
    assert web.got == ["/beat/fail?a=1"] * 2


def test_a_mail_arrives(notifying: Workspace, box: RunningSandbox, web: Web) -> None:
    mailbox = Mailbox()
    with smtp(mailbox) as port:
        settings(
            notifying,
            f"mailto://127.0.0.1:{port}/?from=rdimport@exemplo.com.br&to=ops@exemplo.com.br"
            "&mode=insecure",
            web,
            'on = ["always"]',
        )
        done = notifying.here(*RUN)
    assert (done.code, done.err) == (0, "")
    (letter,) = mailbox.letters
    mail = message_from_bytes(letter, policy=policy.default)
    assert mail["subject"] == "rdimport: fair (conta acme): todas as linhas chegaram"
    body = mail.get_body()
    assert body is not None
    assert "aceita" in body.get_content()


@contextmanager
def dripping() -> Iterator[int]:
    """The port of a server whose answer never ends: a byte at intervals."""
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with suppress(OSError):
                self.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
                while not over.wait(0.05):
                    self.wfile.write(b"x")
                    self.wfile.flush()

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
    try:
        yield server.server_port
    finally:
        over.set()
        server.shutdown()
        server.server_close()


def test_a_server_that_never_ends_its_answer_is_not_waited_for() -> None:
    message = text("fair", "acme", JobEnding(ExitCode.DONE), "rdimport status")
    with dripping() as port:
        assert "within 0.2 s" in ping(f"http://127.0.0.1:{port}/", fine=True, patience=0.2)
        assert "ops" in send("ops", f"json://127.0.0.1:{port}/", message, patience=0.2)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("json://127.0.0.1:9/secret-hook", "ops (json://127.0.0.1:9) "),
        ("json://127.0.0.1:9/secret-hook", "Connection refused"),
        ("json://me:secret-hook@127.0.0.1:{port}/busy", "ops (json://127.0.0.1:{port}) "),
        ("json://127.0.0.1:{port}/busy/secret-hook", "error=503"),
        ("nothing://at-all/secret-hook", "ops (nothing://…) "),
        ("tgram://secret-hook/1", "ops (tgram://…) "),
        ("secret-hook", "ops (…) "),
    ],
)
def test_what_cannot_be_told_changes_nothing_and_shows_no_secret(
    notifying: Workspace, box: RunningSandbox, web: Web, url: str, said: str
) -> None:
    settings(notifying, url.format(port=web.port), web, 'on = ["always"]')
    done = notifying.here(*RUN)
    assert (done.code, len(box.conversions())) == (0, 3)
    assert said.format(port=web.port) in done.err, done.err
    assert "A importação não é afetada. Confira este endereço" in done.err
    assert "secret" not in done.err
    assert "hook" not in done.err
    (notifying.home / "url").unlink()
    assert notifying.here(*RUN).code == 0


@pytest.mark.parametrize(
    ("beat", "said"),
    [
        ("http://127.0.0.1:9/secret-beat", "(http://127.0.0.1:9) was not notified: ConnectError"),
        ("http://127.0.0.1:{port}/gone/secret-beat", "it answered with HTTP 404"),
        ("https://127.0.0.1:{port}/secret-beat", "[SSL: "),
        ("ftp://127.0.0.1/secret-beat", "(ftp://…) was not notified: UnsupportedProtocol"),
        ("http://user:se/cret-beat@host/x", "(http://…) was not notified: "),
        ("http://[::1/secret-beat", "Invalid IPv6 URL"),
        ("secret-beat", "(…) was not notified: "),
    ],
)
def test_a_switch_that_cannot_be_notified_is_reported_without_secrets(
    notifying: Workspace, box: RunningSandbox, web: Web, beat: str, said: str
) -> None:
    path = notifying.home / "rdimport.toml"
    text = path.read_text("utf-8").replace('lang = "pt-BR"', 'lang = "en"')
    usual = f"http://127.0.0.1:{web.port}/beat?a=1"
    path.write_text(text.replace(usual, beat.format(port=web.port)), "utf-8")
    done = notifying.here(*RUN)
    assert (done.code, len(box.conversions())) == (0, 3)
    assert said in done.err, done.err
    assert "The import is not affected. Check this address" in done.err
    assert "cret-beat" not in done.err


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:9", "nonsense://127.0.0.1:9"])
def test_a_proxy_that_no_library_takes_is_reported(
    notifying: Workspace, box: RunningSandbox, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    path = notifying.home / "rdimport.toml"
    text = re.sub(
        r'(?m)^ping = ".*"', 'ping = "http://no-such-host.invalid/beat"', path.read_text("utf-8")
    )
    path.write_text(text, "utf-8")
    monkeypatch.setenv("HTTP_PROXY", proxy)
    done = notifying.here(*RUN)
    assert (done.code, len(box.conversions())) == (0, 3)
    assert "http://no-such-host.invalid) não foi avisado: " in done.err, done.err


def test_a_switch_is_notified_whatever_its_answer_contains(
    notifying: Workspace, box: RunningSandbox, web: Web
) -> None:
    path = notifying.home / "rdimport.toml"
    path.write_text(path.read_text("utf-8").replace("/beat?", "/no-gzip?"), "utf-8")
    done = notifying.here(*RUN)
    assert (done.code, done.err, web.got) == (0, "", ["/no-gzip?a=1"])


@pytest.mark.parametrize("place", ['{env = "NOWHERE"}', '{command = ["no-such-program"]}'])
def test_an_address_that_is_not_there_is_not_called_a_key(
    notifying: Workspace, box: RunningSandbox, web: Web, place: str
) -> None:
    settings(notifying, "json://127.0.0.1:9/", web, 'on = ["always"]')
    path = notifying.home / "rdimport.toml"
    path.write_text(path.read_text("utf-8").replace('{file = "url"}', place), "utf-8")
    done = notifying.here(*RUN)
    assert (done.code, len(box.conversions())) == (0, 3)
    assert "o endereço para “ops”" in done.err
    assert "chave" not in done.err


def test_metrics_tell_of_each_job_and_are_replaced_whole(
    notifying: Workspace, box: RunningSandbox
) -> None:
    assert notifying.here(*RUN).code == 0
    (notifying.home / "acme.key").unlink()
    assert notifying.here(*RUN).code == 2
    path = notifying.home / "jobs.prom"
    text = path.read_text("utf-8")
    of = 'account="acme",job_name="fair"'
    assert f'rdimport_last_run_rows{{{of},state="accepted"}} 0\n' in text
    assert f"rdimport_last_run_exit_code{{{of}}} 2\n" in text
    assert f"rdimport_last_success_timestamp_seconds{{{of}}} 1" in text
    heads = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    assert len(heads) == len(set(heads)) == 7
    assert path.stat().st_mode & 0o777 == 0o644
    assert [one.name for one in notifying.home.iterdir() if one.name.startswith(".jobs")] == []
    words = ("run", "list.csv", "-m", "list.yaml", "--account", "acme")
    notifying.here(*words, "--metrics-file", "one.prom")
    assert 'job_name="list.yaml"' in (notifying.home / "one.prom").read_text("utf-8")
