"""Where a command speaks: results on standard output, the rest on standard error."""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TextIO, cast

from rdimport.core.errors import OutputError
from rdimport.core.messages import _
from rdimport.core.visible import Shown, shown, shown_json, shown_lines

_OURS: Final = re.compile(r"(\x1b\[(?:[012]|3[1-5])m|\x1b\[A|[\r\n])")
"""What steers a terminal and comes from us: colours, and how a bar is drawn over itself."""


class _Discreet:
    """A stream in which `mask` changes each text, whoever writes it: also libraries and Python. It
    shows as text what would steer a terminal and is not ours.
    """

    def __init__(self, stream: TextIO, mask: Callable[[str], str]) -> None:
        self._stream = stream
        self._mask = mask

    def write(self, text: str) -> int:
        masked = self._mask(text)
        if not masked.isprintable():
            masked = "".join(p if at % 2 else shown(p) for at, p in enumerate(_OURS.split(masked)))
        self._stream.write(masked)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def say_openly(line: str) -> None:
    """Say a line on standard error with what the mask would take out: a sandbox's key is meant to
    be copied.
    """
    stream = sys.stderr
    if isinstance(stream, _Discreet):
        stream = stream._stream  # noqa: SLF001  the same module
    with suppress(OSError, ValueError):
        stream.write(f"{line}\n")
        stream.flush()


@contextmanager
def speaking(mask: Callable[[str], str]) -> Iterator[None]:
    """Make the standard streams fit to be written to, with nothing in them that `mask` takes out,
    and let no trouble with them change how a command ends.
    """
    # a stream that is closed has no number, and the next file that is opened would get it: the
    # ledger could be what a library's warnings are written to
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(number)
    sys.stdout = sys.stdout or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = sys.stderr or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that lacks “ must not end a run
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (cast("TextIO", _Discreet(stream, mask)) for stream in before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
        for stream in before:
            try:
                stream.flush()
            except (OSError, ValueError):
                _mute(stream)


def _mute(stream: TextIO) -> None:
    """Nobody takes what is left in this stream: Python would complain of it at its end."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def say(lines: Iterable[str], out: TextIO | None = None) -> None:
    """Results, a line each, on standard output unless another stream is named."""
    out = out or sys.stdout
    for line in lines:
        with _heard(out):
            print(shown(line), file=out)


def flush_output() -> None:
    """Let go of what is still on its way to standard output. Raises OutputError."""
    with _heard(sys.stdout):
        sys.stdout.flush()


@contextmanager
def _heard(out: TextIO) -> Iterator[None]:
    """Who reads us may go when he has seen enough: that is no failure of the command. A full disk
    is one: raises OutputError.
    """
    try:
        yield
    except BrokenPipeError:
        _mute(out)
    except OSError as error:
        _mute(out)
        raise OutputError(
            _("What the command found cannot be written: {strerror}.", strerror=error.strerror),
            _("See where its output goes."),
        ) from None


def say_json(result: object, **layout: Any) -> None:
    """One JSON object on standard output."""
    say([Shown(shown_json(result, **layout))])


def print_error(text: str) -> None:
    """What went wrong, or what to do next, on standard error."""
    with suppress(OSError):
        print(f"rdimport: {shown_lines(text.split(chr(10)))}", file=sys.stderr)


def ask(question: str) -> bool:
    """Whether the person at the terminal says yes; anything else is no."""
    print(f"{question} {_('[y/N]')} ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes", "s", "sim")
