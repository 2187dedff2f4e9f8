"""The log file of unattended runs: one event per line, no personal data, rotated by size."""

from __future__ import annotations

import errno
import logging
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, Final

from rdimport.core.clock import Clock
from rdimport.core.errors import UsageError
from rdimport.core.events import (
    Event,
    RowFinished,
    RowsRead,
    SendingFinished,
    SendingStarted,
    Stopping,
    StopRequested,
    Waiting,
)
from rdimport.core.messages import _
from rdimport.core.messages.reasons import detail
from rdimport.core.visible import shown, shown_json

MOST_BYTES: Final = 10_000_000
KEPT: Final = 5
"""Number of rotated files."""

PROGRESS_EVERY: Final = 60.0
"""Seconds between two lines about progress."""


class LogFile:
    """An observer that logs events. The names of events and their keys never change."""

    def __init__(
        self, handler: OwnerOnly, clock: Clock, mask: Callable[[str], str], *, as_json: bool
    ) -> None:
        self._mask = mask
        self._handler = handler
        self._clock = clock
        self._json = as_json
        self._read = 0
        self._states: Counter[str] = Counter()
        self._last_line_at = clock.monotonic()

    @property
    def notes(self) -> tuple[str, ...]:
        """A sentence if something could not be logged."""
        if self._handler.failure is None:
            return ()
        name, failure = self._handler.baseFilename, self._handler.failure
        return (_("The log file {file} has gaps: {error}.", file=name, error=failure),)

    def __call__(self, event: Event) -> None:
        """Log one event, or add it to the next progress line."""
        if isinstance(event, RowsRead):
            self._read += event.rows
        elif isinstance(event, SendingStarted):
            self.write("sending_started", rows_read=self._read, rows_to_send=event.rows)
        elif isinstance(event, RowFinished):
            self._states[event.state] += 1
            if self._clock.monotonic() - self._last_line_at >= PROGRESS_EVERY:
                self._last_line_at = self._clock.monotonic()
                self.write("progress", **self._states)
        elif isinstance(event, Waiting):
            self.write("waiting", seconds=round(event.seconds, 1), reason=detail(event.reason))
        elif isinstance(event, Stopping):
            self.write("stopping", in_flight=event.in_flight)
        elif isinstance(event, StopRequested):
            self.write("stop_requested", during=event.during)
        elif isinstance(event, SendingFinished):
            self.write("sending_finished", **self._states)

    def write(self, name: str, **facts: Any) -> None:
        """Write one line."""
        moment = self._clock.now().isoformat(timespec="seconds")
        if self._json:
            text = shown_json({"at": moment, "event": name, **facts})
        else:
            known = " ".join(f"{key}={value}" for key, value in facts.items() if value is not None)
            text = shown(" ".join(f"{moment} {name} {known}".split()))
        record = logging.LogRecord("rdimport", logging.INFO, "", 0, self._mask(text), None, None)
        self._handler.emit(record)


class OwnerOnly(RotatingFileHandler):
    """A rotating handler whose files are readable by their owner only. A full disk ends the log but
    not the run; `failure` has the error.
    """

    failure: BaseException | None = None

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  the base class's name
        """Called by logging in place of raising."""
        self.failure = self.failure or sys.exc_info()[1]

    def _open(self) -> Any:
        return open(self.baseFilename, "a", encoding="utf-8", opener=_owner_only)


def _owner_only(path: str, flags: int) -> int:
    """Open the file for its owner only, and not through a symbolic link, which someone else may
    have made; the system's own streams are links.
    """
    direct = 0 if Path(path).parent == Path("/dev") else getattr(os, "O_NOFOLLOW", 0)
    number = os.open(path, flags | direct, 0o600)
    if sys.platform == "win32":
        return number
    if direct and os.fstat(number).st_uid == os.geteuid():
        os.fchmod(number, 0o600)
    return number


@contextmanager
def opened(
    path: Path, clock: Clock, mask: Callable[[str], str], *, as_json: bool
) -> Iterator[LogFile]:
    """The log file of one run; `mask` hides the key. Raises UsageError if it cannot be written."""
    try:
        handler = OwnerOnly(path, maxBytes=MOST_BYTES, backupCount=KEPT, encoding="utf-8")
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise UsageError(
                _("The log file {path} is a link.", path=path), _("Name the file itself.")
            ) from None
        raise UsageError(
            _("The log file {path} cannot be written: {error}.", path=path, error=error),
            _("With {option}, name a file in a folder that you can write to.", option="--log-file"),
        ) from None
    try:
        yield LogFile(handler, clock, mask, as_json=as_json)
    finally:
        with suppress(OSError):  # a full disk was noticed while writing
            handler.close()
