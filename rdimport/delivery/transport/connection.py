"""One connection of the direct sender. It carries one request at a time, and none after a doubt.

Whether a row may have arrived depends on what happens between the check and the write: so `is_idle`
and `send` are called without giving control to the event loop in between. A connection on which
anything has happened since its last response is never written to.
"""

from __future__ import annotations

import asyncio
import select
import sys
from collections.abc import Callable
from functools import partial
from typing import Final

from rdimport.delivery.transport.response import Done, Reply, Timeouts, TransportError
from rdimport.delivery.transport.response_reader import (
    CUT_SHORT,
    AnswerReader,
    IncompleteAnswer,
    MalformedAnswer,
)

_MARGIN: Final = 1.0
"""Seconds before a server's announced time-out at which an idle connection is given up."""


class Connection(asyncio.Protocol):
    """One connection of a pool. `freed` is called when it can carry the next request, `lost` when
    it is closed.

    `took` is the duration of its last exchange in seconds. `closed_after` is the number of seconds
    it had been idle when the server closed it, None if that did not happen.
    """

    def __init__(
        self,
        timeouts: Timeouts,
        freed: Callable[[Connection], None],
        lost: Callable[[Connection], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._timeouts = timeouts
        self._idle = timeouts.idle
        self._freed = freed
        self._lost = lost
        self.carries: Done | None = None
        self._reader = AnswerReader()
        self._timer: asyncio.TimerHandle | None = None
        self._began = self._moved = self._loop.time()
        self._full = False
        self._usable = False
        self._answers = 0
        self._rest_before = 0.0
        self.took = 0.0
        self.closed_after: float | None = None
        self.closed = self._loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("a connection that carries no bytes")
        self._transport = transport
        self._usable = True
        self._has_input = _watch(transport)

    def open(self) -> bool:
        """Whether a request may be written, as far as the event loop has noticed."""
        return self._usable and not self._transport.is_closing()

    def is_idle(self) -> bool:
        """Whether it is open and nothing unexpected has arrived. This polls the socket, because the
        event loop may not have read from it yet.
        """
        return self.open() and not self._has_input()

    def rest(self, now: float) -> float:
        """Seconds since its last response."""
        return now - self._moved

    def is_old(self, now: float) -> bool:
        """Whether it has been idle for too long to be reused safely."""
        return now - self._moved >= self._idle

    def send(self, message: bytes, done: Done) -> None:
        """Write a request; from here on the row may have arrived.

        `done` is called with the response or an `TransportError`, after this method has
        returned.
        """
        self.carries = done
        now = self._loop.time()
        self._rest_before = now - self._moved
        self._began = self._moved = now
        if self._timer is None:
            self._look_at(self._due()[0])
        self._transport.write(message)

    def abandon(self) -> None:
        """Close it without calling `done`: its response must not count for another request."""
        self.carries = None
        self.drop()

    def drop(self) -> None:
        """Close it at once."""
        self._usable = False
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Called by the event loop."""
        if self.carries is None:
            self.drop()
            return
        self._moved = self._loop.time()
        try:
            self._reader.feed(data)
        except MalformedAnswer as error:
            self._fail(TransportError("RemoteProtocolError", str(error)), error)
            return
        self._see_if_complete()

    def eof_received(self) -> None:
        """Called by the event loop, which closes the connection afterwards."""
        self._note_close()
        self._usable = False
        if self.carries is not None:
            self._reader.end()
            self._see_if_complete()
            self._fail(TransportError("RemoteProtocolError", CUT_SHORT), IncompleteAnswer())

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the event loop."""
        self._note_close()
        if exc is None:
            self._fail(TransportError("RemoteProtocolError", CUT_SHORT), IncompleteAnswer())
        else:
            self._fail(TransportError("ReadError", str(exc)), exc)
        if self._timer is not None:
            self._timer.cancel()
        self._lost(self)
        self.closed.set_result(None)

    def pause_writing(self) -> None:
        """Called by the event loop when the write buffer is full."""
        self._full = True
        if self._timer is not None:
            self._timer.cancel()
        self._look_at(self._due()[0])

    def resume_writing(self) -> None:
        """Called by the event loop when the write buffer has drained."""
        self._full = False
        self._moved = self._loop.time()

    def _note_close(self) -> None:
        """Remember the idle time if the server closed a connection that was idle for it."""
        if self._usable and self._answers and not self._reader.begun:
            rest = self.rest(self._loop.time())
            self.closed_after = rest if self.carries is None else self._rest_before

    def _see_if_complete(self) -> None:
        reader = self._reader
        if reader.complete:
            if reader.idle is not None:
                self._idle = min(self._idle, reader.idle - _MARGIN)
            self._answered(reader.reply(), reusable=reader.reusable)

    def _answered(self, reply: Reply, *, reusable: bool) -> None:
        done, self.carries = self.carries, None
        self._answers += 1
        self.took = self._moved - self._began
        if self._usable and reusable and not self._transport.get_write_buffer_size():
            self._reader.expect()
            self._freed(self)
        else:
            self.drop()
        if done is not None:
            done(reply)

    def _fail(self, error: TransportError, cause: Exception | None = None) -> None:
        error.__cause__ = cause
        self.drop()
        done, self.carries = self.carries, None
        if done is not None:
            done(error)

    def _due(self) -> tuple[float, TransportError]:
        """The time at which the current timeout expires, and its exception."""
        timeouts = self._timeouts
        end = self._began + timeouts.total
        step = self._moved + (timeouts.write if self._full else timeouts.read)
        if end < step:
            message = f"no whole answer within {timeouts.total:g} seconds"
            return end, TransportError("ReadTimeout", message)
        if self._full:
            message = f"nothing was taken for {timeouts.write:g} seconds"
            return step, TransportError("WriteTimeout", message)
        return step, TransportError("ReadTimeout", f"nothing came for {timeouts.read:g} seconds")

    def _look_at(self, when: float) -> None:
        self._timer = self._loop.call_at(when, self._on_timer)

    def _on_timer(self) -> None:
        """Timer callback. One timer serves many requests: it is set again unless the timeout has
        expired.
        """
        self._timer = None
        if self.carries is None:
            return
        when, error = self._due()
        if self._loop.time() >= when:
            self._fail(error)
        else:
            self._look_at(when)


def _watch(transport: asyncio.Transport) -> Callable[[], object]:
    """A function that polls the socket: true if data has arrived or the peer has closed it."""
    if sys.platform == "win32":  # which has no poll(); rely on the event loop
        return bool
    poll = select.poll()
    poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
    return partial(poll.poll, 0)
