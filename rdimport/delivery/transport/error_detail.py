"""Why an exchange failed: one of the keys of `reasons_transport`, and what was said besides."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from rdimport.core.messages.codes import Detail
from rdimport.core.messages.reasons import detail_text
from rdimport.delivery.transport.response_reader import IncompleteAnswer

if TYPE_CHECKING:
    import httpx

_BY_CAUSE: Final[tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], str], ...]] = (
    (socket.gaierror, "net.name_unknown"),
    (ssl.SSLError, "net.tls"),
    (IncompleteAnswer, "net.closed"),
    (ConnectionRefusedError, "net.refused"),
    ((ConnectionResetError, ConnectionAbortedError, BrokenPipeError), "net.reset"),
)
"""What the system said tells more than the client's own exception, which covers many of these."""

_LONGEST: Final = 2_000
"""Characters of what was said that are read: a library may quote all of an answer."""


def describe_error(error: httpx.TransportError, mask: Callable[[str], str] = str) -> str:
    """The reason, and after a space the words of the library or the system where it tells of any.

    They may quote the answer, which may quote the request, which holds the API key: `mask` hides it
    before they are cut.
    """
    said = mask(" ".join(str(error)[:_LONGEST].split()))[:200]
    key = next(
        (key for cause in _causes(error) for kind, key in _BY_CAUSE if isinstance(cause, kind)),
        None,
    )
    if key is None:
        name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(error).__name__).lower()
        key = f"net.{name}"
    if key not in frozenset(Detail):
        key, said = Detail.OTHER, f"{type(error).__name__} {said}".rstrip()
    return f"{key} {said}".rstrip() if "{said}" in detail_text(key) else key


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exceptions that led to this one, the last first."""
    seen: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in seen:
        yield cause
        seen.append(cause)
        cause = cause.__cause__ or cause.__context__
