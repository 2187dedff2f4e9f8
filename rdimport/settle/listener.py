"""Receives RD's webhook calls. A call answered with 200 has been written to disk.

RD does not sign its calls, so anyone who knows the address could forge one: the path contains a
secret. RD calls only HTTPS addresses with a trusted certificate; a reverse proxy provides that.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import secrets
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from rdimport.core.clock import Clock
from rdimport.core.errors import LedgerBusyError, RdimportError, UsageError
from rdimport.core.key_file import owner_only
from rdimport.core.messages import _
from rdimport.core.serving import TimedHead, bound
from rdimport.delivery.stopping import on_signal, stop_signals
from rdimport.settle.evidence import calls_of
from rdimport.settle.whose_files import take_name, token_file

MAX_BODY: Final = 200_000
"""Maximum bytes of a call's body; RD's contain one contact."""

_BODY_WITHIN: Final = 5.0
"""Seconds within which a body must arrive, RD's own timeout."""

_SETTLE_EVERY: Final = 5.0
"""Seconds between two attempts to settle rows with received calls."""


def name_of(state_dir: Path, account: str) -> str:
    """What stands for an account in the names of its files. Raises UsageError."""
    try:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        return take_name(state_dir, account)
    except OSError as error:
        raise UsageError(
            _("{path} cannot be used: {why}.", path=state_dir, why=error.strerror)
        ) from error


def token_of(state_dir: Path, name: str) -> str:
    """The secret in the path. It is created on first use and kept, because RD calls a fixed
    address. Each account has its own, so that no call is taken for another account's.

    Raises UsageError if it cannot be stored.
    """
    path = state_dir / token_file(name)
    try:
        with suppress(FileExistsError), open(path, "x", opener=owner_only) as file:
            file.write(secrets.token_urlsafe(24))
        token = path.read_text().strip()
    except OSError as error:
        raise UsageError(
            _("{path} cannot be used: {why}.", path=path, why=error.strerror)
        ) from error
    if len(token) < 16:
        raise UsageError(
            _("{path} contains no secret of 16 characters or more.", path=path),
            _("Delete it: a new one is created."),
        )
    return token


def _sync(folder: Path) -> None:
    """Make a new file in it survive a power cut; Windows cannot open a folder."""
    if os.name != "posix":
        return
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


class Inbox:
    """The file of received calls of an account, one per line, append-only."""

    def __init__(self, state_dir: Path, account: str) -> None:
        self.path = state_dir / calls_of(account)
        try:
            self._mend()
            _sync(state_dir)
        except OSError as error:
            raise UsageError(
                _("{path} cannot be used: {why}.", path=self.path, why=error.strerror)
            ) from error
        self.received = 0

    def _mend(self) -> None:
        """Complete a line cut short by a crash, so that the next call starts a new line."""
        with self._opened() as file:
            size = os.fstat(file).st_size
            if size:
                os.lseek(file, size - 1, os.SEEK_SET)  # Windows has no pread
            if size and os.read(file, 1) != b"\n":
                os.write(file, b"\n")

    @contextmanager
    def _opened(self) -> Iterator[int]:
        """Open the current file of that name: `forget` may have replaced it."""
        binary = getattr(os, "O_BINARY", 0)  # else Windows makes \r\n of each \n
        file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | binary, 0o600)
        try:
            yield file
        finally:
            os.close(file)

    def add(self, call: dict[str, object], received_at: str) -> None:
        """Append a call; it is on disk when this returns. Raises OSError on failure."""
        line = json.dumps({"received_at": received_at, "call": call}, ensure_ascii=False)
        while not self._added(f"{line}\n".encode()):
            pass
        self.received += 1

    def _added(self, line: bytes) -> bool:
        """Append a line; returns whether it is in the file that others find: `forget` may have
        copied it just before.
        """
        data = memoryview(line)
        with self._opened() as file:
            size = os.fstat(file).st_size
            try:
                while data:
                    data = data[os.write(file, data) :]
                os.fsync(file)
            except OSError:  # an incomplete line would spoil the next one
                os.ftruncate(file, size)
                raise
            with suppress(FileNotFoundError):
                return os.path.samestat(os.fstat(file), self.path.stat())
        return False


class Listener:
    """The ASGI application: one path, one method."""

    def __init__(self, inbox: Inbox, token: str, clock: Clock) -> None:
        self._inbox = inbox
        self._token = token.encode()
        self._clock = clock
        self._writing = asyncio.Lock()
        self.app = Starlette(routes=[Route("/{token:path}", self._receive, methods=["POST"])])

    async def _receive(self, request: Request) -> Response:
        given = request.path_params["token"].encode()
        if not secrets.compare_digest(given, self._token):
            return Response(status_code=404)
        try:
            async with asyncio.timeout(_BODY_WITHIN):
                body = await _body(request)
        except (TimeoutError, ClientDisconnect):
            return Response(status_code=408)
        if body is None:
            return Response(status_code=413)
        try:
            call = json.loads(body)
        except (ValueError, RecursionError):
            call = None
        if not isinstance(call, dict):
            return Response(status_code=400)
        now = self._clock.now().isoformat(timespec="seconds")
        try:
            async with self._writing:
                await asyncio.to_thread(self._inbox.add, call, now)
        except (OSError, ValueError):  # RD tries again; a lone surrogate cannot be encoded
            return Response(status_code=503)
        return Response(status_code=200)


async def _body(request: Request) -> bytes | None:
    """The request body; None if it is too large."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_BODY:
            return None
        parts.append(part)
    return b"".join(parts)


def listen(
    address: tuple[str, int],
    inbox: Inbox,
    token: str,
    clock: Clock,
    *,
    started: Callable[[str], None],
    settle: Callable[[], None],
    failed: Callable[[str], None],
) -> None:
    """Receive calls until a signal arrives.

    `started` is called with the address and its secret, `settle` after calls have arrived and at
    the end. `failed` is called once with the reason if rows cannot be settled; calls are still
    received. Raises UsageError for an address that cannot be used.
    """
    listening = bound(*address, backlog=128, host_option="--listen", port_option="--listen")
    host, port = listening.getsockname()[:2]
    host = f"[{host}]" if ":" in host else host
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    config = uvicorn.Config(
        Listener(inbox, token, clock).app,
        http=TimedHead,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=5,
        limit_concurrency=200,
    )
    started(f"http://{host}:{port}/{token}")
    try:
        asyncio.run(_serve(_Server(config), listening, inbox, settle, failed))
    finally:
        listening.close()
    with suppress(LedgerBusyError):  # a run is active: the calls are safe in the file
        settle()


class _Server(uvicorn.Server):
    """A uvicorn server that leaves signals alone; it would raise them again after closing."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture nothing."""
        yield


async def _serve(
    server: uvicorn.Server,
    listening: socket.socket,
    inbox: Inbox,
    settle: Callable[[], None],
    failed: Callable[[str], None],
) -> None:
    def stop() -> None:
        server.should_exit = True

    loop = asyncio.get_running_loop()
    for number in stop_signals():
        on_signal(loop, number, stop)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    settled, last = 0, ""
    while not serving.done():
        await asyncio.wait([serving], timeout=_SETTLE_EVERY)
        if inbox.received > settled and not serving.done():
            settled = inbox.received
            try:
                await asyncio.to_thread(settle)
                last = ""
            except LedgerBusyError:  # a run is active: try again later
                settled = -1
            except RdimportError as error:
                if last != str(error):
                    last = str(error)
                    failed(last)
                settled = -1
    await serving
