"""A sandbox inside a program: for `rdimport run --sandbox` and for tests.

It is a process of its own. A thread would share the interpreter's lock with the client, and the
client's rate would then be that of both together. The child reads its options from standard
input and ends when that is closed, so it cannot outlive its parent, however the parent dies.
"""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from rdimport.core.errors import RdimportError
from rdimport.sandbox.faults import Faults
from rdimport.sandbox.options import SandboxOptions

_PAGE: Final = 5_000
_CHILD_WITHIN: Final = 10.0
"""Seconds within which the sandbox's process answers, and ends when asked to."""

_CHILD: Final = """\
import sys
sys.path += [where for where in sys.argv[1:] if where not in sys.path]
from rdimport.sandbox.__main__ import main
main()
"""
"""Isolated Python has its own library and its site's packages on the path; the rest comes after."""

_INHERITED: Final = frozenset(
    "PATH HOME USERPROFILE LANG LANGUAGE TZ TMPDIR TEMP TMP SYSTEMROOT SYSTEMDRIVE "
    "LD_LIBRARY_PATH DYLD_LIBRARY_PATH".split()
)


class SandboxError(RdimportError):
    """The embedded sandbox did not start, or does not answer."""


class RunningSandbox:
    """A sandbox that runs beside this program; ask it what arrived, and switch its faults.

    `api_key` is fresh and belongs to the first account; `page_url` opens the page, token included.
    """

    def __init__(self, base_url: str, api_key: str, token: str) -> None:
        self.base_url = base_url
        self.api_key = api_key
        self.page_url = f"{base_url}/?token={token}"
        self._token = token

    @property
    def requests(self) -> int:
        """Requests to RD's addresses since the start (or `clear`)."""
        return self.counts()["requests"]

    def counts(self) -> dict[str, int]:
        """`requests`, `accepted`, `refused` (and unanswered), `throttled`."""
        return dict(self._call("GET", "counts"))

    def conversions(self) -> list[dict[str, Any]]:
        """The payloads of all accepted conversions in the order of arrival.

        Raises SandboxError when more have come than `SandboxOptions.keep`.
        """
        return [entry["body"]["payload"] for entry in self.timeline()]

    def timeline(self) -> list[dict[str, Any]]:
        """All accepted conversions: `id`, `account`, `key`, `at`, `email`, `event_uuid`, `dropped`,
        `body` (the whole request). Raises SandboxError as `conversions` does.
        """
        entries = self._all("conversions")
        if entries and entries[0]["id"] != 1:
            raise SandboxError("The sandbox has forgotten its first conversions: raise `keep`.")
        return entries

    def contacts(self) -> list[dict[str, Any]]:
        """All contacts by first arrival: `account`, `email`, `fields`, `conversions` (how many)."""
        return self._all("contacts")

    def refused(self) -> list[dict[str, Any]]:
        """Requests not accepted: `status` (0: no answer), `reason`, `email`, `head`."""
        return self._all("refused")

    def dropped(self) -> dict[str, int]:
        """Names of fields that were dropped in silence, and how often."""
        return dict(self._call("GET", "dropped"))

    def set_faults(self, faults: Faults) -> None:
        """Switch the faults; `Faults()` switches all of them off."""
        self._call("PUT", "faults", faults.as_dict())

    def create_key(self, name: str, account: str = "default") -> str:
        """A new key, and the account with it where it is new. Raises SandboxError for a sixth."""
        return str(self._call("POST", "keys", {"name": name, "account": account})["secret"])

    def switch_key(self, secret: str, *, active: bool) -> None:
        """Make a key active or inactive, as RD's own page does."""
        for key in self._call("GET", "keys"):
            if key["secret"] == secret:
                self._call("PATCH", f"keys/{key['id']}", {"active": active})
                return
        raise SandboxError("The sandbox has no such key.")

    def clear(self) -> None:
        """Forget contacts, conversions, counts and quota windows; keys and faults stay.

        A request that was sent before is forgotten too, wherever it is, and its connection reset.
        """
        self._call("DELETE", "data")

    def _all(self, what: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while True:
            after = found[-1]["id"] if found else 0
            page = self._call("GET", f"{what}?after={after}&limit={_PAGE}")
            found += page
            if len(page) < _PAGE:
                return found

    def _call(self, method: str, path: str, body: object = None) -> Any:
        where = urlsplit(self.base_url)
        # The certificate is the one that this program chose for its own sandbox.
        connection = _connect(where.scheme, str(where.hostname), int(where.port or 0))
        try:
            connection.request(
                method,
                f"/sandbox/api/{path}",
                None if body is None else json.dumps(body),
                {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
            )
            answer = connection.getresponse()
            text = answer.read()
        except OSError as error:
            raise SandboxError(f"The sandbox does not answer: {error}.") from error
        finally:
            connection.close()
        if answer.status >= 400:
            raise SandboxError(f"The sandbox says {answer.status}: {text.decode(errors='replace')}")
        return json.loads(text) if text else None


def _connect(scheme: str, host: str, port: int) -> http.client.HTTPConnection:
    if scheme == "http":
        return http.client.HTTPConnection(host, port, timeout=_CHILD_WITHIN)
    import ssl  # noqa: PLC0415  only a sandbox with a certificate needs it

    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(host, port, timeout=_CHILD_WITHIN, context=context)


@contextlib.contextmanager
def running(options: SandboxOptions | None = None) -> Iterator[RunningSandbox]:
    """Start a sandbox on a free loopback port (`options.port` is not used), stop it at the end.

    Raises SandboxError when it does not start.
    """
    wanted = dataclasses.replace(
        options or SandboxOptions(),
        host="127.0.0.1",
        port=0,
        new_key=(options and options.new_key) or f"sandbox {secrets.token_hex(3)}",
        token=secrets.token_urlsafe(18),
    )
    child = subprocess.Popen(  # noqa: S603  the command is ours
        _isolated(),
        env=_bare(os.environ),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # Ctrl+C goes to all processes of a terminal: the client must be able to finish first.
        **_own_group(),
    )
    try:
        yield _handshake(child, wanted)
    finally:
        _end(child)


def _isolated() -> list[str]:
    """The command of the child. `python -m` would run a `json.py` of the current folder, which may
    have come out of a stranger's archive: only what this program itself is made of is on its path.
    """
    home = Path(__file__).resolve().parents[2]
    try:
        foreign = {Path.cwd()} - {home}
    except OSError:  # it was deleted, and holds nothing
        foreign = set()
    places = [Path(where) for where in sys.path]
    ours = [str(p) for p in places if p.is_absolute() and p.resolve() not in foreign]
    return [sys.executable, "-I", "-c", _CHILD, *dict.fromkeys([*ours, str(home)])]


def _bare(environment: Mapping[str, str]) -> dict[str, str]:
    """What the child needs of the environment: no key, and nothing that steers Python."""
    return {
        name: value
        for name, value in environment.items()
        if name.upper() in _INHERITED or name.startswith("LC_")
    }


def _own_group() -> dict[str, Any]:
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}


def _handshake(child: subprocess.Popen[bytes], options: SandboxOptions) -> RunningSandbox:
    if child.stdin is None or child.stdout is None:  # pragma: no cover  both are pipes
        raise SandboxError("The sandbox has no pipes.")
    try:
        child.stdin.write(options.to_json().encode() + b"\n")
        child.stdin.flush()
        started = json.loads(child.stdout.readline() or b"null")
    except (OSError, ValueError) as error:
        raise SandboxError(f"The sandbox did not start: {error}.") from error
    if not isinstance(started, dict):
        raise SandboxError("The sandbox did not start; what it printed says why.")
    if "error" in started:
        raise SandboxError(started["error"])
    return RunningSandbox(started["base_url"], started["api_key"], started["token"])


def _end(child: subprocess.Popen[bytes]) -> None:
    """Close its standard input, which ends it; kill it if that does not help."""
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):  # the child may be gone already
                pipe.close()
    try:
        child.wait(_CHILD_WITHIN)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
