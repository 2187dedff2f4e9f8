"""An incremental parser for HTTP/1.1 responses. Pure: it knows no socket and no clock.

The grammar is llhttp's in strict mode: anything that two parsers could read differently (two
lengths, a length together with chunks, folded lines, bare line feeds) is an error, never a guess.
This module adds where a response ends, and whether its connection may be reused.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import httptools

from rdimport.delivery.transport.response import MAX_ANSWER, Reply

_MOST: Final = 8 * MAX_ANSWER
"""Bytes of heads, interim responses, chunk sizes and body that are read at most."""

CUT_SHORT: Final = "closed before a whole answer had come"

_FRAMING: Final = frozenset(("content-length", "transfer-encoding"))


class MalformedAnswer(Exception):  # noqa: N818  it is an outcome, not a mistake
    """The bytes are not a response that can be parsed in exactly one way."""


class IncompleteAnswer(Exception):  # noqa: N818
    """The connection was closed before the response was complete."""


class ProxyUnreached(Exception):  # noqa: N818
    """There is no connection to the proxy."""


class AnswerReader:
    """Parses the responses of one connection, one after the other.

    `complete`: the response has arrived. `reusable`: the connection may carry another request.
    `idle`: the keep-alive timeout that the server announced, in seconds.

    The reader and its parser refer to each other, so a reader for each response would leave garbage
    that only the cyclic collector finds.
    """

    __slots__ = (
        "_body",
        "_fed",
        "_headers",
        "_parser",
        "_status",
        "complete",
        "idle",
        "reusable",
    )

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self.expect()

    def expect(self) -> None:
        """Begin with the next response; only after one that left the connection `reusable`."""
        self._headers: dict[str, str] = {}
        self._body = bytearray()
        self._fed = 0
        self._status = 0
        self.idle: float | None = None
        self.reusable = False
        self.complete = False

    @property
    def begun(self) -> bool:
        """Whether some of the response has arrived."""
        return self._fed > 0

    def feed(self, data: bytes) -> None:
        """Parse the next bytes. Raises MalformedAnswer."""
        self._fed += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            raise MalformedAnswer("the server wants to speak another protocol") from None
        except httptools.HttpParserError as error:
            self.reusable = False
            if not self.complete:  # otherwise it concerns bytes after the response
                raise MalformedAnswer(str(error)) from None
        if self.complete:
            return
        if len(self._body) >= MAX_ANSWER:
            self.complete = True
        elif self._fed > _MOST:
            raise MalformedAnswer("the answer does not come to an end")

    def end(self) -> None:
        """The connection was closed, which ends a response without a declared length."""
        if self._status and self._headers.keys().isdisjoint(_FRAMING):
            self.complete = True

    def reply(self) -> Reply:
        """The response, once it is `complete`."""
        return Reply(self._status, self._headers, bytes(self._body[:MAX_ANSWER]))

    def on_message_begin(self) -> None:
        """Parser callback; a second response is an error, as only one was requested."""
        self.reusable = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Parser callback, also for trailers after the last chunk, which are ignored."""
        if self._status:
            return
        field = _in_lower_case(name)
        text = value.strip(b" \t").decode("latin-1")  # the parser has stripped the left side
        if field in self._headers:
            text = f"{self._headers[field]}, {text}"
        self._headers[field] = text

    def on_headers_complete(self) -> None:
        """Parser callback; an interim response (1xx) precedes the final one."""
        if self.complete:
            return
        status = self._parser.get_status_code()
        if 100 <= status < 200:
            self._headers.clear()
        else:
            self._status = status
            self.idle = _declared(self._headers.get("keep-alive", ""))

    def on_body(self, piece: bytes) -> None:
        """Parser callback."""
        if not self.complete and len(self._body) < MAX_ANSWER:
            self._body += piece

    def on_message_complete(self) -> None:
        """Parser callback."""
        if self._status and not self.complete:
            self.complete = True
            self.reusable = self._parser.should_keep_alive()


@lru_cache(maxsize=64)
def _in_lower_case(name: bytes) -> str:
    """The name of a header; a server has the same ones in each of its responses."""
    return name.decode("latin-1").lower()


def _declared(value: str) -> float | None:
    """The timeout in a header such as `Keep-Alive: timeout=5, max=100`, in seconds."""
    for part in value.split(",") if value else ():
        name, _, number = part.strip().partition("=")
        if name.lower() == "timeout" and number.isdecimal():
            return float(number[:9])
    return None
