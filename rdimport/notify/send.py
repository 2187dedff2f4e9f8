"""Sends notifications: a message by apprise, a GET to a dead man's switch."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from threading import Thread
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from rdimport.core.messages import _
from rdimport.core.shell import installing
from rdimport.notify.rules import Message

_TAKES: Final = 20.0
"""Timeout of a dead man's switch in seconds."""


LONGEST: Final = 60.0
"""Maximum seconds for a notification: a server that answers byte by byte meets no timeout."""


def send(name: str, address: str, message: Message, patience: float = LONGEST) -> str:
    """Send a message; returns an error without the address, or an empty string."""
    seconds = f"{patience:g}"
    late = _("Notification {name} was not sent within {seconds} s.", name=name, seconds=seconds)
    return _in_time(partial(_send, name, address, message), patience, late)


def ping(address: str, *, fine: bool, patience: float = LONGEST) -> str:
    """Notify a dead man's switch; returns an error without the address, or an empty string.

    If the job failed, `/fail` is appended to the address's path.
    """
    seconds = f"{patience:g}"
    late = _("The dead man's switch did not answer within {seconds} s.", seconds=seconds)
    return _in_time(partial(_ping, address, fine=fine), patience, late)


def _in_time(work: Callable[[], str], patience: float, late: str) -> str:
    done: list[str] = []
    context = copy_context()  # the language
    thread = Thread(target=lambda: done.append(context.run(work)), daemon=True)
    thread.start()
    thread.join(patience)
    return done[0] if done else late


def _send(name: str, address: str, message: Message) -> str:
    try:
        import apprise  # noqa: PLC0415  an extra

        logging.getLogger("apprise").setLevel(logging.CRITICAL)  # it would log addresses
        messenger = apprise.Apprise()
        if not messenger.add(address):
            return _("Notification {name}: apprise does not know this kind of address.", name=name)
        sent = messenger.notify(title=message.title, body=message.body)
    except ImportError:
        return _(
            "Notification {name} needs a library that is not installed. Install it with: {command}",
            name=name,
            command=installing("notify"),
        )
    except Exception as error:  # noqa: BLE001  whatever a service's plug-in raises
        kind = type(error).__name__
        return _("Notification {name} was not sent: {error}.", name=name, error=kind)
    return "" if sent else _("Notification {name} was not accepted.", name=name)


def _ping(address: str, *, fine: bool) -> str:
    import httpx  # noqa: PLC0415  slow to import, and rarely needed

    parts = urlsplit(address)
    path = parts.path if fine else f"{parts.path.rstrip('/')}/fail"
    try:
        answer = httpx.get(urlunsplit(parts._replace(path=path)), timeout=_TAKES)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        kind = type(error).__name__
        return _("The dead man's switch could not be reached: {error}.", error=kind)
    if answer.is_success:
        return ""
    return _("The dead man's switch answered with {status}.", status=answer.status_code)
