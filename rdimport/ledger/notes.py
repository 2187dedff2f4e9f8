"""Small files of lines, in a state directory or in the user's own folder for it. They contain no
personal data.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from rdimport.core.small_file import read_record


def noted(file: Path) -> list[str]:
    """The lines; none if it cannot be read."""
    with suppress(OSError):
        return _lines(_text(file))
    return []


def note(file: Path, line: str) -> None:
    """Add a line that is not there yet, if the file can be read and written to."""
    with suppress(OSError, UnicodeError):
        try:
            text = _text(file)
        except FileNotFoundError:
            text = ""
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            file.touch(mode=0o600)
        if line not in _lines(text):
            # who edited it, or a crash, may have left out the last line's end
            begin = "" if text.endswith("\n") or not text else "\n"
            with file.open("a", encoding="utf-8") as lines:
                lines.write(f"{begin}{line}\n")


def _text(file: Path) -> str:
    return read_record(file).decode(errors="replace")  # a damaged line does not hide the others


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]
