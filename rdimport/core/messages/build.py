"""Compiles the gettext catalogues, when a package is built and in a checkout."""

from __future__ import annotations

import io
import os
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

FOLDER = Path(__file__).parent / "locale"


def compiled(source: Path) -> bytes:
    """The contents of a .po file in .mo format."""
    with source.open("rb") as file:
        catalogue = read_po(file, abort_invalid=True)
    binary = io.BytesIO()
    write_mo(binary, catalogue)
    return binary.getvalue()


def compile_all() -> None:
    """Write every .mo file that is missing or older than its .po file."""
    for source in FOLDER.glob("*/LC_MESSAGES/*.po"):
        target = source.with_suffix(".mo")
        if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
            half = target.with_suffix(f".{os.getpid()}.half")
            half.write_bytes(compiled(source))
            half.replace(target)  # several tests may do it at the same time


if __name__ == "__main__":
    compile_all()
