"""Keyrings that raise errors of their own, answer nonsense, or do not answer."""

from __future__ import annotations

import pytest
from support.command import Workspace
from support.lists import MAPPING, people
from support.waiting import TIMEOUT

from rdimport.sandbox.embedded import RunningSandbox

BACKEND = """
import os
import jeepney, secretstorage
from keyring import errors
from keyring.backend import KeyringBackend

FAILURES = {
    "bus": jeepney.DBusErrorResponse.__mro__[1]("no reply"),
    "dismissed": secretstorage.exceptions.PromptDismissedException("Prompt dismissed."),
    "disk": OSError(5, "Input/output error"),
    "locked": errors.KeyringLocked("Failed to unlock the collection!"),
    "mute": ZeroDivisionError(),
    "none": RuntimeError("No recommended backend"),
    "slow": TimeoutError("Did not authenticate in 1.0 seconds"),
}


class Keyring(KeyringBackend):
    priority = 1

    def __init__(self):
        if os.environ["FAILS"] == "connect":
            raise RuntimeError("cannot connect")

    def _fail(self, *_):
        raise FAILURES[os.environ["FAILS"]]

    get_password = set_password = delete_password = _fail


class Garbled(Keyring):
    def get_password(self, service, username):
        return os.environ["FAILS"] if service == "rdimport account names" else None


class Emptied(Keyring):
    names = '["acme", "fair"]'

    def get_password(self, service, username):
        return self.names if service == "rdimport account names" else None

    def set_password(self, service, username, password):
        self.names = password
        print(password)
"""
RUN = ("run", "list.csv", "-m", "list.yaml", "--base-url", "http://127.0.0.1:9")
COMMANDS = [RUN, ("key", "list"), ("key", "remove", "acme")]


@pytest.fixture
def keyless(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    workspace.key = None
    workspace.write("keyring_that_fails.py", BACKEND)
    workspace.write("list.csv", people(2))
    workspace.write("list.yaml", MAPPING)
    monkeypatch.setenv("PYTHONPATH", str(workspace.home))
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    return workspace


def failing(monkeypatch: pytest.MonkeyPatch, backend: str, how: str) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", backend)
    monkeypatch.setenv("FAILS", how)


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(words[:2]))
@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("bus", "no reply"),
        ("connect", "RuntimeError: cannot connect"),
        ("dismissed", "Prompt dismissed"),
        ("disk", "Input/output error"),
        ("locked", "KeyringLocked: Failed to unlock the collection"),
        ("mute", "ZeroDivisionError"),
        ("none", "No recommended backend"),
        ("slow", "Did not authenticate in 1.0 seconds"),
    ],
)
def test_a_keyring_that_fails_says_why_and_what_to_do(
    keyless: Workspace, monkeypatch: pytest.MonkeyPatch, how: str, said: str, words: tuple[str, ...]
) -> None:
    failing(monkeypatch, "keyring_that_fails.Keyring", how)
    done = keyless.do(*words)
    assert (done.code, said in done.err) == (2, True), done.err
    assert "This system's keyring cannot be used: " in done.err
    assert "RDIMPORT_API_KEY" in done.err


@pytest.mark.parametrize(
    ("backend", "said"),
    [
        ("nonsense", "Empty module name"),
        ("no_such_module.Keyring", "No module named 'no_such_module'"),
        ("keyring_that_fails.Nothing", "no attribute 'Nothing'"),
        ("keyring.backends.SecretService.Keyring", "DBUS_SESSION_BUS_ADDRESS"),
        ("keyring.backends.kwallet.DBusKeyring", "RuntimeError"),
    ],
)
def test_a_keyring_that_cannot_be_made_says_why(
    keyless: Workspace, monkeypatch: pytest.MonkeyPatch, backend: str, said: str
) -> None:
    failing(monkeypatch, backend, "connect")
    done = keyless.do(*RUN, "--lang", "pt-BR")
    assert (done.code, said in done.err) == (2, True), done.err
    assert "Não é possível usar o chaveiro" in done.err


@pytest.mark.parametrize("stored", ["{not json", "5", "[1]", '{"acme": 1}'])
@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(words[:2]))
def test_names_that_something_else_wrote_are_no_bug(
    keyless: Workspace, monkeypatch: pytest.MonkeyPatch, stored: str, words: tuple[str, ...]
) -> None:
    failing(monkeypatch, "keyring_that_fails.Garbled", stored)
    done = keyless.do(*words)
    assert (done.code, "“rdimport account names” is not a list" in done.err) == (2, True), done.err


def test_the_name_of_a_key_that_another_program_removed_can_be_removed(
    keyless: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, "keyring_that_fails.Emptied", "disk")
    done = keyless.do("key", "remove", "acme")
    assert (done.code, done.out.splitlines()[0]) == (0, '["fair"]'), done.err


def test_a_key_elsewhere_needs_no_keyring(
    keyless: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, "keyring_that_fails.Keyring", "locked")
    keyless.key = "0123456789abcdef0123456789abcdef"
    assert keyless.do(*RUN, "--max-duration", "0s").code == 3


PANIC = """
from keyring.backend import KeyringBackend


class PanicException(BaseException):
    pass


class Keyring(KeyringBackend):
    priority = 1

    def get_password(self, service, username):
        raise PanicException("called `Option::unwrap()` on a `None` value")

    set_password = delete_password = get_password
"""
"""What a library in Rust raises in a bug of its own: no `Exception`."""


def test_a_panic_of_a_library_is_a_bug_and_stops_no_other_job(
    keyless: Workspace, monkeypatch: pytest.MonkeyPatch, box: RunningSandbox
) -> None:
    keyless.write("keyring_that_panics.py", PANIC)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring_that_panics.Keyring")
    keyless.write("key", box.api_key)
    (keyless.home / "key").chmod(0o600)
    job = 'files = "list.csv"\nmapping = "list.yaml"\n'
    keyless.write(
        "rdimport.toml",
        '[accounts.a]\napi_key = {keyring = true}\n[accounts.b]\napi_key = {file = "key"}\n'
        f'[jobs.a]\naccount = "a"\n{job}[jobs.b]\naccount = "b"\n{job}',
    )
    for words in (RUN, ("jobs", "run", "--config", "rdimport.toml")):
        told = keyless.start(*words)
        out, err = told.communicate(timeout=TIMEOUT)
        assert (told.returncode, "PanicException" in out + err) == (70, True), err
    assert len(box.conversions()) == 2, "of the other job"
