"""An endpoint that repeats the key in every form and place: it is in nothing that is stored."""

from __future__ import annotations

import base64
import json
import logging
import re
import socket
import sys
import threading
import traceback
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import quote

import pytest
from support.command import Workspace
from support.lists import MAPPING, people
from test_core_masking import FORMS

from rdimport.cli.streams import speaking
from rdimport.core.masking import Mask

KEY = "5Egr3d0-de+teste/A9f8C7e6=D5b4"
ACCEPTED = b'HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n{"event_uuid":"u"}'


def whole(status: bytes, body: str, head: bytes = b"", cut: int = 0) -> bytes:
    told = body.encode()
    size = len(told) + cut
    return b"HTTP/1.1 %b\r\n%bContent-Length: %d\r\n\r\n%b" % (status, head, size, told)


def pointing_at(line: bytes) -> bytes:
    return b"Location: http://127.0.0.1:9/" + line + b"?api_key=" + line + b"\r\n"


def answers(form: str) -> Iterator[bytes]:
    """The endpoint's answers, with the key in that form in every place."""
    line = re.sub(r"[\r\n]", "", form).encode()
    body = json.dumps({"errors": [{"error_type": form, "error_message": form, "path": form}]})
    by_field = json.dumps({"errors": {form: [{"error_type": "X", "error_message": f"y {form}"}]}})
    yield b"HTTP/1.1 400 " + line + b"\r\nContent-Length: 0\r\n\r\n"
    yield b"400 bad request line: POST /x?api_key=" + line + b" and " + line + b"\r\n\r\n"
    yield b"HTTP/1.1 400 Bad\r\nX: y\r\n " + line + b"\r\n" + line + b"\r\n\r\n"
    yield b"HTTP/1.1 200 OK\r\n" + line + b" : " + line * 2000 + b"\r\n\r\n"
    yield line
    yield whole(b"300 Choose", "", pointing_at(line))
    yield whole(b"422 No", body)
    yield whole(b"400 No", by_field)
    yield whole(b"500 No", body)
    yield whole(b"400 Bad", body, cut=50)
    yield whole(b"400 Bad", form)
    yield whole(b"200 OK", json.dumps({"event_uuid": form}))
    yield whole(b"200 OK", form)


def all_answers(key: str) -> Iterator[bytes]:
    """All of them, each followed by one that lets the run continue; finally one that stops it."""
    names = ["as it is", "other case", "quoted", "percent lower", "JSON escapes", "JSON in JSON"]
    names += [
        "HTML numbers",
        "hex",
        "wide",
        "base64 after 0 before 0",
        "base64 after 1 before 1 url",
    ]
    forms = [FORMS[name](key) for name in names] + [f"request {key[:-4]}", f"line {key[:14]}"]
    body = json.dumps({"errors": [{"error_type": key, "error_message": key}]})
    wait = b"Retry-After: 1\r\n"
    found = [answer for form in forms for answer in answers(form)]
    for answer in (whole(b"429 Slow", body, wait), whole(b"503 Wait", body, wait), *found):
        yield from (answer, ACCEPTED)
    yield whole(b"302 Found", "", pointing_at(key.encode()))


@contextmanager
def echoing(replies: list[bytes]) -> Iterator[str]:
    """An endpoint that gives these answers, one for each connection; yields its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.2)
    over = threading.Event()

    def serve() -> None:
        while not over.is_set():
            with suppress(OSError):
                connection, _ = listener.accept()
                with connection:
                    connection.settimeout(30)
                    received = b""
                    while not re.search(rb"\r\n\r\n.*}", received, re.DOTALL):
                        data = connection.recv(65_536)
                        if not data:
                            break
                        received += data
                    if received:
                        connection.sendall(replies.pop(0) if replies else ACCEPTED)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        over.set()
        thread.join()
        listener.close()


def signs(key: str) -> Iterator[bytes]:
    """What must not be found anywhere: the key in all its forms, and most of it."""
    yield from (part.encode() for part in (key, key[4:-4], key[:14], key.encode().hex()))
    yield quote(key, safe="").encode()
    for before in (b"", b"x", b"xy"):
        yield base64.b64encode(before + key.encode())[4:-6]
    yield b"".join(b"%%%02x" % byte for byte in key.encode())
    yield b"".join(b"\\u%04x" % byte for byte in key.encode())


@pytest.mark.parametrize("transport", ["lean", "httpx"])
def test_the_key_is_in_no_byte_of_what_is_kept_or_said(
    transport: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    found = list(all_answers(KEY))
    rows = len(found)
    assert rows > 300
    words = f"run list.csv -m list.yaml --quota none --transport {transport} --concurrency 8"
    words += " --log-file run.log --log-format json --full-report --json"
    with echoing(found) as address:
        workspace = Workspace(tmp_path_factory.mktemp("desk"), KEY, address)
        workspace.write("list.csv", people(rows + 40))
        workspace.write("list.yaml", MAPPING)
        assert workspace.here(*words.split()).code == 3
    assert found == []
    workspace.here("report")
    workspace.here("status")
    kept = workspace.artefacts()
    assert any(name.endswith("failures.csv") for name in kept)
    for name in [name for name in kept if name.endswith(".xlsx")]:
        with zipfile.ZipFile(name) as book:
            kept |= {f"{name}/{part}": book.read(part) for part in book.namelist()}
    text = b"\n".join(kept.values()).lower()
    assert b"***" in text
    for sign in signs(KEY):
        assert sign.lower() not in text


def test_the_key_is_masked_in_standard_streams_whatever_writes_to_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with speaking(Mask([KEY])):
        try:
            int(KEY)
        except ValueError:
            traceback.print_exc()
        logging.getLogger("somebody.elses").error("said %s", KEY)
        sys.stdout.writelines([f"{KEY}\n", f"{quote(KEY, safe='')}\n"])
    captured = capsys.readouterr()
    assert (captured.out, captured.err.count("base 10: '***'")) == ("***\n***\n", 1)
    assert KEY not in captured.err


BACKEND = """\
import subprocess
from keyring.backend import KeyringBackend

class Backend(KeyringBackend):
    priority = 1

    def get_password(self, service, name):
        print(subprocess.run(["env"], capture_output=True, text=True).stdout)

    set_password = delete_password = get_password
"""


def test_what_a_keyring_starts_does_not_inherit_the_key(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = Workspace(tmp_path_factory.mktemp("desk"), KEY)
    (workspace.home / "lib").mkdir()
    workspace.write("lib/helper_of_keyring.py", BACKEND)
    monkeypatch.setenv("PYTHONPATH", str(workspace.home / "lib"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "helper_of_keyring.Backend")
    done = workspace.do("key", "list")
    assert "PATH=" in done.out
    assert "RDIMPORT_API_KEY" not in done.out
