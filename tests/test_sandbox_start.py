"""Ways to start a sandbox, and what the command says while it serves."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
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
    log.write(now)
    log.write(now)
    lines = [line.split("  ", 1)[1] for line in said]
    assert lines == [
        "400  tags: X  (3 times)",
        "silently dropped, as RD does: cf_\\x1b[2J  (10 so far)",
        "10 accepted, 3 not accepted yet",
    ]
    log.note([taken], [])
    log.write(now + timedelta(seconds=2))
    assert len(said) == 3
    log.write(now + timedelta(seconds=11))
    assert said[-1].endswith("11 accepted, 3 not accepted yet")


def test_importing_the_options_does_not_load_the_server() -> None:
    code = (
        "import sys, rdimport.sandbox; print('uvicorn' in sys.modules, 'starlette' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == ["False", "False"]
