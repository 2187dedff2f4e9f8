"""Small files of lines, in a state directory or in the user's own folder for it. They contain no
personal data.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from rdimport.core.small_file import read_record


def noted(file: Path) -> list[str]:
    """The lines; none if it cannot be read."""
    with suppress(OSError, UnicodeDecodeError):
        return [line.strip() for line in read_record(file).decode().splitlines() if line.strip()]
    return []


def note(file: Path, line: str) -> None:
    """Add a line that is not there yet, if the folder can be written to."""
    if line in noted(file):
        return
    with suppress(OSError):
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.touch(mode=0o600)
        with file.open("a+", encoding="utf-8") as lines:
            lines.seek(0)  # who edited it may have left out the last line's end
            ended = lines.read()[-1:] in ("", "\n")
            lines.write(("" if ended else "\n") + f"{line}\n")
