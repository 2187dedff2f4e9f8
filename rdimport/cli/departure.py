"""Confirmation of a real run: what is shown before sending, and the question for a new account."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from rdimport.cli.arguments import RunArguments
from rdimport.cli.interrupts import on_signals
from rdimport.cli.screen.layout import wrapped
from rdimport.cli.streams import say, typed_yes
from rdimport.core.errors import OutputError
from rdimport.report.words import Words

if TYPE_CHECKING:
    from rdimport.plan.departure import Departure

_LONG_KEY: Final = 16
"""Minimum length of a key whose last four characters do not give it away."""


def agreed(args: RunArguments, key: str, leaving: Departure) -> bool:
    """Describe a real run on standard error, and ask for confirmation if someone can answer."""
    if args.quiet:
        return True
    words = Words(args.lang)
    with suppress(OutputError):  # nobody is reading, so nobody can answer
        say(_lines(leaving, key, words), sys.stderr)
    if not (leaving.first and leaving.rows and may_ask(args) and _is_interactive()):
        return True
    return _yes(words("real.ask"))


def may_ask(args: RunArguments) -> bool:
    """Whether the arguments allow a question."""
    return not (args.yes or args.quiet or args.json or "-" in args.files)


def ending_of(key: str) -> str:
    """The last characters of a key, to tell keys apart; empty for a short key."""
    return key[-4:] if len(key) >= _LONG_KEY else ""


def _lines(leaving: Departure, key: str, words: Words) -> Iterator[str]:
    end = ending_of(key)
    text = words("real.to", endpoint=leaving.endpoint, account=leaving.account)
    text += words("real.key", end=end) if end else ""
    text += ": " + words.counted("rows_to_send", leaving.rows)
    if leaving.seconds:
        time = words.duration(leaving.seconds)
        text += words("real.time", time=time, quota=leaving.quota)
    yield from wrapped(text)
    if leaving.first:
        yield from wrapped(words("real.first", ledger=leaving.ledger))


def _is_interactive() -> bool:
    """Whether standard input and error are a terminal with this process in the foreground."""
    try:
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            return False
        if sys.platform == "win32":  # a terminal there has no background
            return True
        return os.tcgetpgrp(sys.stderr.fileno()) == os.getpgrp()
    except (AttributeError, OSError, ValueError):  # a stream that is closed or without a number
        return False


def _yes(question: str) -> bool:
    """The answer; an empty one, end of file or Ctrl+C means no."""
    stops = (signal.SIGINT, signal.SIGTERM)  # at once; the event loop would delay them
    interruptible = on_signals(stops, signal.default_int_handler)
    with interruptible, suppress(KeyboardInterrupt, OutputError):
        say([question], sys.stderr)
        return typed_yes()
    return False
