"""Sends notifications: a message by apprise, a GET to a dead man's switch."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from rdimport.core.address import place, without_secrets
from rdimport.core.messages import _
from rdimport.core.shell import installing
from rdimport.core.within import said_by, within
from rdimport.notify.rules import Message

_PING_TIMEOUT: Final = 20.0
"""Timeout of a dead man's switch in seconds."""

_CAUSE: Final = re.compile(r"\[(?:Errno -?\d+\] [\w ]+|SSL: \w+\])")
"""The system's error within a library's message about an address."""


LONGEST: Final = 60.0
"""Maximum seconds for a notification: a server that responds byte by byte never meets a timeout."""


def send(name: str, address: str, message: Message, patience: float = LONGEST) -> str:
    """Send a message; returns an error without the address's secrets, or an empty string."""
    why = _trouble(partial(_send, address, message), address, patience)
    if not why:
        return ""
    error = _(
        "Notification {name} ({place}) was not sent: {why}.",
        name=name,
        place=place(address),
        why=why,
    )
    return _with_remedy(error)


def ping(address: str, *, fine: bool, patience: float = LONGEST) -> str:
    """Notify a dead man's switch; returns an error without the address's secrets, or an empty
    string.

    If the job failed, `/fail` is appended to the address's path.
    """
    why = _trouble(partial(_ping, address, fine=fine), address, patience)
    if not why:
        return ""
    error = _(
        "The dead man's switch ({place}) was not notified: {why}.", place=place(address), why=why
    )
    return _with_remedy(error)


def _with_remedy(error: str) -> str:
    remedy = _(
        "The import is not affected. Check this address in the settings, and that this computer "
        "reaches it (network, proxy, certificates)."
    )
    return f"{error}\n{remedy}"


def _trouble(work: Callable[[], str], address: str, patience: float) -> str:
    """Why something could not be done, without the address's secrets; empty if it was."""
    try:
        return within(patience, work)
    except TimeoutError:
        return _("there was no answer within {seconds} s", seconds=f"{patience:g}")
    except Exception as error:  # noqa: BLE001  a service's plug-in may raise anything
        return without_secrets(said_by(error), address)


def _send(address: str, message: Message) -> str:
    try:
        import apprise  # noqa: PLC0415  an extra
    except ImportError:
        return _(
            "it needs a library that is not installed. Install it with: {command}",
            command=installing("rdimport[notify]"),
        )
    with _collected() as lines:
        messenger = apprise.Apprise()
        added = messenger.add(address)
        if added and messenger.notify(title=message.title, body=message.body):
            return ""
    reported = without_secrets("; ".join(dict.fromkeys(lines)), address)
    if added:
        return reported or _("the service did not accept it")
    why = _("apprise does not know this kind of address, or a part of it is missing")
    return f"{why} ({reported})" if reported else why


_lines: ContextVar[list[str] | None] = ContextVar("_lines", default=None)
"""apprise's messages about the current notification: apprise copies contexts to its threads."""


class _Listening(logging.Handler):
    """Collects apprise's warnings, and the causes in its other lines, which contain addresses."""

    def emit(self, record: logging.LogRecord) -> None:
        lines = _lines.get()
        if lines is None:
            return
        line = " ".join(record.getMessage().split())
        if record.levelno >= logging.WARNING:
            lines.append(line[:200].rstrip(" ."))
        elif cause := _CAUSE.search(line):
            lines.append(cause[0].rstrip())


_LISTENING: Final = _Listening()


@contextmanager
def _collected() -> Iterator[list[str]]:
    """Collect what apprise logs in this context; it would log addresses elsewhere."""
    logger = logging.getLogger("apprise")
    logger.propagate = False
    logger.setLevel(logging.DEBUG)
    logger.addHandler(_LISTENING)
    lines: list[str] = []
    before = _lines.set(lines)
    try:
        yield lines
    finally:
        _lines.reset(before)


def _ping(address: str, *, fine: bool) -> str:
    import httpx  # noqa: PLC0415  slow to import, and rarely needed

    parts = urlsplit(address)
    path = parts.path if fine else f"{parts.path.rstrip('/')}/fail"
    ping_address = urlunsplit(parts._replace(path=path))
    with httpx.stream("GET", ping_address, timeout=_PING_TIMEOUT) as answer:  # its body is not used
        if answer.is_success:
            return ""
        return _("it answered with HTTP {status}", status=answer.status_code)
