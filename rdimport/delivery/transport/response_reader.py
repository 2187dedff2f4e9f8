"""An incremental parser for one HTTP/1.1 response. Pure: it knows no socket and no clock.

The grammar is llhttp's in strict mode: anything that two parsers could read differently (two
lengths, a length together with chunks, folded lines, bare line feeds) is an error, never a guess.
This module adds where a response ends, and whether its connection may be reused.
"""

from __future__ import annotations

from typing import Final

import httptools

from rdimport.delivery.transport.response import MAX_ANSWER, Reply, joined

_MOST: Final = 8 * MAX_ANSWER
"""Bytes of heads, interim responses, chunk sizes and body together after which reading is given
up.
"""

CUT_SHORT: Final = "closed before a whole answer had come"

_FRAMING: Final = (b"content-length", b"transfer-encoding")


class MalformedAnswer(Exception):  # noqa: N818  it is an outcome, not a mistake
    """The bytes are not a response that can be parsed in exactly one way."""


class IncompleteAnswer(Exception):  # noqa: N818
    """The connection was closed before the response was complete."""


class AnswerReader:
    """Parses one response.

    `whole`: the response is complete. `reusable`: the connection may carry another request. `idle`:
    the keep-alive timeout that the server announced, in seconds.
    """

    __slots__ = (
        "_body",
        "_fed",
        "_framed",
        "_headers",
        "_parser",
        "_size",
        "_status",
        "idle",
        "reusable",
        "whole",
    )

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._fed = self._size = 0
        self._status = 0
        self._framed = False
        self.idle: float | None = None
        self.reusable = False
        self.whole = False

    def feed(self, data: bytes) -> None:
        """Parse the next bytes. Raises MalformedAnswer."""
        self._fed += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            raise MalformedAnswer("the server wants to speak another protocol") from None
        except httptools.HttpParserError as error:
            self.reusable = False
            if not self.whole:  # otherwise it concerns bytes after the response
                raise MalformedAnswer(str(error)) from None
        if self.whole:
            return
        if self._size >= MAX_ANSWER:
            self.whole = True
        elif self._fed > _MOST:
            raise MalformedAnswer("the answer does not come to an end")

    def end(self) -> None:
        """The connection was closed, which ends a response without a declared length."""
        if self._status and not self._framed:
            self.whole = True

    def reply(self) -> Reply:
        """The response, once it is `whole`."""
        fields = (
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in self._headers
        )
        return Reply(self._status, joined(fields), b"".join(self._body)[:MAX_ANSWER])

    def on_message_begin(self) -> None:
        """Parser callback; a second response is an error, as only one was requested."""
        self.reusable = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Parser callback, also for trailers after the last chunk, which are ignored."""
        if self._status:
            return
        self._headers.append((name, value.strip(b" \t")))  # the parser has stripped the left side
        size = len(name)
        if size in (14, 17) and name.lower() in _FRAMING:
            self._framed = True
        elif size == 10 and name.lower() == b"keep-alive":
            self.idle = _declared(value)

    def on_headers_complete(self) -> None:
        """Parser callback; an interim response (1xx) precedes the final one."""
        if self.whole:
            return
        status = self._parser.get_status_code()
        if 100 <= status < 200:
            self._headers.clear()
            self._framed = False
        else:
            self._status = status

    def on_body(self, piece: bytes) -> None:
        """Parser callback."""
        if not self.whole and self._size < MAX_ANSWER:
            self._body.append(piece)
            self._size += len(piece)

    def on_message_complete(self) -> None:
        """Parser callback."""
        if self._status and not self.whole:
            self.whole = True
            self.reusable = self._parser.should_keep_alive()


def _declared(value: bytes) -> float | None:
    """The timeout in a header such as `Keep-Alive: timeout=5, max=100`, in seconds."""
    for part in value.split(b","):
        name, _, number = part.strip().partition(b"=")
        if name.lower() == b"timeout" and number.isdigit():
            return float(number[:9])
    return None
