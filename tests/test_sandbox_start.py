"""Ways to start a sandbox, and what the command says while it serves."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import ssl
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from support.command import Workspace
from support.processes import Process

from rdimport.sandbox import Faults, SandboxOptions, running
from rdimport.sandbox.log import Log
from rdimport.sandbox.store import Accepted, Refused


def test_it_serves_https_with_a_certificate(tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = f"{openssl} req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost"
    extension = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate]
    subprocess.run([*command.split(), *extension], check=True, capture_output=True)
    options = SandboxOptions(certificate=certificate, private_key=key)
    with running(options) as sandbox:
        assert sandbox.base_url.startswith("https://")
        url = f"{sandbox.base_url}/platform/conversions?api_key={sandbox.api_key}"
        context = ssl.create_default_context(cafile=str(certificate))
        envelope = {"event_type": "CONVERSION", "event_family": "CDP"}
        envelope["payload"] = {"conversion_identifier": "a", "email": "ana@exemplo.com.br"}  # type: ignore[assignment]
        assert httpx.post(url, json=envelope, verify=context).status_code == 200
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises(httpx.ConnectError):
            httpx.post(url, json=envelope, verify=context)
        context.maximum_version = ssl.TLSVersion.TLSv1_3
        assert len(sandbox.conversions()) == 1
        sandbox.set_faults(Faults(reset_after=1.0))
        with pytest.raises(httpx.TransportError):
            httpx.post(url, json=envelope, verify=context)


def start(*options: str) -> subprocess.Popen[str]:
    code = (
        "from pathlib import Path\nfrom rdimport.sandbox import *\n"
        "from rdimport.core.errors import UsageError\n"
        f"try: serve(SandboxOptions({', '.join(options)}))\n"
        "except UsageError as error: print(error)\n"
    )
    return Process(
        [sys.executable, "-c", code], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def test_open_to_other_machines_it_says_so_and_demands_a_token_for_the_page() -> None:
    with start("port=0", "host='0.0.0.0'", "new_key='demo'") as process:
        assert process.stderr is not None
        try:
            lines = [process.stderr.readline() for _ in range(4)]
            url, _, token = lines[0].split()[-1].partition("?token=")
            assert "Other machines can reach it" in lines[1]
            assert len(token) > 20
            assert httpx.get(url).status_code == 401
            assert httpx.get(f"{url}sandbox/api/keys").status_code == 401
            cookies = httpx.get(f"{url}?token={token}").cookies
            assert httpx.get(url, cookies=cookies).status_code == 200
            assert httpx.post(f"{url}platform/conversions").status_code == 401
        finally:
            process.terminate()


def test_the_log_names_what_was_dropped_and_refused_but_no_person_and_no_key() -> None:
    with start("port=0", "new_key='demo'") as process:
        assert process.stderr is not None
        try:
            lines = [process.stderr.readline() for _ in range(5)]
            url, key = lines[0].split()[-1].partition("?")[0], lines[2].split()[-1]
            for email, field in (("ana@exemplo.com.br", "cf_interese"), ("ana", "name")):
                payload = {"conversion_identifier": "Feira", "email": email, field: "x"}
                envelope = {"event_type": "CONVERSION", "event_family": "CDP", "payload": payload}
                httpx.post(f"{url}platform/conversions", params={"api_key": key}, json=envelope)
            log = ""
            while "so far" not in log or "email" not in log:
                log += process.stderr.readline()
        finally:
            process.terminate()
        log += process.stderr.read()
    assert "silently dropped, as RD does: cf_interese" in log
    assert "400  email: INVALID_EMAIL_FORMAT" in log
    assert "ana@" not in log
    assert key not in log


def test_a_certificate_that_cannot_be_used_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "x.pem").write_text("x")
    path = f"Path({str(tmp_path / 'x.pem')!r})"
    with start("port=0", f"certificate={path}", f"private_key={path}") as process:
        output, errors = process.communicate()
    assert "x.pem cannot be used" in output
    assert "Traceback" not in errors


def test_equal_lines_of_the_log_are_one_with_its_count_and_totals_come_now_and_then() -> None:
    said: list[str] = []
    log = Log(said.append)
    now = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
    refused = Refused(
        1, 0.0, 400, "fields", "$.payload.tags: X", "ana@exemplo.com.br", b"", "", b""
    )
    taken = Accepted(1, 1, 0.0, "a@exemplo.com.br", "u", "Feira", "{}", ("cf_\x1b[2J",), "", b"")
    log.note([taken] * 10, [refused] * 3)
    assert not log.write(now)  # nothing is left
    assert not log.write(now)
    lines = [line.split("  ", 1)[1] for line in said]
    assert lines == [
        "400  tags: X  (3 times)",
        "silently dropped, as RD does: cf_\\x1b[2J  (10 so far)",
        "10 accepted, 3 not accepted yet",
    ]
    log.note([taken], [])
    assert log.write(now + timedelta(seconds=2))  # the new total is
    assert len(said) == 3
    assert not log.write(now + timedelta(seconds=11))
    assert said[-1].endswith("11 accepted, 3 not accepted yet")


def test_importing_the_options_does_not_load_the_server() -> None:
    code = (
        "import sys, rdimport.sandbox; print('uvicorn' in sys.modules, 'starlette' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == ["False", "False"]


BUSY = "the port of a server that listens"


@pytest.mark.parametrize(
    ("lang", "options", "says"),
    [
        ("en", ["--port", BUSY], "stop the program that uses this one"),
        ("en", ["--host", "192.0.2.1"], "Name an address of this machine with --host"),
        ("en", ["--host", "a" * 300], "the name is not known"),
        ("pt-BR", ["--host", "a b"], "o nome não é conhecido"),
        ("pt-BR", ["--host", "192.0.2.1"], "Indique um endereço deste computador com --host"),
        ("en", ["--data", "file"], "cannot keep its data in file"),
        ("en", ["--data", "of-others"], "cannot keep its data in of-others"),
        ("pt-BR", ["--data", "dangling"], "não consegue guardar os dados em dangling"),
        ("en", ["--certificate", "x.pem", "--private-key", "gone.pem"], "private key gone.pem"),
        ("en", ["--certificate", "pipe", "--private-key", "x.pem"], "pipe cannot be used"),
        ("en", ["--keep", "9" * 30], "--keep does not accept this number"),
        ("pt-BR", ["--lead-limit", "-1"], "--lead-limit não aceita este número"),
    ],
)
def test_a_sandbox_that_cannot_start_says_why_and_what_to_change(
    workspace: Workspace, lang: str, options: list[str], says: str
) -> None:
    workspace.write("file", "")
    workspace.write("x.pem", "x")
    (workspace.home / "of-others").mkdir()
    with sqlite3.connect(workspace.home / "of-others" / "sandbox.sqlite3") as other:
        other.execute("CREATE TABLE key (something)")
    other.close()
    if sys.platform == "win32" and ("pipe" in options or "dangling" in options):
        pytest.skip("Windows has no such files")
    if sys.platform != "win32":
        os.mkfifo(workspace.home / "pipe")
        (workspace.home / "dangling").symlink_to("nowhere")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        words = [port if word == BUSY else word for word in ["--port", "0", *options]]
        done = workspace.do("--lang", lang, "sandbox", *words)
    assert done.code == 2, done.err
    assert says in done.err
    assert len(done.err.splitlines()) == 2 or "--keep" in options


def test_a_private_key_with_a_password_is_refused_and_the_password_not_asked_for(
    workspace: Workspace,
) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    command = f"{openssl} req -x509 -newkey rsa:2048 -passout pass:secret -days 1 -subj /CN=here"
    files = ["-keyout", str(workspace.home / "k.pem"), "-out", str(workspace.home / "c.pem")]
    subprocess.run([*command.split(), *files], check=True, capture_output=True)
    words = ["--port", "0", "--certificate", "c.pem", "--private-key", "k.pem"]
    done = workspace.do("sandbox", *words)
    assert done.code == 2, done.err
    assert "They must be PEM files that belong together, without a password." in done.err
    assert "pass phrase" not in done.err


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither")
@pytest.mark.parametrize(
    ("peril", "says"),
    [
        (
            (
                "most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]\n"
                "resource.setrlimit(resource.RLIMIT_NOFILE, (os.dup(0) + 1, most))"
            ),
            "cannot be started: Too many open files.\nEnd other programs",
        ),
        ("sys.executable = shutil.which('false')", "its process ended with 1."),
    ],
)
def test_an_embedded_sandbox_that_cannot_start_says_why(peril: str, says: str) -> None:
    code = (
        "import os, resource, shutil, sys\n"
        "from rdimport import RdimportError\n"
        "from rdimport.sandbox import embedded, running\n"
        f"{peril}\n"
        "try:\n"
        "    with running(): pass\n"
        "except RdimportError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert says in done.stdout, done.stderr
    assert "Traceback" not in done.stderr
