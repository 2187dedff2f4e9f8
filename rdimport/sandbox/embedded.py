"""A sandbox in a child process, for `rdimport run --sandbox` and for tests.

A thread would share the GIL with the client and slow it down. The child reads its options from
standard input and ends when that is closed, so it cannot outlive its parent, however that ends.
"""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import json
import secrets
import subprocess
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

from rdimport.core import child
from rdimport.core.errors import RdimportError
from rdimport.core.messages import _, language
from rdimport.sandbox.faults import Faults
from rdimport.sandbox.options import SandboxOptions

_PAGE: Final = 5_000
_CHILD_WITHIN: Final = 10.0
"""Seconds within which the child process must respond, and must end when asked to."""


class SandboxError(RdimportError):
    """The embedded sandbox did not start, or does not respond."""


class RunningSandbox:
    """A running sandbox: what has arrived, and its fault switches.

    `api_key` is a new key of the first account; `page_url` includes the token.
    """

    def __init__(self, base_url: str, api_key: str, token: str) -> None:
        self.base_url = base_url
        self.api_key = api_key
        self.page_url = f"{base_url}/?token={token}"
        self._token = token

    @property
    def requests(self) -> int:
        """Number of requests to RD's paths since the start or the last `clear`."""
        return self.counts()["requests"]

    def counts(self) -> dict[str, int]:
        """`requests`, `accepted`, `refused` (and unanswered), `throttled`."""
        return dict(self._call("GET", "counts"))

    def conversions(self) -> list[dict[str, Any]]:
        """The payloads of all accepted conversions, in order of arrival.

        Raises SandboxError if more have arrived than `SandboxOptions.keep`.
        """
        return [entry["body"]["payload"] for entry in self.timeline()]

    def timeline(self) -> list[dict[str, Any]]:
        """All accepted conversions: `id`, `account`, `key`, `at`, `email`, `event_uuid`, `dropped`,
        `body` (the whole request). Raises SandboxError as `conversions` does.
        """
        entries = self._all("conversions")
        if entries and entries[0]["id"] != 1:
            raise SandboxError(_("The sandbox has discarded its first conversions: raise `keep`."))
        return entries

    def contacts(self) -> list[dict[str, Any]]:
        """All contacts in order of first arrival, each with its number of `conversions`."""
        return self._all("contacts")

    def refused(self) -> list[dict[str, Any]]:
        """Requests not accepted: `status` (0: no answer), `reason`, `email`, `head`."""
        return self._all("refused")

    def dropped(self) -> dict[str, int]:
        """Names of ignored fields, and how often they occurred."""
        return dict(self._call("GET", "dropped"))

    def set_faults(self, faults: Faults) -> None:
        """Set all fault switches; `Faults()` turns them off."""
        self._call("PUT", "faults", faults.as_dict())

    def create_key(self, name: str, account: str = "default") -> str:
        """Create a key, and its account if it is new. Raises SandboxError for a sixth key."""
        return str(self._call("POST", "keys", {"name": name, "account": account})["secret"])

    def switch_key(self, secret: str, *, active: bool) -> None:
        """Activate or deactivate a key."""
        for key in self._call("GET", "keys"):
            if key["secret"] == secret:
                self._call("PATCH", f"keys/{key['id']}", {"active": active})
                return
        raise SandboxError(_("The sandbox has no such key."))

    def set_webhook(self, url: str) -> None:
        """Call this URL for each further conversion, as RD's webhook does; empty: none."""
        self._call("PUT", "webhook", {"url": url})

    def webhook_calls(self) -> tuple[int, int]:
        """The numbers of successful and of dropped webhook calls."""
        state = self._call("GET", "webhook")
        return state["delivered"], state["dropped"]

    def export(self) -> str:
        """All conversions as exported by RD, as the text of a CSV file."""
        return self._asked("GET", "export.csv").decode()

    def clear(self) -> None:
        """Delete contacts, conversions, counts and quota windows; keep keys and faults.

        Requests already sent are discarded too, and their connections reset.
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
        text = self._asked(method, path, body)
        return json.loads(text) if text else None

    def _asked(self, method: str, path: str, body: object = None) -> bytes:
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
            raise SandboxError(_("The sandbox does not respond: {error}.", error=error)) from error
        finally:
            connection.close()
        if answer.status >= 400:
            reason = text.decode(errors="replace")
            raise SandboxError(
                _("The sandbox says {status}: {said}", status=answer.status, said=reason)
            )
        return text


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
    """Start a sandbox on a free loopback port (`options.port` is ignored), and stop it on exit.

    Raises SandboxError if it does not start.
    """
    wanted = dataclasses.replace(
        options or SandboxOptions(),
        host="127.0.0.1",
        port=0,
        new_key=(options and options.new_key) or f"sandbox {secrets.token_hex(3)}",
        token=secrets.token_urlsafe(18),
    )
    process = child.start("rdimport.sandbox.__main__")
    try:
        yield _handshake(process, wanted)
    finally:
        _end(process)


def _handshake(process: subprocess.Popen[bytes], options: SandboxOptions) -> RunningSandbox:
    if process.stdin is None or process.stdout is None:  # pragma: no cover  both are pipes
        raise SandboxError(_("The sandbox has no pipes."))
    started = None
    try:
        with contextlib.suppress(OSError):  # it has ended
            process.stdin.write(f"{language()}\n{options.to_json()}\n".encode())
            process.stdin.flush()
            started = json.loads(process.stdout.readline() or b"null")
    except ValueError as error:
        raise SandboxError(_("The sandbox did not start: {error}.", error=error)) from error
    if not isinstance(started, dict):
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_CHILD_WITHIN)
        raise SandboxError(
            _("The sandbox did not start: its process ended with {code}.", code=process.returncode),
            _("Anything that it said is above."),
        )
    if "error" in started:
        raise SandboxError(*started["error"])
    return RunningSandbox(started["base_url"], started["api_key"], started["token"])


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the child by closing its standard input; kill it if it does not end."""
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):  # the child may be gone already
                pipe.close()
    try:
        process.wait(_CHILD_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
