"""Output streams: results on standard output, everything else on standard error."""

from __future__ import annotations

import codecs
import io
import os
import re
import select
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TextIO, cast

from rdimport.core.errors import OutputError
from rdimport.core.messages import _
from rdimport.core.visible import Shown, shown, shown_json, shown_lines

_OURS: Final = re.compile(r"(\x1b\[(?:[012]|3[1-5])m|\x1b\[A|[\r\n])")
"""Control sequences that rdimport itself writes: colours, and redrawing a progress bar."""


_IN_ASCII: Final = {
    **dict.fromkeys("“”„«»", '"'),
    **dict.fromkeys("‘’", "'"),
    **dict.fromkeys("–—−·•", "-"),
    "→": "->",
    "…": "...",
    "×": "x",
    "█": "#",
}
"""Replacements for characters that the code page of a terminal or pipe lacks."""


def _nearest(error: UnicodeError) -> tuple[str, int]:
    """An error handler of `codecs`: the nearest character, or a question mark."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(_IN_ASCII.get(c, "?") for c in lacking), error.end


codecs.register_error("rdimport-nearest", _nearest)


class _Discreet:
    """A stream that applies `mask` to all text, also from libraries and Python, and escapes control
    sequences other than our own.
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
    """Print a line to standard error without masking: a sandbox's key is meant to be copied."""
    stream = sys.stderr
    if isinstance(stream, _Discreet):
        stream = stream._stream  # noqa: SLF001  the same module
    with suppress(OSError, ValueError):
        stream.write(f"{line}\n")
        stream.flush()


@contextmanager
def speaking(mask: Callable[[str], str]) -> Iterator[None]:
    """Mask all output, and keep output errors from changing a command's result."""
    # The next file that is opened would get the number of a closed stream, and a library's warnings
    # could be written to the ledger.
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(number)
    sys.stdin = sys.stdin or Path(os.devnull).open(encoding="utf-8")  # noqa: SIM115
    sys.stdout = sys.stdout or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = sys.stderr or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="rdimport-nearest")  # a missing character must not end a run
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
    """Discard the buffer of a broken stream; otherwise Python reports an error at exit."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def say(lines: Iterable[str], out: TextIO | None = None) -> None:
    """Print results, one per line, to standard output or the given stream."""
    out = out or sys.stdout
    for line in lines:
        with _output_errors(out):
            print(shown(line), file=out)


def write_output(text: str) -> None:
    """Write text to standard output as it is, at once. Raises OutputError."""
    with _output_errors(sys.stdout):
        sys.stdout.write(text)
    flush_output()


def flush_output() -> None:
    """Flush standard output. Raises OutputError."""
    with _output_errors(sys.stdout):
        sys.stdout.flush()


@contextmanager
def _output_errors(out: TextIO) -> Iterator[None]:
    """Ignore BrokenPipeError: the reader (such as `head`) closed the pipe. Raises OutputError for
    other errors, such as a full disk.
    """
    try:
        yield
    except BrokenPipeError:
        _mute(out)
    except OSError as error:
        _mute(out)
        raise OutputError(
            _("The result cannot be written: {strerror}.", strerror=error.strerror),
            _("Check where its output goes."),
        ) from None


def say_json(result: object, **layout: Any) -> None:
    """Print one JSON object to standard output; in ASCII where that cannot hold all characters."""
    say([Shown(shown_json(result, ensure_ascii=not _is_unicode(sys.stdout), **layout))])


def say_file(lines: Iterable[str]) -> None:
    """Print output meant to be saved as a file: in UTF-8, unless it goes to a terminal."""
    out = cast("io.TextIOWrapper", sys.stdout)
    if not _is_unicode(out) and not out.isatty():
        out.reconfigure(encoding="utf-8")
    say(lines)


def _is_unicode(stream: TextIO) -> bool:
    return not stream.encoding or codecs.lookup(stream.encoding).name.startswith("utf-8")


def print_error(text: str) -> None:
    """Print an error, or what to do next, to standard error."""
    with suppress(OSError):
        print(f"rdimport: {shown_lines(text.split(chr(10)))}", file=sys.stderr)


def ask(question: str) -> bool:
    """Ask the user a question; anything but yes means no."""
    print(f"{question} {_('[y/N]')} ", end="", file=sys.stderr, flush=True)
    return typed_yes()


def typed_yes() -> bool:
    """Wait for a line from the terminal; anything but yes means no."""
    if sys.platform != "win32":  # on Windows, select() works for sockets only
        # A signal that arrives just before a read, or at another thread, does not end that read.
        while not select.select([sys.stdin], (), (), 0.2)[0]:
            pass
    return sys.stdin.readline().strip().lower() in ("y", "yes", "s", "sim")
