"""The detail of a failed exchange: a key of `Detail`, then the message of library or system."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Final

from rdimport.core.messages.codes import Detail
from rdimport.core.messages.reasons import detail_text
from rdimport.delivery.transport.response import TransportError
from rdimport.delivery.transport.response_reader import IncompleteAnswer, ProxyUnreached

_BY_CAUSE: Final[tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], str], ...]] = (
    (ProxyUnreached, Detail.PROXY_UNREACHED),
    (socket.gaierror, Detail.NAME_UNKNOWN),
    (ssl.SSLError, Detail.TLS),
    (IncompleteAnswer, Detail.CLOSED),
    (ConnectionRefusedError, Detail.REFUSED),
    ((ConnectionResetError, ConnectionAbortedError, BrokenPipeError), Detail.RESET),
)
"""The underlying cause says more than the client's exception, which covers several of these."""

_QUOTING: Final = frozenset(key for key in Detail if "{said}" in detail_text(key))
"""Details that show the message of a library or the system. Looked up before rows are sent: the
catalogue cannot be read once no more files can be opened.
"""

_LONGEST: Final = 2_000
"""Characters of an exception's text that are read: a library may quote a whole response."""


def describe_error(error: TransportError, mask: Callable[[str], str] = str) -> str:
    """The detail key, followed by a space and the error text where its message shows one.

    The text may quote a response, which may repeat the request's URL and so the API key: `mask` is
    applied before it is cut to 200 characters.
    """
    message = mask(" ".join(str(error)[:_LONGEST].split()))[:200]
    key = next(
        (key for cause in _causes(error) for kind, key in _BY_CAUSE if isinstance(cause, kind)),
        None,
    )
    if key is None:
        name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", error.name).lower()
        key = f"net.{name}"
    if key not in frozenset(Detail):
        key, message = Detail.OTHER, f"{error.name} {message}".rstrip()
    return f"{key} {message}".rstrip() if key in _QUOTING else key


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The chain of exceptions, beginning with `error` itself."""
    seen: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in seen:
        yield cause
        seen.append(cause)
        cause = cause.__cause__ or cause.__context__
