"""Runs the sandbox: binds the socket, serves until it is stopped, and flushes its data."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import secrets
import socket
import ssl
import stat
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import uvicorn

from rdimport.core.clock import Clock, SystemClock
from rdimport.core.errors import UsageError
from rdimport.core.looking import is_folder
from rdimport.core.messages import _
from rdimport.core.serving import bound
from rdimport.core.shell import joined, with_key
from rdimport.sandbox.app import App
from rdimport.sandbox.control import control
from rdimport.sandbox.endpoint import Endpoint
from rdimport.sandbox.log import Log
from rdimport.sandbox.options import SandboxOptions
from rdimport.sandbox.store import Store, usable
from rdimport.sandbox.transport import SandboxProtocol

_WRITE_EVERY: Final = 0.05
"""Seconds between two writes of pending data."""

_NO_PASSWORD: Final = "-"  # noqa: S105
"""For private keys: without one, OpenSSL would ask for it in the terminal."""

_KEEP_ALIVE: Final = 75
"""Seconds after which an idle connection is closed, as is usual for gateways."""


@dataclass(frozen=True, slots=True)
class Started:
    """The addresses and the key of a sandbox that has started."""

    base_url: str
    token: str
    api_key: str


def run(
    options: SandboxOptions,
    on_start: Callable[[Started], None],
    arm_stop: Callable[[Callable[[], None]], None] | None = None,
    log: Log | None = None,
) -> None:
    """Serve until a signal arrives, or the function passed to `arm_stop` is called.

    Raises UsageError if the address or the data directory cannot be used.
    """
    # Errors on connections are mostly intended here, and shown on the page.
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    clock = SystemClock()
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(
            bound(options.host, options.port, 2048, host_option="--host", port_option="--port")
        )
        with usable(options.data):
            store = Store(options.data, options.keep, log.note if log else None)
            stack.enter_context(contextlib.closing(store))
            endpoint = Endpoint(options, store, clock)
            started = _prepare(options, endpoint, listener)
        server = _server(options, endpoint, started.token)
        on_start(started)
        asyncio.run(_serve(server, listener, _write(store, log, clock), arm_stop))


def _prepare(options: SandboxOptions, endpoint: Endpoint, listener: socket.socket) -> Started:
    """Create the accounts and the requested key."""
    store = endpoint.store
    accounts = [store.account(name) for name in options.accounts]
    api_key = ""
    if options.new_key:
        now = endpoint.clock.now().timestamp()
        api_key = store.create_key(accounts[0], options.new_key, now).secret
    # The address that means "all of them" cannot be opened in a browser.
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(options.host, options.host)  # noqa: S104
    host = f"[{host}]" if ":" in host else host
    scheme = "https" if options.certificate else "http"
    token = options.token or secrets.token_urlsafe(18)
    return Started(f"{scheme}://{host}:{listener.getsockname()[1]}", token, api_key)


def _server(options: SandboxOptions, endpoint: Endpoint, token: str) -> uvicorn.Server:
    config = uvicorn.Config(
        App(endpoint, control(endpoint, token)),
        http=SandboxProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        timeout_keep_alive=_KEEP_ALIVE,
        ssl_certfile=options.certificate,
        ssl_keyfile=options.private_key,
        ssl_keyfile_password=_NO_PASSWORD,
    )
    file = options.certificate
    try:
        for file in filter(None, (options.private_key, options.certificate)):
            _refuse_no_file(file)
        config.load()
        if config.ssl:
            # RD accepts nothing older (page `seguranca`).
            config.ssl.minimum_version = ssl.TLSVersion.TLSv1_3
    except OSError as error:
        raise UsageError(
            _(
                "The certificate or private key {file} cannot be used: {error}.",
                file=file,
                error=error,
            ),
            _("They must be PEM files that belong together, without a password."),
        ) from error
    return uvicorn.Server(config)


def _refuse_no_file(path: Path) -> None:
    """Raise OSError for what OpenSSL would wait for, or could not read."""
    if not (is_folder(path) or stat.S_ISREG(path.stat().st_mode)):
        raise OSError(errno.EINVAL, _("it is not a file, but a device or a socket"))
    path.open("rb").close()


async def _serve(
    server: uvicorn.Server,
    listener: socket.socket,
    writing: Coroutine[None, None, None],
    arm_stop: Callable[[Callable[[], None]], None] | None,
) -> None:
    """Serve until a signal ends the server, or the function passed to `arm_stop` is called.

    The server is not shut down gracefully: a request that hangs on purpose would prevent it
    forever.
    """
    loop = asyncio.get_running_loop()
    serving = asyncio.create_task(server.serve(sockets=[listener]))

    def stop() -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended already
            loop.call_soon_threadsafe(serving.cancel)

    if arm_stop:
        arm_stop(stop)
    tasks = serving, asyncio.create_task(writing)
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    for task in tasks:
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _write(store: Store, log: Log | None, clock: Clock) -> None:
    """Write what arrives, a moment later; sleep while nothing does."""
    due = asyncio.Event()
    store.on_pending = due.set
    while await due.wait():
        await asyncio.sleep(_WRITE_EVERY)
        due.clear()
        store.flush()
        if log and log.write(clock.now()):
            due.set()


def serve(options: SandboxOptions, greet: Callable[[str], None] | None = None) -> None:
    """The command `rdimport sandbox`: serve until Ctrl+C, and log to standard error.

    `greet` prints the lines that begin with the sandbox's address and its key.
    Raises UsageError if the address, the data directory, the catalogue or a certificate cannot
    be used.
    """
    with contextlib.suppress(KeyboardInterrupt):
        run(options, lambda started: _greet(options, started, greet or _say), log=Log(_say))


def _greet(options: SandboxOptions, started: Started, say: Callable[[str], None]) -> None:
    address = f"{started.base_url}/?token={started.token}"
    say(_("Sandbox of RD Station Marketing: {address}", address=address))
    say(
        _("Only this machine can reach it; the page asks for the token in the address above.")
        if options.is_loopback
        else _("Other machines can reach it; the page asks for the token in the address above.")
    )
    if started.api_key:
        say(_("API key {name}: {key}", name=options.new_key, key=started.api_key))
    words = ["rdimport", "run", _("FILE"), "-m", _("MAPPING"), "--base-url", started.base_url]
    typed = with_key(started.api_key, words) if started.api_key else joined(words)
    say(_("Send to it: {command}", command=typed))
    say(_("Ctrl+C stops it."))


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
